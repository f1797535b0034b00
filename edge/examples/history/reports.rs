//! A signed server's reports of a day, one a minute, each with the samples of the last forty minutes: what a server that keeps
//! a ring tells whoever asks. After a death they hold what the flight recorder does of the life before as well, as a server
//! tells it to somebody who has read that one: whatever the cursor is, so that whoever reads has to take what is new. A line each, `{"at":<ms>,"body":"…"}`; who serves them signs them.

use heapbeat_shared::UnixMillis;
use heapbeat_shared::report::{Block, LastSamples};
use serde_json::{Value, json};

use crate::last_day::{climbed, signed};
use crate::memory::Lives;
use crate::story::{Episode, What};
use crate::{HOUR, MINUTE};

/// What the ring holds.
const RING: i64 = 40 * MINUTE;

/// What the flight recorder holds.
const RECORDED: i64 = 512 * 1000;

/// The reports that `{"from":<ms>,"until":<ms>,"deaths":[[<ms>,<ms>],…]}` asks for; with `"ring":<ms>`, each has the samples of
/// that long.
pub(crate) fn told(wanted: &Value) -> Option<String> {
    let (from, until) = (wanted.get("from")?.as_i64()?, wanted.get("until")?.as_i64()?);
    let ring = wanted.get("ring").and_then(Value::as_i64).unwrap_or(RING);
    let mut episodes = Vec::new();
    for death in wanted.get("deaths")?.as_array()? {
        let (from, to) = (death.get(0)?.as_i64()?, death.get(1)?.as_i64()?);
        episodes.push(Episode { from, to, what: What::Death });
    }
    // Long enough ago that no deploy falls into the day.
    let lives = Lives::new(0, from - 3 * HOUR, until, &episodes);
    let mut out = String::new();
    for at in (from..=until).step_by(60_000) {
        let mut report = signed(&lives, at - ring, at)?.report;
        let (life, before) = lives.at(at)?;
        let recorded = before.and_then(|gone| lives.runs(gone.to - RECORDED, gone.to, 1000).pop());
        report.last_samples =
            recorded.map(|run| LastSamples { instance: run.instance, samples: Block::of(&run.series, 0) });
        let minutes = (at - ring..at).step_by(60_000);
        report.events = minutes.filter_map(|at| climbed(&lives, life, at, at + MINUTE)).collect();
        report.now = UnixMillis(at);
        let body = String::from_utf8(report.to_json()).ok()?;
        out.push_str(&json!({ "at": at, "body": body }).to_string());
        out.push('\n');
    }
    Some(out)
}
