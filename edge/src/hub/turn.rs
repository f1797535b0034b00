//! What only one caller may do at a time.

use std::cell::Cell;

/// Whether somebody is at it.
#[derive(Debug, Default)]
pub(super) struct TurnFlag(Cell<bool>);

/// The only turn, for as long as it lives.
#[derive(Debug)]
pub(super) struct Turn<'f>(&'f Cell<bool>);

impl TurnFlag {
    /// Begins a turn; `None` while another one is under way.
    pub(super) fn begin(&self) -> Option<Turn<'_>> {
        (!self.0.replace(true)).then_some(Turn(&self.0))
    }

    /// Whether a turn is under way.
    pub(super) fn is_taken(&self) -> bool {
        self.0.get()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_when_it_is_dropped() {
        let flag = TurnFlag::default();
        let turn = flag.begin();
        assert!(turn.is_some() && flag.is_taken() && flag.begin().is_none());
        drop(turn);
        assert!(!flag.is_taken() && flag.begin().is_some());
    }
}
