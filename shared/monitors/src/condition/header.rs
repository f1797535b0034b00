//! The headers of a response in conditions: `[HEADER].name`, and `age([HEADER].name)` of a header with a date.

use chrono::DateTime;
use heapbeat_shared::UnixMillis;

/// Most characters of the value of a header that are kept.
const MAX_VALUE: usize = 1024;

/// The longest age, in milliseconds: 285 years, as durations are compared in nanoseconds of 64 bits. A longer one would count as none.
const MAX_AGE_MS: i64 = 9_000_000_000_000;

/// The longest name of a header, in bytes.
const MAX_NAME: usize = 64;

/// The headers of a response that the conditions of a monitor ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedHeaders {
    values: Vec<(String, String)>,
    received: Option<UnixMillis>,
}

impl ObservedHeaders {
    /// Makes the headers of a response that came at this instant.
    pub fn new(received: UnixMillis) -> Self {
        ObservedHeaders { values: Vec::new(), received: Some(received) }
    }

    /// Adds a header. Of a long value the first 1,024 characters are kept.
    pub fn insert(&mut self, name: &str, value: &str) {
        self.values.push((name.to_ascii_lowercase(), value.trim().chars().take(MAX_VALUE).collect()));
    }

    /// Returns the value of a header, whose name is in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns how long ago the date of a header is, in milliseconds, at most 285 years; `None` if it has none. A date in the future is
    /// negative.
    pub(super) fn age(&self, name: &str) -> Option<i64> {
        let date = parse_date(self.get(name)?)?;
        Some(self.received?.0.saturating_sub(date).clamp(-MAX_AGE_MS, MAX_AGE_MS))
    }
}

/// Parses a date as HTTP (RFC 9110, 5.6.7), mail and RFC 3339 write it, or as seconds since 1970. Returns milliseconds since 1970.
fn parse_date(text: &str) -> Option<i64> {
    let date = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    match date {
        Ok(date) => Some(date.timestamp_millis()),
        Err(_) => Some(text.parse::<i64>().ok()?.saturating_mul(1000)),
    }
}

/// Parses the name of a header, and returns it in lower case; `None` if it is not one (RFC 9110, 5.6.2).
pub(super) fn parse_name(text: &str) -> Option<String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let valid = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(token);
    valid.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::condition::{Condition, EvalContext, ObservedBody, Outcome};

    #[test]
    fn dates_are_parsed_in_the_forms_that_servers_send() {
        for (text, millis) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
            ("Sun, 06 Nov 1994 10:49:37 +0200", Some(784_111_777_000)),
            ("1994-11-06T08:49:37Z", Some(784_111_777_000)),
            ("784111777", Some(784_111_777_000)),
            ("-1", Some(-1000)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("275760-09-13T00:00:00Z", None),
            ("0000-01-01T00:00:00Z", Some(-62_167_219_200_000)),
            ("Sun, 06 Nov 1994 08:49:37 GMT, Mon, 07 Nov 1994 08:49:37 GMT", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text), millis, "{text}");
        }
    }

    #[test]
    fn the_age_of_any_date_is_compared_as_what_it_is() {
        let now = UnixMillis(1_767_225_600_000);
        let long = "9".repeat(1 << 20);
        // Old, and new.
        for (value, old, new) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", true, false),
            ("Sat, 01 Jan 1600 00:00:00 GMT", true, false),
            ("0000-01-01T00:00:00Z", true, false),
            ("-9223372036854775808", true, false),
            ("9999-12-31T23:59:59Z", false, true),
            ("9223372036854775807", false, true),
            ("2026-01-01T00:00:00Z", false, false),
            ("275760-09-13T00:00:00Z", false, false),
            ("2026-01-01T00:00:00Z, 2026-01-01T00:00:00Z", false, false),
            ("\u{0}\u{1b}[31m<script>", false, false),
            (long.as_str(), false, false),
        ] {
            let mut headers = ObservedHeaders::new(now);
            headers.insert("Date", value);
            let body = ObservedBody::Whole(b"");
            let outcome = Outcome { connected: true, status: 200, duration: Duration::ZERO, body };
            let context = EvalContext::new(outcome).with_headers(&headers);
            let holds = |text: &str| Condition::parse(text).unwrap().evaluate(&context).ok;
            let shown: String = value.chars().take(80).collect();
            assert_eq!(
                (holds("age([HEADER].date) > 24h"), holds("age([HEADER].date) < -24h")),
                (old, new),
                "{shown}"
            );
            assert!(!(old && holds("age([HEADER].date) < 24h")), "{shown}: an old date is not new");
        }
    }
}
