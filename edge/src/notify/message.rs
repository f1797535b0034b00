//! What an alert says, whoever delivers it.

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::domain::incident::notification::Occasion;
use crate::domain::incident::{Incident, Severity};
use crate::domain::instant;
use crate::domain::instant::rfc3339;

/// Longest text, in bytes; what does not fit is left out whole.
const LONGEST: usize = 1500;

/// Most lines of evidence.
const MOST_EVIDENCE: usize = 5;

/// One message to one channel.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Message {
    /// The same for every try, another for every message.
    #[n(0)]
    pub key: String,
    /// The incident, which services that keep one of their own know it by.
    #[n(1)]
    pub incident: String,
    /// The monitor's id.
    #[n(2)]
    pub monitor: String,
    /// Its name for people.
    #[n(3)]
    pub name: String,
    /// What happened to the incident.
    #[n(4)]
    pub occasion: Occasion,
    /// How bad it is, or was.
    #[n(5)]
    pub severity: Severity,
    /// One line: `API is down: connection refused`.
    #[n(6)]
    pub title: String,
    /// Since when, why, evidence, link.
    #[n(7)]
    pub text: String,
    /// The page, where its address is known.
    #[n(8)]
    pub link: Option<String>,
    /// When the incident began, RFC 3339.
    #[n(9)]
    pub since: String,
    /// When this was written.
    #[n(10)]
    pub at: UnixMillis,
}

impl Message {
    /// Tells of an incident. `page`: the address of the status page.
    pub fn new(
        incident: &Incident,
        name: &str,
        occasion: Occasion,
        at: UnixMillis,
        page: Option<&str>,
    ) -> Message {
        let why = incident.cause.statement().text;
        let title = match (occasion, incident.severity) {
            (Occasion::Recovered, _) if ended_otherwise(incident).is_some() => {
                format!("{name}: {}", ended_otherwise(incident).unwrap_or_default())
            }
            (Occasion::Recovered, _) => format!("{name} has recovered"),
            (Occasion::Reminder, severity) => format!("{name} {} still: {why}", is(severity)),
            (_, Severity::Crashed) => format!("{name} died and came back: {why}"),
            (_, severity) => format!("{name} {}: {why}", is(severity)),
        };
        let link = page.map(|page| format!("{}/monitors/{}", page.trim_end_matches('/'), incident.monitor));
        let began = incident.opened;
        let mut lines = match (occasion, incident.closed) {
            (Occasion::Recovered, Some(closed)) => vec![
                format!(
                    "From {} to {}, {}.",
                    rfc3339(began),
                    rfc3339(closed),
                    instant::format_duration_english(closed.since(began).as_secs())
                ),
                format!("Why: {why}."),
            ],
            _ => vec![format!(
                "Since {}, {}.",
                rfc3339(began),
                instant::format_duration_english(at.since(began).as_secs())
            )],
        };
        lines.extend(
            incident.evidence.iter().take(MOST_EVIDENCE).map(|line| format!("- {}", one_line(&line.text))),
        );
        let mut text = String::new();
        for line in lines {
            if text.len() + line.len() < LONGEST {
                text.push_str(&line);
                text.push('\n');
            }
        }
        Message {
            key: format!("{}:{}", incident.id(), incident.notified.count),
            incident: incident.id().to_string(),
            monitor: incident.monitor.as_str().to_owned(),
            name: name.to_owned(),
            occasion,
            severity: incident.severity,
            title: one_line(&title),
            text: text.trim_end().to_owned(),
            link,
            since: rfc3339(began),
            at,
        }
    }

    /// One message for many that began together. `all` has at least one.
    pub fn merge(all: &[Message]) -> Option<Message> {
        let first = all.first()?;
        let names: Vec<_> = all.iter().map(|message| message.name.as_str()).collect();
        let mut text = String::new();
        for message in all {
            let line = format!("- {}\n", message.title);
            if text.len() + line.len() < LONGEST {
                text.push_str(&line);
            }
        }
        Some(Message {
            key: format!("{}+{}", first.key, all.len() - 1),
            title: format!("{} monitors have trouble: {}", all.len(), cut(&names.join(", "), 200)),
            text: text.trim_end().to_owned(),
            severity: all.iter().map(|message| message.severity).max().unwrap_or(first.severity),
            ..first.clone()
        })
    }
}

/// Why an incident ended, where that was not because all checks pass again.
fn ended_otherwise(incident: &Incident) -> Option<&str> {
    let last = &incident.timeline.back()?.what;
    ["maintenance-began", "resolved"].contains(&last.code.as_str()).then_some(last.text.as_str())
}

fn is(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "runs short of memory",
        Severity::Degraded => "is degraded",
        Severity::Crashed => "crashed",
        Severity::Down => "is down",
    }
}

/// Text of a server in a line of ours: no line breaks or other control characters.
fn one_line(text: &str) -> String {
    cut(&text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>(), 300)
}

/// At most `most` bytes, cut between two characters.
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(most.saturating_sub(3))])
}
