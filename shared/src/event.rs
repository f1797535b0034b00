//! The events of an instance: what the guard did and observed.
//!
//! The report carries the most recent events, the terminal view lists them, and the timeline of an incident is made of them.
//! Untrusted text (the message of a panic) is cut to [`MAX_TEXT`] when the event is made.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::pressure::Pressure;
use crate::text::changes_direction;
use crate::units::{Bytes, UnixMillis};

/// Most bytes of untrusted text in one event.
pub const MAX_TEXT: usize = 300;

/// One event: a flat object on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Event {
    /// The time of the event.
    #[n(0)]
    pub at: UnixMillis,
    /// The kind of the event, with its figures.
    #[serde(flatten)]
    #[n(1)]
    pub kind: EventKind,
}

/// The kind of an event, with its figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum EventKind {
    /// The instance started.
    #[n(0)]
    Started,
    /// The pressure level changed.
    #[n(1)]
    Pressure {
        /// The level before.
        #[n(0)]
        from: Pressure,
        /// The level now.
        #[n(1)]
        to: Pressure,
        /// The memory that the level was derived from.
        #[n(2)]
        memory: Bytes,
    },
    /// Caches shrank and the allocator returned memory.
    #[n(2)]
    Purge {
        /// Working set before.
        #[n(0)]
        before: Bytes,
        /// Working set after.
        #[n(1)]
        after: Bytes,
        /// Milliseconds from the first hook to the last arena.
        #[n(2)]
        duration_ms: u32,
    },
    /// A replacement worker was requested.
    #[n(3)]
    Recycle {
        /// The reason.
        #[serde(rename = "text")]
        #[n(0)]
        reason: String,
    },
    /// The process shut down, as no measure helped and no replacement was possible.
    #[n(4)]
    Shutdown,
    /// New requests were refused; recorded when the refusals end.
    #[n(5)]
    Shed {
        /// Requests that were refused.
        #[n(0)]
        refused: u64,
        /// Duration of the refusals, in milliseconds.
        #[n(1)]
        duration_ms: u64,
    },
    /// A handler panicked; its request was answered with 500.
    #[n(6)]
    Panic {
        /// The message and the location, at most [`MAX_TEXT`] bytes.
        #[serde(rename = "text")]
        #[n(0)]
        message: String,
    },
    /// The memory limit changed.
    #[n(7)]
    Limit {
        /// The limit before.
        #[n(0)]
        before: Bytes,
        /// The limit now.
        #[n(1)]
        after: Bytes,
    },
    /// The process was requested to stop.
    #[n(8)]
    Stop {
        /// The source: the name of a signal.
        #[serde(rename = "text")]
        #[n(0)]
        by: String,
    },
    /// The live memory of a function grows, as the agent of a guarded program found.
    #[n(10)]
    Growth {
        /// The function and its place, such as `listOrders (orders.js:12)`.
        #[serde(rename = "text")]
        #[n(0)]
        function: String,
        /// By how much it grew.
        #[n(1)]
        growth: Bytes,
        /// Time over which it grew, in milliseconds.
        #[n(2)]
        duration_ms: u64,
    },
    /// A kind that a newer version added.
    #[serde(other)]
    #[n(9)]
    Other,
}

impl Event {
    /// Cuts the text of an untrusted event to [`MAX_TEXT`] bytes.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        if let EventKind::Recycle { reason: text }
        | EventKind::Panic { message: text }
        | EventKind::Stop { by: text }
        | EventKind::Growth { function: text, .. } = &mut self.kind
        {
            *text = cut(text);
        }
        self
    }
}

/// Returns `text`, cut to at most [`MAX_TEXT`] bytes between two characters, without the characters that would change how the text
/// around it is shown: control characters, which a terminal executes, except line breaks and tabs, and marks that
/// [change the direction](changes_direction) of what follows.
#[must_use]
pub fn cut(text: &str) -> String {
    let is_shown =
        |char: &char| matches!(char, '\n' | '\t') || !char.is_control() && !changes_direction(*char);
    text[..text.floor_char_boundary(MAX_TEXT)].chars().filter(is_shown).collect()
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
    fn every_kind_round_trips() {
        let (before, after) = (Bytes(7), Bytes(9));
        let kinds = [
            EventKind::Started,
            EventKind::Pressure { from: Pressure::Shed, to: Pressure::Calm, memory: Bytes(5) },
            EventKind::Purge { before, after, duration_ms: 3 },
            EventKind::Recycle { reason: "by hand".into() },
            EventKind::Shutdown,
            EventKind::Shed { refused: 4, duration_ms: 900 },
            EventKind::Panic { message: "\"quoted\"".into() },
            EventKind::Limit { before, after },
            EventKind::Stop { by: "SIGTERM".into() },
            EventKind::Other,
            EventKind::Growth {
                function: "listOrders (orders.js:12)".into(),
                growth: Bytes(9),
                duration_ms: 5000,
            },
        ];
        for kind in kinds {
            let event = Event { at: UnixMillis(-1), kind };
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
        }
    }

    #[test]
    fn an_unknown_kind_is_other() {
        let event: Event = serde_json::from_str(r#"{"at":3,"kind":"compacted","heap":5}"#).unwrap();
        assert_eq!(event, Event { at: UnixMillis(3), kind: EventKind::Other });
    }

    #[test]
    fn untrusted_text_changes_neither_a_terminal_nor_the_direction_of_writing() {
        assert_eq!(cut("line 1\n\tline 2"), "line 1\n\tline 2");
        assert_eq!(cut("\u{1b}]0;title\u{7}\u{1b}[31mred\r\u{9b}0m"), "]0;title[31mred0m");
        assert_eq!(cut("up \u{202e}nwod\u{202c} \u{2067}x\u{2069} \u{200f}\u{61c}y"), "up nwod x y");
        assert_eq!(
            cut("שלום 日本 👩\u{200d}🔬"),
            "שלום 日本 👩\u{200d}🔬",
            "a joiner is part of a character"
        );
    }

    #[test]
    fn untrusted_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"é".repeat(200));
        assert_eq!(cut, "é".repeat(150));
        let odd = super::cut(&format!("a{}", "é".repeat(200)));
        assert_eq!(odd.len(), 299);
    }
}
