//! The messages of one recipient in a turn, which are sent in their order, until one fails or the time is over. What is not sent then is a
//! difference still, and the next turn begins with it.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::circuit::DeliveryResult;
use super::records::{NotificationRecords, RecordChange};
use super::turn::{Delivery, Turn};

/// How long a turn begins to send further messages to one recipient. A service that accepts each message slowly must not hold up the next
/// turn, in which others have news.
pub const SEND_WINDOW: Duration = Duration::from_secs(15);

/// What is left to be sent to one recipient.
#[derive(Debug)]
pub struct SendQueue<'t> {
    left: &'t [Delivery],
    began: UnixMillis,
}

impl<'t> SendQueue<'t> {
    /// The queues of a turn whose messages begin to be sent at `now` by the edge's own clock, one for each recipient.
    pub fn list(turn: &'t Turn, now: UnixMillis) -> Vec<SendQueue<'t>> {
        let queues = turn.deliveries.chunk_by(|one, next| one.recipient == next.recipient);
        queues.map(|left| SendQueue { left, began: now }).collect()
    }

    /// Returns the message that is to be sent next at `now` by the edge's own clock; `None` if there is none. What the window leaves
    /// over is recorded as not sent.
    pub fn next(&mut self, records: &mut NotificationRecords, now: UnixMillis) -> Option<&'t Delivery> {
        if now.since(self.began) > SEND_WINDOW {
            self.release(records);
        }
        let (next, left) = self.left.split_first()?;
        self.left = left;
        Some(next)
    }

    /// Records the result of the last message at `now`, and returns the changes to be stored. After a failure nothing more is sent.
    pub fn record_result(
        &mut self,
        records: &mut NotificationRecords,
        delivery: &Delivery,
        result: DeliveryResult,
        now: UnixMillis,
    ) -> Vec<RecordChange> {
        if result != DeliveryResult::Accepted {
            self.release(records);
        }
        records.record_result(delivery, result, now)
    }

    fn release(&mut self, records: &mut NotificationRecords) {
        records.release_unsent(std::mem::take(&mut self.left));
    }
}
