//! The used nonces.
//!
//! A nonce is stored for as long as its request could be replayed, that is until its signature expires. Only requests with a
//! valid signature are stored, so the size follows the owner's own traffic; when it is full, a new request is refused rather
//! than an old nonce dropped.

use std::collections::{HashSet, VecDeque};

use super::{CLOCK_TOLERANCE, Nonce};
use crate::units::UnixMillis;

/// Stores at most `capacity` nonces.
#[derive(Debug)]
pub struct NonceCache {
    capacity: usize,
    used: HashSet<Nonce>,
    /// The nonces in the order of arrival, with the time after which each may be removed.
    order: VecDeque<(UnixMillis, Nonce)>,
}

/// The reason to refuse a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// The nonce was used before.
    #[error("the nonce was already used (replayed request)")]
    Replayed,
    /// Too many requests in the window.
    #[error("the nonce cache is full: too many signed requests within {} s", 2 * CLOCK_TOLERANCE.as_secs())]
    Full,
}

impl NonceCache {
    /// Makes an empty store. A report per second stores 120 nonces in two minutes.
    pub fn new(capacity: usize) -> Self {
        NonceCache { capacity, used: HashSet::new(), order: VecDeque::new() }
    }

    /// Stores the nonce of a request that was signed at `signed`, or refuses it.
    pub fn spend(&mut self, nonce: Nonce, signed: UnixMillis, now: UnixMillis) -> Result<(), NonceError> {
        // Signed whole seconds are rounded down, so a second more than the window is waited for. The end is
        // counted from the later of the two clocks: one set back must not shorten the memory.
        while self.order.front().is_some_and(|(until, _)| *until < now) {
            if let Some((_, old)) = self.order.pop_front() {
                self.used.remove(&old);
            }
        }
        if self.used.contains(&nonce) {
            return Err(NonceError::Replayed);
        }
        if self.used.len() >= self.capacity {
            return Err(NonceError::Full);
        }
        let until = signed.max(now).plus(CLOCK_TOLERANCE + std::time::Duration::from_secs(1));
        self.used.insert(nonce);
        self.order.push_back((until, nonce));
        Ok(())
    }

    /// Returns the number of stored nonces.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Returns whether no nonce is stored.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }
}
