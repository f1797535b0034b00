//! What the guard did or saw, in the order in which it happened.
//!
//! The report carries the last few, the terminal view lists them, an incident's timeline is made of them. Text from
//! elsewhere (a panic's message) is cut to a length when it becomes part of an event, never later.

use serde::{Deserialize, Serialize};

use crate::pressure::Pressure;
use crate::units::{Bytes, UnixMillis};

/// Most bytes of foreign text in one event.
pub const MAX_TEXT: usize = 300;

/// Something that happened at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: UnixMillis,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// The instance began.
    Started,
    /// The ladder's rung changed.
    Pressure {
        /// The rung before.
        from: Pressure,
        /// The rung now.
        to: Pressure,
        /// What was judged.
        memory: Bytes,
    },
    /// Caches were asked to shrink and the allocator to give back.
    Purge {
        /// Working set before.
        before: Bytes,
        /// Working set after.
        after: Bytes,
        /// Milliseconds from the first hook to the last arena.
        took_ms: u32,
    },
    /// A fresh worker was asked for.
    Recycle {
        /// Why.
        reason: String,
    },
    /// The process was given up, as nothing helped and nobody could take over.
    Leave,
    /// New requests were refused; written when a stretch of it ends.
    Shed {
        /// Requests refused in this stretch.
        refused: u64,
        /// Milliseconds it lasted.
        lasted_ms: u64,
    },
    /// A handler panicked; its request was answered with 500.
    Panic {
        /// Message and place, at most [`MAX_TEXT`] bytes.
        message: String,
    },
    /// The memory limit changed.
    Limit {
        /// The limit before.
        from: Bytes,
        /// The limit now.
        to: Bytes,
    },
    /// Asked to stop.
    Stop {
        /// By what: a signal's name.
        by: String,
    },
}

/// `text` cut to at most [`MAX_TEXT`] bytes between two characters.
#[must_use]
pub fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_TEXT)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event {
            at: UnixMillis(1000),
            kind: EventKind::Pressure { from: Pressure::Calm, to: Pressure::Alert, memory: Bytes(5) },
        };
        let json = r#"{"at":1000,"kind":"pressure","from":"calm","to":"alert","memory":5}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
    }

    #[test]
    fn foreign_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"é".repeat(200));
        assert_eq!(cut, "é".repeat(150));
        let odd = super::cut(&format!("a{}", "é".repeat(200)));
        assert_eq!(odd.len(), 299);
    }
}
