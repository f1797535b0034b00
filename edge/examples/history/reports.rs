//! Generates a signed server's reports of a day, one a minute, each with the samples of the last forty minutes, as a server that keeps a
//! ring sends them. After a crash they also hold the flight recorder's samples of the previous instance, whatever the cursor is, so that
//! the reader has to find what is new. Each is a line `{"at":<ms>,"body":"…"}`, which the test server signs.

use heapbeat_shared::UnixMillis;
use heapbeat_shared::report::{Block, LastSamples};
use serde_json::{Value, json};

use crate::last_day::{pressure_event, verified_report};
use crate::memory::Instances;
use crate::scenario::{Episode, EpisodeKind};
use crate::{HOUR, MINUTE};

/// The time that the ring holds.
const RING: i64 = 40 * MINUTE;

/// The time that the flight recorder holds.
const RECORDED: i64 = 512 * 1000;

/// Generates the reports that `{"from":<ms>,"until":<ms>,"deaths":[[<ms>,<ms>],…]}` asks for. `"ring":<ms>` is the time that the ring
/// holds.
pub(crate) fn generate_reports(request: &Value) -> Option<String> {
    let (from, until) = (request.get("from")?.as_i64()?, request.get("until")?.as_i64()?);
    let ring = request.get("ring").and_then(Value::as_i64).unwrap_or(RING);
    let mut episodes = Vec::new();
    for death in request.get("deaths")?.as_array()? {
        let (from, to) = (death.get(0)?.as_i64()?, death.get(1)?.as_i64()?);
        episodes.push(Episode { from, to, kind: EpisodeKind::Crash });
    }
    // The start is so early that no deploy falls into the day.
    let instances = Instances::new(0, from - 3 * HOUR, until, &episodes);
    let mut out = String::new();
    for at in (from..=until).step_by(60_000) {
        let mut report = verified_report(&instances, at - ring, at)?.report;
        let (instance, before) = instances.instance_at(at)?;
        let recorded = before.and_then(|gone| instances.runs(gone.to - RECORDED, gone.to, 1000).pop());
        report.last_samples =
            recorded.map(|run| LastSamples { instance: run.instance, samples: Block::of(&run.series, 0) });
        let minutes = (at - ring..at).step_by(60_000);
        report.events =
            minutes.filter_map(|at| pressure_event(&instances, instance, at, at + MINUTE)).collect();
        report.now = UnixMillis(at);
        let body = String::from_utf8(report.to_json()).ok()?;
        out.push_str(&json!({ "at": at, "body": body }).to_string());
        out.push('\n');
    }
    Some(out)
}
