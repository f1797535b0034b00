//! What people do to an incident: add a note, acknowledge it, resolve it.
//!
//! A resolved incident stays resolved while the same trouble goes on. A worse severity, or trouble that returns after the
//! monitor was up, opens another one.

use heapbeat_shared::{Statement, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::incident::Incident;

/// The longest note, in bytes.
const MAX_NOTE: usize = 280;

/// The most characters of an invalid note in its error.
const MAX_SHOWN: usize = 60;

/// Changes of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "an object")]
#[schemars(extend("minProperties" = 1))]
pub struct IncidentUpdate {
    /// A line for the timeline, of at most 280 bytes.
    #[schemars(
        with = "Option<String>",
        length(max = 280),
        regex(
            pattern = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
        )
    )]
    pub note: Option<Note>,
    /// Somebody works on it; reminders stop.
    pub acknowledge: bool,
    /// The incident is over.
    pub resolve: bool,
}

/// A note: one line of 1 to 280 bytes, without space around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

/// A text that is not a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one line of 1 to {MAX_NOTE} bytes")]
pub struct NoteError(String);

impl TryFrom<String> for Note {
    type Error = NoteError;

    fn try_from(text: String) -> Result<Self, NoteError> {
        let note = text.trim();
        if note.is_empty() || note.len() > MAX_NOTE || note.chars().any(char::is_control) {
            return Err(NoteError(note.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect()));
        }
        Ok(Note(note.to_owned()))
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}

impl IncidentUpdate {
    /// Applies the changes at `at`. The error says why they cannot be made.
    pub fn apply(&self, incident: &mut Incident, at: UnixMillis) -> Result<(), &'static str> {
        if (self.acknowledge || self.resolve) && incident.closed.is_some() {
            return Err("The incident is resolved already; only notes can be added.");
        }
        if let Some(note) = &self.note {
            incident.note(at, Statement::note(&note.0));
        }
        if self.acknowledge && !incident.notice.acknowledged {
            incident.notice.acknowledged = true;
            incident.note(at, Statement::acknowledged());
        }
        if self.resolve {
            incident.closed = Some(at);
            incident.resolved = Some(true);
            incident.note(at, Statement::resolved());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::Failure;
    use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
    use crate::domain::engine::{Engine, Tick};
    use crate::domain::incident::Occasion;
    use crate::notify::Channels;

    /// One letter a minute: `u`p, `d`own, `g`: degraded; `A` acknowledges and `R` resolves what is open, between two ticks.
    /// Gives the occasions, and how many incidents there were.
    fn run(minutes: &str) -> (Vec<Occasion>, usize) {
        let entry =
            r#"[{"id":"a","kind":"http","url":"https://a.example","degraded":["[RESPONSE_TIME] < 100"]}]"#;
        let config = Config::parse(Some(entry), false);
        let channels =
            Channels::parse(Some(r#"[{"id":"ops","kind":"slack","secret":"S","reminder":"5m"}]"#), false);
        let (mut board, mut told, mut opened) = (Engine::default(), Vec::new(), Vec::new());
        let mut minute = 0;
        for letter in minutes.chars() {
            let at = UnixMillis(minute * 60_000);
            if letter.is_uppercase() {
                let mut incident = board.incident(&"a".parse().unwrap()).unwrap().clone();
                let orders =
                    IncidentUpdate { acknowledge: letter == 'A', resolve: letter == 'R', note: None };
                orders.apply(&mut incident, at).unwrap();
                board.amend_incident(incident);
                continue;
            }
            minute += 1;
            let latency = std::time::Duration::from_millis(if letter == 'g' { 500 } else { 5 });
            let answer = ProbeResponse { status: 200, latency, body: ResponseBody::Unread, report: None };
            let result = if letter == 'd' { Err(Failure::Refused.into()) } else { Ok(answer) };
            let probes = [ProbeResult { monitor: "a".parse().unwrap(), heard: at, result }];
            let mut commit = board.take(&config, Tick { at, came: at }, &probes);
            board.tell(&config, (&channels, &[]), None, &mut commit);
            told.extend(commit.alerts.iter().map(|(_, message)| message.occasion));
            for incident in commit.incidents {
                if !opened.contains(&incident.opened) {
                    opened.push(incident.opened);
                }
            }
        }
        (told, opened.len())
    }

    #[test]
    fn timelines() {
        use Occasion::{Opened, Recovered, Reminder, Worse};
        let cases = [
            ("a reminder after five minutes", "udddddd", vec![Opened, Reminder], 1),
            ("none where somebody has it in hand", "udAddddd", vec![Opened], 1),
            ("resolved, and it goes on", "uddRddddddd", vec![Opened, Recovered], 1),
            ("resolved, and it was well, and is down again", "uddRdduud", vec![Opened, Recovered, Opened], 1),
            ("resolved, and it becomes worse", "uggRggd", vec![Opened, Recovered, Opened], 1),
            ("worse without a hand in it", "uggd", vec![Opened, Worse], 1),
        ];
        for (name, minutes, told, incidents) in cases {
            assert_eq!(run(minutes), (told, incidents), "{name}");
        }
    }

    #[test]
    fn what_is_over_takes_notes_only() {
        let config = Config::parse(Some(r#"[{"id":"a","kind":"http","url":"https://a.example"}]"#), false);
        let mut board = Engine::default();
        for (minute, up) in [(0, false), (1, true)] {
            let at = UnixMillis(minute * 60_000);
            let answer = ProbeResponse {
                status: 200,
                latency: std::time::Duration::ZERO,
                body: ResponseBody::Unread,
                report: None,
            };
            let result = if up { Ok(answer) } else { Err(Failure::Refused.into()) };
            let probes = [ProbeResult { monitor: "a".parse().unwrap(), heard: at, result }];
            let _ = board.take(&config, Tick { at, came: at }, &probes);
        }
        let mut incident = board.incident(&"a".parse().unwrap()).unwrap().clone();
        let at = UnixMillis(120_000);
        let note = |text: &str| Some(Note::try_from(text.to_owned()).unwrap());
        let resolve = IncidentUpdate { resolve: true, ..IncidentUpdate::default() };
        let acknowledge = IncidentUpdate { acknowledge: true, note: note("x"), ..IncidentUpdate::default() };
        for update in [resolve, acknowledge] {
            assert!(update.apply(&mut incident, at).is_err(), "{update:?}");
        }
        let comment = IncidentUpdate { note: note("it was the disk"), ..IncidentUpdate::default() };
        comment.apply(&mut incident, at).unwrap();
        assert_eq!(incident.timeline.back().unwrap().what.text, "note: it was the disk");
    }
}
