//! The values of query parameters: each is parsed into a type; an error says what would be right. Pure.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::units::parse_duration;

use super::query::{Query, QueryError};
use crate::domain::heartbeat::JobSignal;
use crate::domain::history::retention;
use crate::domain::incident::id::{IncidentId, LAST_SECOND};
use crate::hub_api::{ExportCursor, NamedRange, PageRange, TimeRange, quantize, quantize_length};
use crate::monitor_config::maintenance::parse_instant;
use crate::web::api::badge::{MAX_LABEL, Metric, Style};

/// The default of `limit`, the number of incidents on a page.
pub(crate) const DEFAULT_LIMIT: u8 = 50;

/// The most incidents on a page.
pub(crate) const MAX_LIMIT: u8 = 50;

/// The last millisecond of the year 9999 in Unix time.
pub(crate) const LAST_MS: i64 = LAST_SECOND * 1000 + 999;

/// The default of `window` of an uptime.
const DEFAULT_WINDOW: Duration = Duration::from_secs(86_400);

const INSTANT: &str = "an instant: RFC 3339, such as 2026-01-01T00:00:00Z, or Unix milliseconds";

/// The options of a badge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BadgeOptions {
    pub(crate) metric: Metric,
    pub(crate) style: Style,
    pub(crate) label: Option<String>,
}

impl Query {
    /// `window`: a duration back from now.
    pub(super) fn window(&self) -> Result<Duration, QueryError> {
        let Some(text) = self.value("window") else { return Ok(DEFAULT_WINDOW) };
        let window = parse_duration(text).ok();
        window
            .filter(|window| !window.is_zero() && *window <= retention::LEDGER)
            .ok_or_else(|| {
                QueryError::invalid("window", text, "a duration of at most 91d, such as 24h or 30d")
            })
            .map(quantize_length)
    }

    /// `from` and `to`.
    pub(super) fn time_range(&self) -> Result<TimeRange, QueryError> {
        let read = |name| match self.value(name) {
            None => Ok(None),
            Some(text) => instant(text).map(Some).ok_or_else(|| QueryError::invalid(name, text, INSTANT)),
        };
        let interval = TimeRange { from: read("from")?, to: read("to")? };
        match (interval, self.value("from"), self.value("to")) {
            (TimeRange { from: Some(from), to: Some(to) }, Some(from_text), Some(to_text)) if from >= to => {
                Err(QueryError::EmptyInterval { from: from_text.to_owned(), to: to_text.to_owned() })
            }
            _ => Ok(interval.quantized()),
        }
    }

    /// `limit`: the number of incidents on a page.
    pub(super) fn limit(&self) -> Result<u8, QueryError> {
        let Some(text) = self.value("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| {
            QueryError::invalid("limit", text, format!("a whole number from 1 to {MAX_LIMIT}"))
        })
    }

    /// `before`: the last incident of the page before.
    pub(super) fn before(&self) -> Result<Option<IncidentId>, QueryError> {
        let Some(text) = self.value("before") else { return Ok(None) };
        let expected = "the id of an incident, such as api-1767225600; `next` of the page before has it";
        text.parse().map(Some).map_err(|_| QueryError::invalid("before", text, expected))
    }

    /// `metric`, `style` and `label`.
    pub(super) fn badge(&self) -> Result<BadgeOptions, QueryError> {
        let metric = match self.value("metric") {
            None => Metric::Status,
            Some(text) => Metric::parse(text).ok_or_else(|| {
                QueryError::invalid("metric", text, one_of(&Metric::ALL.map(Metric::as_str)))
            })?,
        };
        let style = match self.value("style") {
            None => Style::default(),
            Some(text) => Style::parse(text)
                .ok_or_else(|| QueryError::invalid("style", text, one_of(&Style::ALL.map(Style::as_str))))?,
        };
        let label = self.value("label");
        if let Some(text) = label.filter(|label| label.chars().count() > MAX_LABEL) {
            return Err(QueryError::invalid(
                "label",
                text,
                format!("a text of at most {MAX_LABEL} characters"),
            ));
        }
        Ok(BadgeOptions { metric, style, label: label.map(str::to_owned) })
    }

    /// `dry-run`: whether the list is only compared.
    pub(super) fn dry_run(&self) -> Result<bool, QueryError> {
        self.switch("dry-run")
    }

    /// `subscriptions`: whether an export has them.
    pub(super) fn with_subscriptions(&self) -> Result<bool, QueryError> {
        self.switch("subscriptions")
    }

    fn switch(&self, name: &'static str) -> Result<bool, QueryError> {
        match self.value(name) {
            None => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(QueryError::invalid(name, text, "`true`, its only value")),
        }
    }

    /// `from` of an export: the cursor in the last line of the page before.
    pub(super) fn export_cursor(&self) -> Result<ExportCursor, QueryError> {
        let Some(text) = self.value("from") else { return Ok(ExportCursor::default()) };
        let expected = "the `next` of an export's last line, such as 0-3-200";
        text.parse().map_err(|_| QueryError::invalid("from", text, expected))
    }

    /// `schema` of an import.
    pub(super) fn schema(&self) -> Result<i64, QueryError> {
        let text = self.value("schema").ok_or(QueryError::MissingSchema)?;
        text.parse().map_err(|_| {
            QueryError::invalid("schema", text, "a whole number, the `schema` of the export's first line")
        })
    }

    /// `event` and `exit` of a job; without either the run was a success.
    pub(super) fn heartbeat(&self) -> Result<JobSignal, QueryError> {
        let event = self.value("event");
        let exit = match self.value("exit") {
            None => None,
            Some(text) => Some(text.parse::<u16>().map_err(|_| {
                QueryError::invalid("exit", text, "an exit code, a whole number from 0 to 65535")
            })?),
        };
        match (event, exit) {
            (None | Some("success"), None | Some(0)) => Ok(JobSignal::Success),
            (None | Some("fail"), exit) => Ok(JobSignal::Fail(exit)),
            (Some("start"), None) => Ok(JobSignal::Start),
            (Some("start"), Some(code)) => {
                Err(QueryError::invalid("exit", &code.to_string(), "allowed with event=start"))
            }
            (Some("success"), Some(code)) => {
                Err(QueryError::invalid("exit", &code.to_string(), "0, as event=success says"))
            }
            (Some(other), _) => Err(QueryError::invalid("event", other, "one of start, success, fail")),
        }
    }

    /// `from` and `to`, else `range`, else what suits the age of the monitor. A page ignores invalid values.
    pub(super) fn page_range(&self) -> PageRange {
        let at = |name| self.value(name).and_then(instant);
        let named = self.value("range").and_then(NamedRange::parse);
        match (at("from"), at("to"), named) {
            (Some(from), Some(to), _) if from < to => {
                let (from, to) = quantize(from, to);
                PageRange::Between { from, to }
            }
            (_, _, Some(range)) => PageRange::Named(range),
            _ => PageRange::default(),
        }
    }
}

fn one_of(words: &[&str]) -> String {
    ["one of ", &words.join(", ")].concat()
}

/// An instant up to the year 9999; one before 1970 becomes the first millisecond of Unix time.
fn instant(text: &str) -> Option<UnixMillis> {
    let at = text.parse().ok().map(UnixMillis).or_else(|| Some(parse_instant(text)?.max(UnixMillis(1))))?;
    (1..=LAST_MS).contains(&at.0).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse_lenient(text)
    }

    #[test]
    fn an_instant_is_rfc_3339_or_milliseconds() {
        let cases = [
            ("from=60000&to=120000", Some(60_000), Some(120_000)),
            ("from=60001&to=119999", Some(60_000), Some(120_000)),
            ("from=2026-01-01T00:00Z", Some(1_767_225_600_000), None),
            ("to=1999-12-31T23:59:59.999Z&from=1815-12-10T00:00:00Z", Some(1), Some(946_684_800_000)),
        ];
        for (text, from, to) in cases {
            let expected = TimeRange { from: from.map(UnixMillis), to: to.map(UnixMillis) };
            assert_eq!(query(text).time_range(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_chart_has_a_named_range_or_any_interval() {
        let between = |from, to| PageRange::Between { from: UnixMillis(from), to: UnixMillis(to) };
        let cases = [
            ("", PageRange::ByAge),
            ("range=24h", PageRange::Named(NamedRange::Day)),
            ("range=7d", PageRange::Named(NamedRange::Week)),
            ("range=8d", PageRange::ByAge),
            ("lang=de&range=1h", PageRange::Named(NamedRange::Hour)),
            ("from=61000&to=62000", between(60_000, 120_000)),
            ("from=2026-01-01T00%3A00Z&to=1767229200000", between(1_767_225_600_000, 1_767_229_200_000)),
            ("from=2000&to=1000&range=7d", PageRange::Named(NamedRange::Week)),
            ("from=x&to=1000", PageRange::ByAge),
        ];
        for (text, expected) in cases {
            assert_eq!(query(text).page_range(), expected, "{text}");
        }
    }

    #[test]
    fn the_parameters_of_a_heartbeat_become_its_signal() {
        let cases = [
            ("", Ok(JobSignal::Success)),
            ("exit=0", Ok(JobSignal::Success)),
            ("event=success&exit=0", Ok(JobSignal::Success)),
            ("event=start", Ok(JobSignal::Start)),
            ("event=fail", Ok(JobSignal::Fail(None))),
            ("exit=137", Ok(JobSignal::Fail(Some(137)))),
            ("event=fail&exit=0", Ok(JobSignal::Fail(Some(0)))),
            ("exit=65536", Err("exit: `65536` is not an exit code, a whole number from 0 to 65535.")),
            ("event=start&exit=1", Err("exit: `1` is not allowed with event=start.")),
            ("event=success&exit=1", Err("exit: `1` is not 0, as event=success says.")),
            ("event=stop", Err("event: `stop` is not one of start, success, fail.")),
        ];
        for (text, expected) in cases {
            let found = query(text).heartbeat().map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
