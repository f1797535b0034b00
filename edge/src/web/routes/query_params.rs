//! What the hub is asked for somebody, from a path and its query. Pure.
//!
//! What is asked is also under which the answer is kept: the same question has the same answer for everybody.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::units::parse_duration;

use super::query::Query;
use super::table::Route;
use crate::config::MonitorId;
use crate::config::maintenance::read_instant;
use crate::domain::history::ledger;
use crate::web::api::badge::{LONGEST_LABEL, METRICS, Style};

/// Incidents of a page, where nobody says how many.
pub(crate) const INCIDENTS: u8 = 50;

/// Most incidents of a page.
pub(crate) const MOST_INCIDENTS: u8 = 100;

/// The last second of the year 9999 in Unix time, and its last millisecond.
pub(crate) const LAST_SECOND: i64 = 253_402_300_799;
pub(crate) const LAST_MS: i64 = LAST_SECOND * 1000 + 999;

/// The parameters of a path.
pub(crate) const fn parameters(route: Route) -> &'static [&'static str] {
    match route {
        Route::Uptime => &["window"],
        Route::Memory | Route::Latency => &["from", "to"],
        Route::Incidents => &["limit", "before"],
        Route::Badge => &["metric", "style", "label"],
        Route::Shield => &["metric", "label"],
        Route::AdminMonitors => &["dry-run"],
        Route::Export => &["from"],
        Route::Import => &["schema"],
        _ => &[],
    }
}

/// The question, or what is wrong with the query. The hub's paths are those of the API without what stands before them.
pub(crate) fn question(route: Route, path: &str, query: &str) -> Result<String, String> {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let path = path.strip_prefix("/admin").unwrap_or(path);
    // What a job says is the hub's to read.
    let told = if route == Route::Heartbeat { "" } else { query };
    let read = Query::parse(told, parameters(route))?;
    let (more, numbers) = match route {
        Route::Badge | Route::Shield => {
            if !METRICS.contains(&read.get("metric").unwrap_or("status")) {
                return Err(format!("metric is one of {}", METRICS.join(", ")));
            }
            if Style::parse(read.get("style")).is_none() {
                return Err(format!("style is one of {}", Style::WORDS.join(", ")));
            }
            if read.get("label").is_some_and(|label| label.chars().count() > LONGEST_LABEL) {
                return Err(format!("label has at most {LONGEST_LABEL} characters"));
            }
            let id = path.rsplit(['/', '.']).nth(1).unwrap_or_default();
            return Ok(["/monitors/", id, "/now"].concat());
        }
        Route::Metrics | Route::Calendar => return Ok("/status".to_owned()),
        Route::Atom | Route::Rss => return Ok("/incidents?30&".to_owned()),
        Route::Monitor => ("/now", String::new()),
        Route::AdminStatus => ("/all", String::new()),
        Route::Uptime => ("?", window(&read)?),
        Route::Memory | Route::Latency => ("?", stretch(&read)?),
        Route::Incidents => ("?", incidents(&read)?),
        Route::AdminMonitors => match read.get("dry-run") {
            None => ("", String::new()),
            Some("true") => ("?dry-run=true", String::new()),
            Some(_) => return Err("the only parameter is dry-run=true".to_owned()),
        },
        Route::Export => ("?", number(read.get("from"))?),
        Route::Import => ("?", number(read.get("schema"))?),
        Route::Heartbeat => ("?", query.to_owned()),
        _ => ("", String::new()),
    };
    Ok([path, more, &numbers].concat())
}

/// A place in an export.
fn number(given: Option<&str>) -> Result<String, String> {
    let given = given.unwrap_or_default();
    if given.len() > 40 || !given.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return Err("say what the page before said: digits and dashes".to_owned());
    }
    Ok(given.to_owned())
}

/// The window of an uptime, in milliseconds.
fn window(query: &Query) -> Result<String, String> {
    match query.get("window").map_or(Ok(Duration::from_secs(86_400)), parse_duration) {
        Ok(window) if !window.is_zero() && window <= ledger::KEPT => {
            Ok((window.as_secs() * 1000 + u64::from(window.subsec_millis())).to_string())
        }
        _ => Err("window is a duration up to 91d, such as 24h or 30d".to_owned()),
    }
}

/// `to` and `from` as the hub reads them; what is not given stays empty.
fn stretch(query: &Query) -> Result<String, String> {
    let read = |name| match query.get(name).map(instant) {
        None => Ok(None),
        Some(Some(at)) => Ok(Some(at)),
        Some(None) => {
            Err(format!("{name} is an instant: RFC 3339, such as 2026-01-01T00:00:00Z, or Unix milliseconds"))
        }
    };
    let (from, to) = (read("from")?, read("to")?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err("from has to be before to".to_owned());
    }
    let shown = |at: Option<UnixMillis>| at.map_or(String::new(), |at| at.0.to_string());
    Ok(format!("{}-{}", shown(to), shown(from)))
}

/// An instant up to the year 9999. Before 1970 nothing was: an earlier one is the first.
pub(super) fn instant(text: &str) -> Option<UnixMillis> {
    let at = text.parse().ok().map(UnixMillis).or_else(|| Some(read_instant(text)?.max(UnixMillis(1))))?;
    (1..=LAST_MS).contains(&at.0).then_some(at)
}

fn incidents(query: &Query) -> Result<String, String> {
    let limit = match query.get("limit").map_or(Ok(INCIDENTS), str::parse) {
        Ok(limit) if (1..=MOST_INCIDENTS).contains(&limit) => limit,
        _ => return Err(format!("limit is a whole number from 1 to {MOST_INCIDENTS}")),
    };
    let before = query.get("before");
    if before.is_some_and(|before| place(before).is_none()) {
        return Err("before is the id of an incident, such as the `next` of the page before has".to_owned());
    }
    Ok(format!("{limit}&{}", before.unwrap_or_default()))
}

/// How many incidents a question wants.
pub(crate) fn limit(question: &str) -> usize {
    let limit = question.split_once('?').and_then(|(_, limit)| limit.split_once('&')?.0.parse().ok());
    limit.unwrap_or(INCIDENTS.into())
}

/// Whose an incident is, and in which second of Unix time it began, from its id.
pub(crate) fn place(id: &str) -> Option<(MonitorId, i64)> {
    let (monitor, second) = id.rsplit_once('-')?;
    let second = second.parse().ok().filter(|second| (0..=LAST_SECOND).contains(second))?;
    Some((monitor.parse().ok()?, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let cases = [
            ("/api/v1/status", "", "/status"),
            ("/api/v1/monitors/api", "", "/monitors/api/now"),
            ("/api/v1/monitors/api/uptime", "", "/monitors/api/uptime?86400000"),
            ("/api/v1/monitors/api/uptime", "window=91d", "/monitors/api/uptime?7862400000"),
            ("/api/v1/monitors/api/memory", "", "/monitors/api/memory?-"),
            ("/api/v1/monitors/api/memory", "from=2026-01-01T00:00Z", "/monitors/api/memory?-1767225600000"),
            ("/api/v1/monitors/api/memory", "from=1&to=2", "/monitors/api/memory?2-1"),
            (
                "/api/v1/monitors/api/memory",
                "to=1999-12-31T23:59:59.999Z&from=1815-12-10T00:00:00Z",
                "/monitors/api/memory?946684799000-1",
            ),
            ("/api/v1/monitors/api/latency", "to=5", "/monitors/api/latency?5-"),
            ("/api/v1/monitors/api/days", "", "/monitors/api/days"),
            ("/api/v1/incidents", "", "/incidents?50&"),
            ("/api/v1/incidents", "limit=1&before=a-b-1767225600", "/incidents?1&a-b-1767225600"),
            ("/api/v1/incidents/api-1", "", "/incidents/api-1"),
            ("/badge/api.svg", "metric=uptime&style=flat-square&label=x", "/monitors/api/now"),
            ("/badge/api.json", "", "/monitors/api/now"),
            ("/metrics", "", "/status"),
            ("/feed.rss", "", "/incidents?30&"),
            ("/api/v1/admin/status", "", "/status/all"),
            ("/api/v1/admin/monitors", "", "/monitors"),
            ("/api/v1/admin/monitors", "dry-run=true", "/monitors?dry-run=true"),
            ("/api/v1/admin/incidents/api-1", "", "/incidents/api-1"),
            ("/api/v1/admin/export", "from=1-2", "/export?1-2"),
            ("/api/v1/admin/import", "schema=3", "/import?3"),
            ("/api/v1/heartbeats/job", "event=start", "/heartbeats/job?event=start"),
        ];
        for (path, query, expected) in cases {
            let (entry, _) = crate::web::routes::table::find(path).unwrap();
            assert_eq!(question(entry.route, path, query).as_deref(), Ok(expected), "{path}?{query}");
        }
        assert_eq!((limit("/incidents?7&api-1"), limit("/incidents?100&")), (7, 100));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (Route::Status, "window=1h", "no parameters"),
            (Route::Uptime, "windw=1h", "those of this path are window"),
            (Route::Uptime, "window=92d", "up to 91d"),
            (Route::Uptime, "window=0s", "up to 91d"),
            (Route::Uptime, "window=", "up to 91d"),
            (Route::Memory, "from=yesterday", "from is an instant"),
            (Route::Memory, "to=99999-01-01T00:00Z", "to is an instant"),
            (Route::Memory, "to=-5", "to is an instant"),
            (Route::Memory, "from=2&to=2", "before to"),
            (Route::AdminMaintenance, "x=1", "no parameters"),
            (Route::Badge, "metric=cpu", "status, uptime, memory"),
            (Route::Badge, "style=x", "flat-square"),
            (Route::Shield, "label=aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd.", "40 characters"),
            (Route::Shield, "style=flat", "those of this path are metric, label"),
            (Route::AdminMonitors, "dry-run=1", "dry-run=true"),
            (Route::Export, "from=x", "digits"),
            (Route::Incidents, "limit=0", "1 to 100"),
            (Route::Incidents, "limit=101", "1 to 100"),
            (Route::Incidents, "limit=-1", "1 to 100"),
            (Route::Incidents, "before=api", "id of an incident"),
            (Route::Incidents, "before=", "id of an incident"),
            (Route::Incidents, "before=api-99999999999999", "id of an incident"),
        ];
        for (route, query, reason) in cases {
            let refused = question(route, "/x", query).unwrap_err();
            assert!(refused.contains(reason), "{query}: {refused}");
        }
    }
}
