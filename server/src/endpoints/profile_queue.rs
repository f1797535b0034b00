//! The way of a request for a heap profile of a guarded program to the agent inside of it: the request waits on the thread of the front,
//! the supervisor's loop asks the agent. One profile is made at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::profile::ProfileError;

/// Time for an agent's answer beyond the length of its window.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// The request that the supervisor has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct ProfileQueue {
    waiting: Mutex<Option<QueuedProfile>>,
}

/// A request for a profile.
#[derive(Debug)]
pub(crate) struct QueuedProfile {
    /// Length of the window in seconds; 0 for all memory that is held now.
    pub(crate) seconds: u32,
    answer: oneshot::Sender<Result<Vec<u8>, ProfileError>>,
}

impl QueuedProfile {
    /// Returns the longest time that its client waits.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.seconds.into()) + ANSWER_TIME
    }

    /// Whether its client still waits.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    /// Answers the request.
    pub(crate) fn answer(self, profile: Result<Vec<u8>, ProfileError>) {
        // The client may have gone.
        let _ = self.answer.send(profile);
    }
}

impl ProfileQueue {
    /// Requests a profile, and waits for it.
    pub(crate) async fn request(&self, seconds: u32) -> Result<Vec<u8>, ProfileError> {
        let (answer, answered) = oneshot::channel();
        let queued = QueuedProfile { seconds, answer };
        let longest = queued.timeout();
        {
            let mut waiting = self.waiting();
            if waiting.as_ref().is_some_and(QueuedProfile::is_wanted) {
                return Err(ProfileError::Busy);
            }
            *waiting = Some(queued);
        }
        match timeout(longest, answered).await {
            Ok(Ok(profile)) => profile,
            Ok(Err(_)) | Err(_) => Err(ProfileError::NoAnswer),
        }
    }

    /// Takes the request that waits.
    pub(crate) fn take_request(&self) -> Option<QueuedProfile> {
        self.waiting().take().filter(QueuedProfile::is_wanted)
    }

    fn waiting(&self) -> MutexGuard<'_, Option<QueuedProfile>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn one_request_waits_until_it_is_answered_or_given_up() {
        let queue = Arc::new(ProfileQueue::default());
        let asking = Arc::clone(&queue);
        let request = tokio::spawn(async move { asking.request(3).await });
        let taken = loop {
            if let Some(taken) = queue.take_request() {
                break taken;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!((taken.seconds, taken.timeout()), (3, Duration::from_secs(23)));
        taken.answer(Ok(vec![7]));
        assert_eq!(request.await.unwrap(), Ok(vec![7]));
        assert!(queue.take_request().is_none());

        let asking = Arc::clone(&queue);
        let given_up = tokio::spawn(async move { asking.request(0).await });
        while queue.waiting().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(queue.request(0).await, Err(ProfileError::Busy));
        given_up.abort();
        assert!(given_up.await.is_err());
        assert!(queue.take_request().is_none(), "its client has gone");
    }
}
