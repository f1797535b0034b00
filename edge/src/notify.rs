//! Notifications: who is notified of an incident, in which words, and by which service.
//!
//! [`plan`] turns the facts of the domain into messages. A message is a row of the outbox, which is written in the same transaction
//! as the change that it is about, and deleted when the service has accepted it ([`outbox`]). [`message`] renders the text,
//! [`service`] builds the request of each service, and [`subscriber`] has the public's subscriptions. Everything is pure but
//! [`http_client`] and the module for web push.

pub mod channel;
pub mod http_client;
pub mod message;
pub mod outbox;
pub mod plan;
pub(crate) mod push;
pub mod quiet_hours;
pub mod service;
pub mod subscriber;

pub use channel::{Channel, ChannelId, ChannelKind, Channels};
pub use message::Message;
pub use outbox::{DeliveryResult, OutboxRow};
pub use plan::{NotificationPlan, Recipients, plan_notifications};
pub use subscriber::Subscriber;
