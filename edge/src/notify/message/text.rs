//! The title and the text of a message about an incident.

use heapbeat_shared::text::{shorten, single_line};
use heapbeat_shared::{Statement, UnixMillis};

use super::IncidentNews;
use super::batch::list_names;
use crate::domain::incident::notification::{EndReason, NotificationReason};
use crate::domain::incident::phase::PhaseState;
use crate::domain::incident::{Incident, ManualResolution, Severity};
use crate::domain::instant::{format_duration_english, rfc3339};

/// The maximum length of the text, in bytes; a line that does not fit is left out.
pub(super) const MAX_TEXT: usize = 1500;

/// The maximum length of a line, in bytes.
const MAX_LINE: usize = 300;

/// The maximum number of lines of evidence.
const MAX_EVIDENCE: usize = 5;

/// The maximum length of a list of names in a line, in bytes.
const MAX_NAMES: usize = 200;

/// Returns the title: `API is down: connection refused`.
pub(super) fn title_of_incident(news: &IncidentNews<'_>) -> String {
    let IncidentNews { incident, name, reason, .. } = *news;
    let (severity, cause) = incident.headline();
    let problem = || severity.title(name, &cause.statement().text);
    match reason {
        NotificationReason::Reminder => format!("Reminder: {}", problem()),
        NotificationReason::Ended(reason) => match reason {
            EndReason::Resolved => format!("{name}: {}", Statement::resolved().text),
            EndReason::Maintenance => format!("{name}: {}", Statement::maintenance_began().text),
            EndReason::Removed => format!("{name}: {}", Statement::monitor_removed().text),
            EndReason::Rescheduled => format!("{name}: {}", Statement::job_rescheduled().text),
            EndReason::Superseded => format!("{name}: {}", Statement::incident_superseded().text),
            EndReason::Elsewhere if news.is_channel => {
                format!("{name}: its alerts no longer go to this channel")
            }
            EndReason::Elsewhere => format!("{name}: no further notifications about this monitor"),
        },
        // A recovery that is told while the monitor has trouble again would read as if all were well.
        NotificationReason::Recovered if news.is_latest => format!("{name} has recovered"),
        NotificationReason::Recovered | NotificationReason::Past => {
            let range = range_of(incident);
            let cause = cause.statement().text;
            match incident.severity {
                Severity::Down => format!("{name} was down {range}: {cause}"),
                Severity::Degraded => format!("{name} was degraded {range}: {cause}"),
                Severity::Crashed | Severity::Warning => format!("{}, {range}", problem()),
            }
        }
        _ => problem(),
    }
}

/// Returns the text: the cause, since when, how long each state held, whom it explains, and the evidence.
pub(super) fn describe_incident(news: &IncidentNews<'_>, at: UnixMillis) -> String {
    let IncidentNews { incident, reason, .. } = *news;
    if !news.is_channel && reason == NotificationReason::Ended(EndReason::Elsewhere) {
        return format!(
            "The incident that began at {} is no longer reported here.",
            rfc3339(incident.opened)
        );
    }
    let mut lines = vec![format!("Cause: {}.", incident.headline().1.statement().text)];
    lines.push(match incident.closed {
        Some(closed) => {
            let lasted = format_duration_english(closed.since(incident.opened).as_secs());
            format!("From {} to {} ({lasted}).", rfc3339(incident.opened), rfc3339(closed))
        }
        None => match at.since(incident.opened).as_secs() {
            0 => format!("Since {}.", rfc3339(incident.opened)),
            seconds => {
                format!("Since {} ({}).", rfc3339(incident.opened), format_duration_english(seconds))
            }
        },
    });
    lines.extend(durations(incident, at));
    lines.extend(continuation(news));
    if !news.behind.is_empty() {
        let names = list_names(news.behind.iter().copied(), MAX_NAMES);
        lines.push(match news.behind.len() {
            1 => format!("1 monitor that depends on it is affected: {names}."),
            count => format!("{count} monitors that depend on it are affected: {names}."),
        });
    }
    let evidence = incident.headline_evidence().iter().take(MAX_EVIDENCE);
    lines.extend(evidence.map(|line| format!("- {}", line.text)));
    join_lines(lines)
}

/// What was so before, or goes on in spite of the message.
fn continuation(news: &IncidentNews<'_>) -> Option<String> {
    let IncidentNews { incident, reason, .. } = *news;
    match (reason, news.told, incident.resolution) {
        (NotificationReason::Worse | NotificationReason::Better, Some(told), _) => {
            Some(format!("It was {} before.", adjective(told)))
        }
        (_, _, Some(ManualResolution::ProblemPersists(severity))) => {
            Some(format!("It was still {} when the incident was resolved.", adjective(severity)))
        }
        (NotificationReason::Ended(EndReason::Elsewhere | EndReason::Removed), _, _) => {
            incident.current.map(|current| format!("It is still {}.", adjective(current)))
        }
        _ => None,
    }
}

/// How long each state held, if there was more than one: `Down for 3 min, degraded for 31 min.`
fn durations(incident: &Incident, at: UnixMillis) -> Option<String> {
    let held = incident.durations(at);
    let named: Vec<String> = held
        .iter()
        .filter(|(state, millis)| state.is_trouble() && *millis >= 1000)
        .map(|(state, millis)| {
            let state = match state {
                PhaseState::Warning => "short of memory",
                other => other.as_str(),
            };
            format!("{state} for {}", format_duration_english(millis / 1000))
        })
        .collect();
    if held.len() < 2 || named.is_empty() {
        return None;
    }
    let list = named.join(", ");
    // The names of states are ASCII.
    Some(format!("{}{}.", list[..1].to_ascii_uppercase(), &list[1..]))
}

const fn adjective(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "short of memory",
        Severity::Degraded => "degraded",
        Severity::Crashed => "restarting after a crash",
        Severity::Down => "down",
    }
}

/// `from 2026-01-01T00:00:00Z to 2026-01-01T00:20:00Z`, and what ended the incident, unless the monitor recovered.
fn range_of(incident: &Incident) -> String {
    let closed = incident.closed.unwrap_or(incident.opened);
    let range = format!("from {} to {}", rfc3339(incident.opened), rfc3339(closed));
    match incident.end_reason() {
        None => range,
        Some(EndReason::Resolved) => format!("{range}, when the incident was resolved manually"),
        Some(EndReason::Maintenance) => format!("{range}, when scheduled maintenance began"),
        Some(EndReason::Removed) => format!("{range}, when the monitor was removed from the configuration"),
        Some(EndReason::Rescheduled) => format!("{range}, when the job was added again or rescheduled"),
        Some(EndReason::Superseded) => format!("{range}, when a later incident continued it"),
        Some(EndReason::Elsewhere) => format!("{range}, when its alerts went elsewhere"),
    }
}

/// Joins lines to a text of limited length; lines that do not fit are left out.
pub(super) fn join_lines(lines: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        let line = one_line(&line);
        if text.len() + line.len() < MAX_TEXT {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Returns the beginning of a text as one line.
pub(super) fn one_line(text: &str) -> String {
    shorten(&single_line(text), MAX_LINE)
}
