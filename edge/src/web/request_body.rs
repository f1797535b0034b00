//! The JSON bodies of requests. serde reads them, and the description of the API is derived from the same types. Pure.
//!
//! The entries of the lists are read by `heapbeat_monitors`, which reports every problem with its position.

mod unique_keys;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::Path;

use self::unique_keys::UniqueKeys;

use crate::domain::incident::actions::IncidentUpdate;
use crate::monitor_config::{MAX_MONITORS, MonitorId};
use crate::notify::subscriber::MAX_SUBSCRIBED_MONITORS;
use crate::view::schema;

/// The most characters of a reason in an error, which may repeat a value of the body.
const MAX_REASON: usize = 300;

/// A body that is not as its description says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}.")]
pub(crate) struct BodyError {
    /// The path of the field, such as `monitors[2]`; `body` for the whole.
    field: String,
    /// The value and what would be right.
    reason: String,
}

impl BodyError {
    pub(crate) fn new(field: &str, reason: &str) -> Self {
        BodyError { field: field.to_owned(), reason: reason.chars().take(MAX_REASON).collect() }
    }

    /// An error of serde at a path. Its position in the text is left out where the path says more.
    fn at(path: &Path, error: &serde_json::Error) -> Self {
        if !error.is_data() {
            return BodyError::invalid_json(error);
        }
        let field = match path.iter().next() {
            None => "body".to_owned(),
            Some(_) => path.to_string(),
        };
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(&*text, |(reason, _)| reason);
        // serde knows that a field is given twice only after its path has ended.
        let twice = reason.strip_prefix("duplicate field `").and_then(|name| name.strip_suffix('`'));
        match twice {
            Some(name) if field == "body" => BodyError::new(name, "given twice; give it once"),
            Some(name) => BodyError::new(&format!("{field}.{name}"), "given twice; give it once"),
            None => BodyError::new(&field, reason),
        }
    }

    /// The body is not JSON. The path would be that of a part that is not read yet.
    fn invalid_json(error: &serde_json::Error) -> Self {
        BodyError::new("body", &format!("is not valid JSON: {error}"))
    }
}

/// Decodes a body, which is UTF-8. A byte order mark is left out.
pub(crate) fn decode_body(bytes: Vec<u8>) -> Result<String, BodyError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        BodyError::new("body", &format!("is not valid UTF-8 after {valid} bytes"))
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// Reads a body, which is an object. (serde would read an array as the fields in their order.)
pub(crate) fn parse_body<T: DeserializeOwned>(text: &str) -> Result<T, BodyError> {
    if text.trim_start().starts_with('[') {
        return Err(BodyError::new("body", "it is an array; send an object"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| BodyError::at(error.path(), error.inner()))?;
    json.end().map_err(|error| BodyError::invalid_json(&error))?;
    Ok(value)
}

/// Reads changes of an incident, of which there is at least one.
pub(crate) fn parse_incident_update(text: &str) -> Result<IncidentUpdate, BodyError> {
    let update: IncidentUpdate = parse_body(text)?;
    if update == IncidentUpdate::default() {
        return Err(BodyError::new("body", "give at least one of `note`, `acknowledge` and `resolve`"));
    }
    Ok(update)
}

/// A list of monitors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `monitors`")]
#[schemars(rename = "Monitors")]
pub(crate) struct MonitorList {
    /// The monitors.
    #[serde(deserialize_with = "deserialize_entries")]
    #[schemars(schema_with = "schema::monitor_entries", length(max = MAX_MONITORS))]
    pub(crate) monitors: Vec<Value>,
}

/// A list of announced maintenance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `maintenance`")]
#[schemars(rename = "Maintenance")]
pub(crate) struct MaintenanceList {
    /// The maintenance windows.
    #[serde(deserialize_with = "deserialize_entries")]
    #[schemars(schema_with = "schema::maintenance_entries", length(max = 20))]
    pub(crate) maintenance: Vec<Value>,
}

/// A webhook or a browser to be subscribed.
#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `url`")]
pub(crate) struct SubscriptionRequest {
    /// A public `https:` address without a user name.
    pub(crate) url: String,
    /// The ids of public monitors; all without it.
    #[serde(default)]
    #[schemars(with = "Vec<schema::MonitorId>", length(max = MAX_SUBSCRIBED_MONITORS))]
    pub(crate) monitors: Vec<MonitorId>,
    /// The keys of a browser; none for a webhook.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schemars(with = "BrowserKeys")]
    pub(crate) keys: Option<BrowserKeys>,
}

impl SubscriptionRequest {
    /// Reads a request to subscribe.
    pub(crate) fn parse(text: &str) -> Result<Self, BodyError> {
        let request: SubscriptionRequest = parse_body(text)?;
        let count = request.monitors.len();
        if count > MAX_SUBSCRIBED_MONITORS {
            return Err(BodyError::new(
                "monitors",
                &format!("{count} ids; at most {MAX_SUBSCRIBED_MONITORS} are allowed"),
            ));
        }
        Ok(request)
    }
}

/// The address of a webhook or of a browser.
#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `url`")]
#[schemars(rename = "Address")]
pub(crate) struct AddressRequest {
    /// The address.
    pub(crate) url: String,
    /// The keys of a browser; none for a webhook.
    #[serde(default, deserialize_with = "deserialize_present")]
    #[schemars(with = "BrowserKeys")]
    pub(crate) keys: Option<BrowserKeys>,
}

/// Deserializes entries in which no key is given twice.
fn deserialize_entries<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<Value>, D::Error> {
    let entries = Vec::<UniqueKeys>::deserialize(json)?;
    Ok(entries.into_iter().map(|UniqueKeys(value)| value).collect())
}

/// Deserializes a field that may be absent, but not `null`.
fn deserialize_present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    json: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(json).map(Some)
}

/// The keys of a browser's `PushSubscription`.
#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `p256dh` and `auth`")]
pub(crate) struct BrowserKeys {
    /// A point of P-256.
    #[schemars(regex(pattern = "^B[A-Za-z0-9_-]{86}=?$"))]
    pub(crate) p256dh: String,
    /// A secret of 16 bytes.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{22}(==)?$"))]
    pub(crate) auth: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail<T: std::fmt::Debug>(result: Result<T, BodyError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_list_is_an_object_with_one_list() {
        let read = |text| parse_body::<MonitorList>(text).map(|list| list.monitors.len());
        assert_eq!(read(r#"{"monitors":[{"id":"a"}]}"#), Ok(1));
        let cases = [
            ("", "body: is not valid JSON: EOF while parsing a value at line 1 column 0."),
            ("{", "body: is not valid JSON: EOF while parsing an object at line 1 column 1."),
            ("[]", "body: it is an array; send an object."),
            ("1", "body: invalid type: integer `1`, expected an object with `monitors`."),
            ("{}", "body: missing field `monitors`."),
            (r#"{"monitors":{}}"#, "monitors: invalid type: map, expected a sequence."),
            (r#"{"monitors":[],"more":1}"#, "more: unknown field `more`, expected `monitors`."),
            (r#"{"monitors":[],"monitors":[]}"#, "monitors: given twice; give it once."),
            (
                r#"{"monitors":[{"id":"a"},{"id":"b","id":"c"}]}"#,
                "monitors[1].id: given twice; give it once.",
            ),
            (
                r#"{"monitors":[{"headers":{"X-A":"1","X-A":"2"}}]}"#,
                "monitors[0].headers.X-A: given twice; give it once.",
            ),
            (r#"{"monitors":[]} x"#, "body: is not valid JSON: trailing characters at line 1 column 17."),
        ];
        for (text, expected) in cases {
            assert_eq!(detail(read(text)), expected, "{text}");
        }
        let maintenance: MaintenanceList = parse_body(r#"{"maintenance":[1,2]}"#).unwrap();
        assert_eq!(maintenance.maintenance.len(), 2);
    }

    #[test]
    fn a_body_is_utf_8() {
        assert_eq!(decode_body(b"\xef\xbb\xbf{}".to_vec()), Ok("{}".to_owned()));
        assert_eq!(
            detail(decode_body(b"{\"a\":\"\xff\"}".to_vec())),
            "body: is not valid UTF-8 after 6 bytes."
        );
        assert_eq!(detail(decode_body(b"ab\xc3".to_vec())), "body: is not valid UTF-8 after 2 bytes.");
    }

    #[test]
    fn a_subscription_names_its_address_its_monitors_and_its_keys() {
        let url = "https://a.example/".to_owned();
        let read = SubscriptionRequest::parse;
        let all = SubscriptionRequest { url: url.clone(), monitors: Vec::new(), keys: None };
        assert_eq!(read(r#"{"url":"https://a.example/"}"#), Ok(all));
        let some = read(r#"{"monitors":["api","web"],"url":"https://a.example/"}"#).unwrap();
        assert_eq!(some.monitors, ["api", "web"].map(|id| id.parse().unwrap()));
        let cases = [
            (r#"{"monitors":[]}"#, "body: missing field `url`."),
            (r#"{"url":1}"#, "url: invalid type: integer `1`, expected a string."),
            (
                r#"{"url":"x","more":1}"#,
                "more: unknown field `more`, expected one of `url`, `monitors`, `keys`.",
            ),
            (
                r#"{"url":"x","monitors":"api"}"#,
                r#"monitors: invalid type: string "api", expected a sequence."#,
            ),
            (r#"{"url":"x","monitors":[1]}"#, "monitors[0]: invalid type: integer `1`, expected a string."),
            (r#"{"url":"x","keys":{"auth":"y"}}"#, "keys: missing field `p256dh`."),
            (
                r#"{"url":"x","keys":null}"#,
                "keys: invalid type: null, expected an object with `p256dh` and `auth`.",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(detail(read(text)), expected, "{text}");
        }
        assert!(detail(read(r#"{"url":"x","monitors":["a b"]}"#)).starts_with("monitors[0]: `a b` is no"));
        let many =
            |count: usize| format!(r#"{{"url":"x","monitors":[{}]}}"#, vec![r#""m""#; count].join(","));
        assert!(read(&many(20)).is_ok());
        assert_eq!(detail(read(&many(21))), "monitors: 21 ids; at most 20 are allowed.");
        let address = |text| parse_body::<AddressRequest>(text);
        assert_eq!(address(r#"{"url":"https://a.example/"}"#), Ok(AddressRequest { url, keys: None }));
        assert!(detail(address(r#"{"url":"x","monitors":["api"]}"#)).starts_with("monitors: unknown field"));
    }

    #[test]
    fn an_update_of_an_incident_changes_something() {
        let read = parse_incident_update;
        let note = |text: &str| Some(text.to_owned().try_into().unwrap());
        let cases = [
            (
                r#"{"note":" a deploy "}"#,
                IncidentUpdate { note: note("a deploy"), ..IncidentUpdate::default() },
            ),
            (r#"{"acknowledge":true}"#, IncidentUpdate { acknowledge: true, ..IncidentUpdate::default() }),
            (
                r#"{"resolve":true,"note":"x"}"#,
                IncidentUpdate { resolve: true, note: note("x"), ..IncidentUpdate::default() },
            ),
        ];
        for (text, update) in cases {
            assert_eq!(read(text), Ok(update), "{text}");
        }
        let nothing = "body: give at least one of `note`, `acknowledge` and `resolve`.";
        for text in ["{}", r#"{"resolve":false}"#, r#"{"note":null}"#] {
            assert_eq!(detail(read(text)), nothing, "{text}");
        }
        let wrong = [
            (r#"{"resolve":1}"#, "resolve: invalid type: integer `1`, expected a boolean."),
            (r#"{"note":""}"#, "note: `` must be one line of 1 to 280 bytes."),
            (r#"{"note":"a\nb"}"#, "note: `a\\nb` must be one line of 1 to 280 bytes."),
            (
                r#"{"close":true}"#,
                "close: unknown field `close`, expected one of `note`, `acknowledge`, `resolve`.",
            ),
        ];
        for (text, expected) in wrong {
            assert_eq!(detail(read(text)), expected, "{text}");
        }
    }

    #[test]
    fn an_error_repeats_the_beginning_of_a_long_value_only() {
        let text = format!(r#"{{"note":"{}"}}"#, "é".repeat(1000));
        assert!(detail(parse_incident_update(&text)).len() < 300);
        let text = format!(r#"{{"resolve":"{}"}}"#, "é".repeat(1000));
        assert!(detail(parse_incident_update(&text)).chars().count() < 320);
    }
}
