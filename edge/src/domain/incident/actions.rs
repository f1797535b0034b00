//! What people do to an incident: add a note, acknowledge it, resolve it.
//!
//! A resolved incident stays resolved while the same trouble goes on. A worse severity, or trouble that returns after the
//! monitor was up, opens another one.

use heapbeat_shared::{Statement, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::incident::{Incident, ManualResolution};

/// The longest note, in bytes.
const MAX_NOTE: usize = 280;

/// The most characters of an invalid note in its error.
const MAX_SHOWN: usize = 60;

/// The changes that somebody on call makes to an incident.
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
    /// Whether the incident is acknowledged, which stops reminders.
    pub acknowledge: bool,
    /// Whether the incident is resolved.
    pub resolve: bool,
}

/// A note: one line of 1 to 280 bytes, without space around it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

/// A text that is not a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` must be one line of 1 to {MAX_NOTE} bytes")]
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

/// An incident that is closed cannot be acknowledged or resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The incident is resolved already; only notes can be added.")]
pub struct IncidentClosedError;

impl IncidentUpdate {
    /// Applies the changes to `incident` at `at`.
    pub fn apply(&self, incident: &mut Incident, at: UnixMillis) -> Result<(), IncidentClosedError> {
        if (self.acknowledge || self.resolve) && incident.closed.is_some() {
            return Err(IncidentClosedError);
        }
        if let Some(note) = &self.note {
            incident.add_timeline_entry(at, Statement::note(&note.0));
        }
        if self.acknowledge && !incident.acknowledged {
            incident.acknowledged = true;
            incident.add_timeline_entry(at, Statement::acknowledged());
        }
        if self.resolve {
            incident.resolution = Some(match incident.current {
                Some(severity) => ManualResolution::ProblemPersists(severity),
                None => ManualResolution::ProblemOver,
            });
            incident.close(at);
            incident.add_timeline_entry(at, Statement::resolved());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Failure;
    use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
    use crate::domain::engine::tests::notified_reasons;
    use crate::domain::engine::{Engine, Tick};
    use crate::domain::incident::notification::tests::PromptRecipient;
    use crate::domain::incident::notification::{EndReason, NotificationReason};
    use crate::monitor_config::MonitorConfig;

    fn probe(at: UnixMillis, result: Result<u64, Failure>) -> ProbeResult {
        let response = |ms| ProbeResponse::new(200, Duration::from_millis(ms), ResponseBody::Unread);
        let result = result.map(response).map_err(Into::into);
        ProbeResult { monitor: "a".parse().unwrap(), received: at, result }
    }

    /// Runs a timeline, one letter a minute: `u`p, `d`own, `g`: degraded; `A` acknowledges and `R` resolves the open incident
    /// between two ticks. Returns what is notified, and the number of incidents.
    fn run(minutes: &str) -> (Vec<NotificationReason>, usize) {
        let entry =
            r#"[{"id":"a","kind":"http","url":"https://a.example","degraded":["[RESPONSE_TIME] < 100"]}]"#;
        let config = MonitorConfig::parse(Some(entry), false);
        let (mut engine, mut notified, mut opened) = (Engine::default(), Vec::new(), Vec::new());
        let mut recipient = PromptRecipient::with_reminder(Duration::from_secs(300));
        let mut minute = 0;
        for letter in minutes.chars() {
            let at = UnixMillis(minute * 60_000);
            if letter.is_uppercase() {
                let mut incident = engine.latest_incident(&"a".parse().unwrap()).unwrap().clone();
                let update =
                    IncidentUpdate { acknowledge: letter == 'A', resolve: letter == 'R', note: None };
                update.apply(&mut incident, at).unwrap();
                engine.replace_incident(incident);
                continue;
            }
            minute += 1;
            let result = match letter {
                'd' => Err(Failure::ConnectionRefused),
                'g' => Ok(500),
                _ => Ok(5),
            };
            let commit = engine.apply_tick(&config, Tick { at, received: at }, &[probe(at, result)]);
            notified.extend(notified_reasons(&engine, &mut recipient, at));
            for incident in commit.incidents {
                if !opened.contains(&incident.opened) {
                    opened.push(incident.opened);
                }
            }
        }
        (notified, opened.len())
    }

    #[test]
    fn a_resolved_incident_stays_closed_until_the_problem_gets_worse_or_returns() {
        use NotificationReason::{Opened, Reminder, Worse};
        let resolved = NotificationReason::Ended(EndReason::Resolved);
        let cases = [
            ("a reminder after five minutes", "udddddd", vec![Opened, Reminder], 1),
            ("no reminder once it is acknowledged", "udAddddd", vec![Opened], 1),
            ("resolved, and it goes on", "uddRddddddd", vec![Opened, resolved], 1),
            ("resolved, up, and down again", "uddRdduud", vec![Opened, resolved, Opened], 1),
            ("resolved, and it becomes worse", "uggRggd", vec![Opened, resolved, Opened], 1),
            ("worse, without an action", "uggd", vec![Opened, Worse], 1),
        ];
        for (name, minutes, notified, incidents) in cases {
            assert_eq!(run(minutes), (notified, incidents), "{name}");
        }
    }

    #[test]
    fn only_notes_can_be_added_to_a_closed_incident() {
        let config =
            MonitorConfig::parse(Some(r#"[{"id":"a","kind":"http","url":"https://a.example"}]"#), false);
        let mut engine = Engine::default();
        for (minute, result) in [(0, Err(Failure::ConnectionRefused)), (1, Ok(0))] {
            let at = UnixMillis(minute * 60_000);
            let _ = engine.apply_tick(&config, Tick { at, received: at }, &[probe(at, result)]);
        }
        let mut incident = engine.latest_incident(&"a".parse().unwrap()).unwrap().clone();
        let at = UnixMillis(120_000);
        let note = |text: &str| Some(Note::try_from(text.to_owned()).unwrap());
        let resolve = IncidentUpdate { resolve: true, ..IncidentUpdate::default() };
        let acknowledge = IncidentUpdate { acknowledge: true, note: note("x"), ..IncidentUpdate::default() };
        for update in [resolve, acknowledge] {
            assert_eq!(update.apply(&mut incident, at), Err(IncidentClosedError), "{update:?}");
        }
        let comment = IncidentUpdate { note: note("it was the disk"), ..IncidentUpdate::default() };
        comment.apply(&mut incident, at).unwrap();
        assert_eq!(incident.timeline.back().unwrap().message.text, "note: it was the disk");
    }
}
