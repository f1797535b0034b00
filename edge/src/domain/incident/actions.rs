//! What people do to an incident: add a note, take it in hand, say that it is over.
//!
//! One that somebody closed stays closed while the same trouble goes on; it takes something worse, or a return of the
//! trouble after all was well, to open one again.

use heapbeat_shared::{Statement, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::incident::Incident;

/// Longest note, in bytes.
const LONGEST_NOTE: usize = 280;

/// What somebody on call asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IncidentUpdate {
    /// A line for the timeline.
    pub note: Option<String>,
    /// They have it in hand: no more reminders.
    pub acknowledge: bool,
    /// It is over.
    pub resolve: bool,
}

impl IncidentUpdate {
    /// Reads `{"note":"…","acknowledge":true,"resolve":true}`, of which at least one is there.
    pub fn parse(text: &str) -> Result<IncidentUpdate, String> {
        let right =
            r#"the body is {"note":"…"}, {"acknowledge":true} or {"resolve":true}, or some of them together"#;
        let Ok(Value::Object(body)) = serde_json::from_str::<Value>(text) else {
            return Err(right.to_owned());
        };
        let mut orders = IncidentUpdate::default();
        for (name, value) in &body {
            match (name.as_str(), value) {
                ("note", Value::String(note)) => {
                    let note = note.trim();
                    if note.is_empty() || note.len() > LONGEST_NOTE || note.chars().any(char::is_control) {
                        return Err(format!("a note is one line of 1 to {LONGEST_NOTE} bytes"));
                    }
                    orders.note = Some(note.to_owned());
                }
                ("acknowledge", Value::Bool(true)) => orders.acknowledge = true,
                ("resolve", Value::Bool(true)) => orders.resolve = true,
                _ => return Err(right.to_owned()),
            }
        }
        if orders == IncidentUpdate::default() { Err(right.to_owned()) } else { Ok(orders) }
    }

    /// Does it at `at`. An error says why it cannot be done.
    pub fn apply(&self, incident: &mut Incident, at: UnixMillis) -> Result<(), &'static str> {
        if (self.acknowledge || self.resolve) && incident.closed.is_some() {
            return Err("it is over already; notes can still be added");
        }
        if let Some(note) = &self.note {
            incident.note(at, Statement::new("note", format!("note: {note}")));
        }
        if self.acknowledge && !incident.notice.acknowledged {
            incident.notice.acknowledged = true;
            incident.note(at, Statement::new("acknowledged", "acknowledged"));
        }
        if self.resolve {
            incident.closed = Some(at);
            incident.resolved = Some(true);
            incident.note(at, Statement::new("resolved", "resolved manually"));
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

    #[test]
    fn bodies() {
        let right = [
            (
                r#"{"note":" a deploy "}"#,
                IncidentUpdate { note: Some("a deploy".into()), ..IncidentUpdate::default() },
            ),
            (r#"{"acknowledge":true}"#, IncidentUpdate { acknowledge: true, ..IncidentUpdate::default() }),
            (
                r#"{"resolve":true,"note":"x"}"#,
                IncidentUpdate { resolve: true, note: Some("x".into()), ..IncidentUpdate::default() },
            ),
        ];
        for (body, orders) in right {
            assert_eq!(IncidentUpdate::parse(body), Ok(orders), "{body}");
        }
        let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(281));
        for body in [
            "",
            "{}",
            "[]",
            r#"{"resolve":false}"#,
            r#"{"note":""}"#,
            r#"{"note":"a\nb"}"#,
            r#"{"close":true}"#,
            &long,
        ] {
            assert!(IncidentUpdate::parse(body).is_err(), "{body}");
        }
    }

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
        for body in [r#"{"resolve":true}"#, r#"{"acknowledge":true,"note":"x"}"#] {
            assert!(IncidentUpdate::parse(body).unwrap().apply(&mut incident, at).is_err(), "{body}");
        }
        IncidentUpdate::parse(r#"{"note":"it was the disk"}"#).unwrap().apply(&mut incident, at).unwrap();
        assert_eq!(incident.timeline.back().unwrap().what.text, "note: it was the disk");
    }
}
