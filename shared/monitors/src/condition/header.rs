//! The headers of a response in conditions: `[HEADER].name`, and `age([HEADER].name)` of a header with a date.

use chrono::DateTime;
use heapbeat_shared::UnixMillis;

/// Most characters of the value of a header that are kept.
const MAX_VALUE: usize = 1024;

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

    /// Returns how long ago the date of a header is, in milliseconds; `None` if it has none. A date in the future is negative.
    pub(super) fn age(&self, name: &str) -> Option<i64> {
        let date = parse_date(self.get(name)?)?;
        self.received?.0.checked_sub(date)
    }
}

/// Parses a date as HTTP (RFC 9110, 5.6.7), mail and RFC 3339 write it, or as seconds since 1970. Returns milliseconds since 1970.
fn parse_date(text: &str) -> Option<i64> {
    let date = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    match date {
        Ok(date) => Some(date.timestamp_millis()),
        Err(_) => text.parse::<i64>().ok()?.checked_mul(1000),
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
    use super::*;

    #[test]
    fn dates_are_parsed_in_the_forms_that_servers_send() {
        for (text, millis) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000)),
            ("Sun, 06 Nov 1994 10:49:37 +0200", Some(784_111_777_000)),
            ("1994-11-06T08:49:37Z", Some(784_111_777_000)),
            ("784111777", Some(784_111_777_000)),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text), millis, "{text}");
        }
    }
}
