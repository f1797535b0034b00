//! What the program may send without saying anything: interim responses (1xx) without end would keep a request waiting for ever, and a core
//! busy with reading them, as hyper skips each of them and reads on. So would the size of a chunk with zeros without end in front.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes until the head of a response, or until the next part of its body. hyper bounds each head, and has read two or three buffers of
/// 64 kB more than is known here.
const MAX_BYTES: usize = 512 << 10;

/// There is no bound.
const NONE: usize = usize::MAX;

/// How much may still be read from a connection to the program before it says something.
#[derive(Debug)]
pub(crate) struct ReadBudget {
    left: AtomicUsize,
}

impl Default for ReadBudget {
    fn default() -> Self {
        ReadBudget { left: AtomicUsize::new(MAX_BYTES) }
    }
}

impl ReadBudget {
    /// Begins to count anew: a request was sent, or a head or a part of a body has arrived.
    pub(crate) fn renew(&self) {
        self.left.store(MAX_BYTES, Ordering::Relaxed);
    }

    /// Ends the bound: the connection becomes a tunnel.
    pub(crate) fn lift(&self) {
        self.left.store(NONE, Ordering::Relaxed);
    }

    /// Counts bytes that were read; false if they are too many.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left != NONE).then(|| left.saturating_sub(bytes))
        });
        spent.map_or(true, |before| bytes < before)
    }

    /// Whether too much was read.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_until_something_is_said() {
        let budget = ReadBudget::default();
        assert!(budget.spend(MAX_BYTES - 1) && !budget.is_exceeded());
        assert!(!budget.spend(1) && budget.is_exceeded());
        assert!(!budget.spend(0) && !budget.spend(1), "it stays so");
        budget.renew();
        assert!(budget.spend(1) && !budget.is_exceeded());
        budget.lift();
        assert!(budget.spend(usize::MAX) && budget.spend(usize::MAX) && !budget.is_exceeded());
    }
}
