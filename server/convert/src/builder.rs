//! Builds one monitor, with the notes on it. What heapbeat would refuse never becomes a stricter or laxer default without a note.

use heapbeat_monitors::applied::LIST;
use heapbeat_monitors::credential::{find_in_body, find_in_query};
use heapbeat_monitors::{HttpUrl, MonitorConfig, TcpAddress, is_private_host};
use heapbeat_shared::units::parse_duration;
use serde_json::{Map, Value, json};

use crate::cursor::{Cursor, DurationValue, Unread};
use crate::environment::as_written;
use crate::names::secret_name;
use crate::note::{Note, NoteKind};

/// The shortest and the longest interval of a probe, in milliseconds.
const INTERVALS: (i64, i64) = (5_000, 86_400_000);

/// The shortest and the longest timeout, in milliseconds.
const TIMEOUTS: (i64, i64) = (100, 30_000);

/// The shortest and the longest interval of a job, in milliseconds.
const JOB_INTERVALS: (i64, i64) = (60_000, 31 * 86_400_000);

/// The longest grace of a job, in milliseconds.
pub(crate) const MAX_GRACE: i64 = 7 * 86_400_000;

/// The highest threshold of a monitor.
pub(crate) const MAX_THRESHOLD: i64 = 100;

/// The longest name, in characters.
const MAX_NAME: usize = 80;

/// A monitor of the input: converted, or left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Converted {
    /// The settings; `None` if it was left out.
    pub(crate) entry: Option<Map<String, Value>>,
    /// The notes on it.
    pub(crate) notes: Vec<Note>,
}

/// A monitor that is being converted.
#[derive(Debug)]
pub(crate) struct MonitorBuilder {
    name: String,
    id: String,
    place: (String, usize),
    entry: Map<String, Value>,
    secrets: Vec<String>,
    notes: Vec<Note>,
    left_out: bool,
    has_noted_credential: bool,
}

impl MonitorBuilder {
    /// Begins a monitor at a place of the input.
    pub(crate) fn new(id: &str, name: &str, group: &str, place: (String, usize)) -> Self {
        let entry = Map::from_iter([("id".to_owned(), json!(id))]);
        let mut builder = MonitorBuilder {
            name: as_written(name),
            id: id.to_owned(),
            place,
            entry,
            secrets: Vec::new(),
            notes: Vec::new(),
            left_out: false,
            has_noted_credential: false,
        };
        for (key, text) in [("name", name), ("group", group)] {
            let label: String = as_written(text)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(MAX_NAME)
                .collect();
            let label = label.trim();
            if label != text.trim() {
                builder.changed(format!(
                    "{key} was shortened or had characters that are not text: now `{label}`"
                ));
            }
            if label.is_empty() && key == "name" {
                builder.changed("there is no name, which Gatus refuses".to_owned());
            } else if !label.is_empty() {
                builder.set(key, json!(label));
            }
        }
        builder
    }

    /// Sets a setting.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.entry.insert(key.to_owned(), value);
    }

    /// Returns the id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns a setting.
    pub(crate) fn setting(&self, key: &str) -> Option<&Value> {
        self.entry.get(key)
    }

    /// Removes the thresholds, and returns that of failures.
    pub(crate) fn take_threshold(&mut self) -> i64 {
        self.entry.remove("success-threshold");
        self.entry.remove("failure-threshold").and_then(|value| value.as_i64()).unwrap_or(1)
    }

    /// Adds a note.
    pub(crate) fn note(&mut self, kind: NoteKind, text: impl Into<String>) {
        let (place, monitor) = (Some(self.place.clone()), Some(self.name.clone()));
        self.notes.push(Note { kind, place, monitor, text: as_written(&text.into()) });
    }

    /// Adds a note on a change.
    pub(crate) fn changed(&mut self, text: impl Into<String>) {
        self.note(NoteKind::Changed, text);
    }

    /// Leaves the monitor out, for this reason.
    pub(crate) fn leave_out(&mut self, reason: impl Into<String>) {
        // What else is to do or differs no longer matters.
        if !self.left_out {
            self.notes.clear();
            self.left_out = true;
            self.note(NoteKind::LeftOut, reason);
        }
    }

    /// Returns whether the monitor was left out.
    pub(crate) fn is_left_out(&self) -> bool {
        self.left_out
    }

    /// Sets a duration that is within bounds in milliseconds, else the nearest that is allowed.
    fn set_duration(&mut self, key: &str, value: DurationValue, bounds: (i64, i64)) {
        let millis = match value {
            DurationValue::Nanos(nanos) => nanos / 1_000_000,
            DurationValue::NoUnit(number) => {
                self.changed(format!("{key}: `{number}` has no unit, which Gatus refuses; read as seconds"));
                number.saturating_mul(1000)
            }
        };
        if millis <= 0 {
            return; // The default, as in Gatus.
        }
        self.set_nearest(key, key, millis, bounds);
    }

    /// Sets a duration to the nearest that is allowed, and returns it. `name` is that of the setting of the input.
    fn set_nearest(&mut self, key: &str, name: &str, millis: i64, bounds: (i64, i64)) -> i64 {
        let allowed = millis.clamp(bounds.0, bounds.1);
        if allowed != millis {
            self.changed(format!(
                "{name}: {} is not possible, now {}",
                format_millis(millis),
                format_millis(allowed)
            ));
        }
        self.set(key, json!(format_millis(allowed)));
        allowed
    }

    /// Sets the interval.
    pub(crate) fn set_interval(&mut self, value: DurationValue) {
        self.set_duration("interval", value, INTERVALS);
    }

    /// Sets the interval of a job in milliseconds to the nearest that is allowed, and returns it. `name` is that of the setting of the input.
    pub(crate) fn set_job_interval(&mut self, name: &str, millis: i64) -> i64 {
        self.set_nearest("interval", name, millis, JOB_INTERVALS)
    }

    /// Sets the timeout.
    pub(crate) fn set_timeout(&mut self, value: DurationValue) {
        self.set_duration("timeout", value, TIMEOUTS);
    }

    /// Sets a header. A credential becomes the name of a secret; the value is not written.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        let lower = name.to_ascii_lowercase();
        if lower == "host" {
            self.leave_out("it sends a header Host, and the platform sends only the host of the address");
            return;
        }
        if matches!(lower.as_str(), "content-length" | "connection" | "transfer-encoding" | "upgrade") {
            self.note(NoteKind::Dropped, format!("the header {name} is set by the platform"));
            return;
        }
        let looks_secret =
            ["signature", "cf-access", "webhook", "license"].iter().any(|word| lower.contains(word));
        let unknown = !crate::environment::unknown_names(value).is_empty();
        let alone =
            json!({ "id": "a", "kind": "http", "url": "https://a.example", "headers": { name: value } });
        let config = MonitorConfig::parse_entries(LIST, &[alone], true, &[], 1);
        if config.problems.is_empty() && !looks_secret && !unknown {
            self.insert_header(name, json!(value));
            return;
        }
        let credential = looks_secret
            || unknown
            || config.problems.iter().any(|problem| problem.reason.contains("credential"));
        if !credential {
            let reason = config.problems.first().map(|problem| problem.reason.clone()).unwrap_or_default();
            self.leave_out(format!("the header {name} cannot be sent: {reason}"));
            return;
        }
        let prefix = ["Bearer ", "Basic ", "Token "].into_iter().find(|prefix| value.starts_with(prefix));
        let secret = self.insert_secret_header(name, prefix);
        let rest = prefix.map_or_else(String::new, |prefix| format!(", without `{prefix}`,"));
        self.note(
            NoteKind::Todo,
            format!("the value of the header {name} is not written; set it{rest} with `wrangler secret put {secret}`"),
        );
    }

    /// Adds a header whose value is a secret with a name of its own, and returns that name.
    pub(crate) fn insert_secret_header(&mut self, name: &str, prefix: Option<&str>) -> String {
        let mut secret = secret_name("MONITOR_", &[&self.id, name]);
        while self.secrets.contains(&secret) {
            secret.push('_');
        }
        self.secrets.push(secret.clone());
        let mut table = Map::from_iter([("secret".to_owned(), json!(secret))]);
        if let Some(prefix) = prefix {
            table.insert("prefix".to_owned(), json!(prefix));
        }
        self.insert_header(name, Value::Object(table));
        secret
    }

    fn insert_header(&mut self, name: &str, value: Value) {
        let headers = self.entry.entry("headers").or_insert_with(|| json!({}));
        if let Some(headers) = headers.as_object_mut() {
            // The names of headers are the same in any case, and the last value counts.
            headers.retain(|known, _| !known.eq_ignore_ascii_case(name));
            headers.insert(name.to_owned(), value);
        }
    }

    /// Adds a note on a credential that is written as it is. `what` says where it is.
    pub(crate) fn note_credential(&mut self, what: &str) {
        self.has_noted_credential = true;
        self.note(NoteKind::Todo, format!("{what}, which is written as it is: keep the file private"));
    }

    /// Whether heapbeat refuses the address or the body unless it is said that they may have a credential.
    fn has_literal_credential(&self) -> bool {
        let text = |key: &str| self.setting(key).and_then(Value::as_str).unwrap_or_default();
        text("kind") == "http"
            && (find_in_query(text("url")).is_some() || find_in_body(text("body")).is_some())
    }

    /// Adds a note on each value that nobody read.
    pub(crate) fn note_unread(&mut self, cursor: &Cursor<'_>, unread: &[Unread]) {
        for Unread { path, line, code, .. } in unread {
            let path =
                if path.is_empty() { cursor.path().to_owned() } else { format!("{}.{path}", cursor.path()) };
            self.place.1 = *line;
            self.changed(describe_unread(&path, *code));
        }
        self.place.1 = cursor.line();
    }

    /// Validates the monitor as `heapbeat apply` does, and ends it.
    pub(crate) fn finish(mut self, keep_private: bool) -> Converted {
        if !self.left_out
            && !keep_private
            && self.setting("url").and_then(Value::as_str).is_some_and(is_private_address)
        {
            self.leave_out("a Worker cannot reach a private address; `--keep-private` keeps it");
        }
        if !self.left_out {
            if self.has_literal_credential() {
                self.set("literal-credentials", json!(true));
                if !self.has_noted_credential {
                    self.note_credential("the address or the body has what looks like a credential");
                }
            }
            let reasons: Vec<_> =
                MonitorConfig::parse_entries(LIST, &[Value::Object(self.entry.clone())], true, &[], 1)
                    .problems
                    .iter()
                    .map(|problem| {
                        format!("{}: {}", problem.position.trim_start_matches("monitors[0]."), problem.reason)
                    })
                    .collect();
            if !reasons.is_empty() {
                self.leave_out(reasons.join("; "));
            }
        }
        Converted { entry: (!self.left_out).then_some(self.entry), notes: self.notes }
    }
}

/// Describes a value that nobody read.
pub(crate) fn describe_unread(path: &str, code: bool) -> String {
    if code {
        format!("{path} is program code, which is not run; it was not converted")
    } else {
        format!(
            "{path} was not converted: heapbeat does not know this setting, or its value is of another type"
        )
    }
}

/// Returns whether the host of an address is private.
fn is_private_address(url: &str) -> bool {
    let host = match url.parse::<HttpUrl>() {
        Ok(url) => Some(url.host().to_owned()),
        Err(_) => url.parse::<TcpAddress>().ok().map(|address| address.host().to_owned()),
    };
    host.is_some_and(|host| is_private_host(&host))
}

/// Formats a duration as heapbeat writes it: `1h30m`, `500ms`.
pub(crate) fn format_millis(millis: i64) -> String {
    let mut rest = millis.max(0);
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        // One day, and days with hours, are written in hours.
        let days_do = rest >= 2 * length && rest % length == 0;
        if rest >= length && (unit != "d" || days_do) {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    let text = parts.concat();
    let text = if text.is_empty() { "0s".to_owned() } else { text };
    debug_assert!(parse_duration(&text).is_ok(), "{text}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        for (millis, text) in [
            (0, "0s"),
            (500, "500ms"),
            (90_000, "1m30s"),
            (5_400_000, "1h30m"),
            (86_400_000, "24h"),
            (172_800_000, "2d"),
            (1_500, "1s500ms"),
        ] {
            assert_eq!(format_millis(millis), text);
        }
    }

    #[test]
    fn two_headers_of_a_monitor_never_share_a_secret() {
        let mut builder = MonitorBuilder::new("a", "A", "", ("f".to_owned(), 1));
        builder.set_header("X-Api-Key", "1");
        builder.set_header("X_Api_Key", "2");
        let Converted { entry, .. } = {
            builder.set("kind", json!("http"));
            builder.set("url", json!("https://example.com/"));
            builder.finish(false)
        };
        let headers = entry.unwrap()["headers"].clone();
        assert_ne!(headers["X-Api-Key"]["secret"], headers["X_Api_Key"]["secret"]);
    }
}
