//! Notifications: who is notified of an incident, in which words, and by which service.
//!
//! Alerts are level-triggered. [`records`] holds what each recipient was told last; a [`turn`] compares it with what is so, and plans
//! the messages that close the differences. [`message`] renders the text, [`service`] builds the request of each service, [`circuit`]
//! decides when a recipient that does not accept messages is tried again, and [`subscriber`] has the public's subscriptions.
//! Everything is pure but [`http_client`] and the module for web push.

pub mod channel;
pub mod circuit;
pub mod http_client;
pub mod message;
pub(crate) mod push;
pub mod quiet_hours;
pub mod recipient;
pub mod records;
pub mod send_queue;
pub mod service;
pub mod subscriber;
pub mod subscription_pace;
pub mod template;
pub mod turn;

pub use channel::{Channel, ChannelId, ChannelKind, Channels};
pub use circuit::DeliveryResult;
pub use message::Message;
pub use recipient::Recipient;
pub use records::{NotificationRecords, RecipientRecord, RecordChange};
pub use send_queue::SendQueue;
pub use subscriber::Subscriber;
pub use turn::{Delivery, Situation, Turn};
