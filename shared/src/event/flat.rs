//! An event on the wire: one object with a `kind` and whatever belongs to it.
//!
//! One struct reads and writes all kinds.

use serde::Serialize;
use serde_json::Value;

use super::{Event, EventKind};
use crate::pressure::Pressure;
use crate::units::{Bytes, UnixMillis};
use crate::wire;
use crate::wire::{Wire, WireError};

/// All that any kind has.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Flat {
    at: UnixMillis,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Pressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Pressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasted_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl From<Event> for Flat {
    fn from(Event { at, kind }: Event) -> Flat {
        let of = |kind: &str| Flat { at, kind: kind.to_owned(), ..Flat::default() };
        let with = |kind: &str, text| Flat { text: Some(text), ..of(kind) };
        match kind {
            EventKind::Started => of("started"),
            EventKind::Pressure { from, to, memory } => {
                Flat { from: Some(from), to: Some(to), memory: Some(memory), ..of("pressure") }
            }
            EventKind::Purge { before, after, took_ms } => {
                Flat { before: Some(before), after: Some(after), took_ms: Some(took_ms), ..of("purge") }
            }
            EventKind::Recycle { reason } => with("recycle", reason),
            EventKind::Leave => of("leave"),
            EventKind::Shed { refused, lasted_ms } => {
                Flat { refused: Some(refused), lasted_ms: Some(lasted_ms), ..of("shed") }
            }
            EventKind::Panic { message } => with("panic", message),
            EventKind::Limit { before, after } => {
                Flat { before: Some(before), after: Some(after), ..of("limit") }
            }
            EventKind::Stop { by } => with("stop", by),
            EventKind::Other => of("other"),
        }
    }
}

wire::object! {
    Flat { at, kind, from, to, memory, before, after, took_ms, refused, lasted_ms, text }
}

impl Wire for Event {
    fn read(value: &Value) -> Result<Event, WireError> {
        Flat::read(value).map(Event::from)
    }
}

impl From<Flat> for Event {
    fn from(flat: Flat) -> Event {
        let text = flat.text.unwrap_or_default();
        let (before, after) = (flat.before.unwrap_or_default(), flat.after.unwrap_or_default());
        let kind = match (flat.kind.as_str(), flat.from, flat.to) {
            ("started", ..) => EventKind::Started,
            ("pressure", Some(from), Some(to)) => {
                EventKind::Pressure { from, to, memory: flat.memory.unwrap_or_default() }
            }
            ("purge", ..) => EventKind::Purge { before, after, took_ms: flat.took_ms.unwrap_or_default() },
            ("recycle", ..) => EventKind::Recycle { reason: text },
            ("leave", ..) => EventKind::Leave,
            ("shed", ..) => EventKind::Shed {
                refused: flat.refused.unwrap_or_default(),
                lasted_ms: flat.lasted_ms.unwrap_or_default(),
            },
            ("panic", ..) => EventKind::Panic { message: text },
            ("limit", ..) => EventKind::Limit { before, after },
            ("stop", ..) => EventKind::Stop { by: text },
            _ => EventKind::Other,
        };
        Event { at: flat.at, kind }
    }
}
