//! Telling those on call: what, since when, why, with evidence and a link.
//!
//! An alert is a row of the outbox, written in the same transaction as the change that it tells of, and taken out when
//! the service has said that it has it ([`outbox`]). Everything here is pure but [`http_client`]: what a message says
//! ([`message`]), how each service wants it ([`service`]), who else
//! asked to be told ([`subscriber`]), when to try again.

pub mod channel;
pub mod http_client;
pub mod message;
pub mod outbox;
pub mod plan;
pub(crate) mod push;
pub mod quiet_hours;
pub mod service;
pub mod subscriber;

pub use channel::{Channel, ChannelId, Channels, Service};
pub use message::Message;
pub use outbox::{DeliveryResult, OutboxRow};
pub use plan::{NotificationPlan, Recipients, plan_notifications};
pub use subscriber::Subscriber;
