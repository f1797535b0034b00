//! Converts Gatus's YAML to monitors, with notes on what cannot be converted.

use heapbeat_monitors::MonitorConfig;
use heapbeat_monitors::applied::LIST;
use heapbeat_monitors::condition::Condition;
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Map, Value, json};

use super::names::{UniqueIds, secret_name, to_id};

/// The result of one endpoint.
#[derive(Debug, Default)]
pub(super) struct ConvertedEndpoint {
    /// The monitor; `None` if the endpoint cannot be one.
    pub(super) entry: Option<Map<String, Value>>,
    /// Settings that were not converted, with the reasons.
    pub(super) notes: Vec<String>,
}

/// The most items within each other in one line. A configuration of Gatus has one.
const MAX_NESTED_ITEMS: usize = 64;

/// Counts the items that begin one within the other, as in `- - - 1`. `saphyr` bounds the depth of `[[[1]]]`, but not of these, and
/// overflows the stack.
fn count_nested_items(line: &str) -> usize {
    line.split([' ', '\t'])
        .take_while(|word| matches!(*word, "" | "-" | "?" | ":"))
        .filter(|word| !word.is_empty())
        .count()
}

/// Converts a configuration; the endpoints keep their order.
pub(super) fn convert(text: &str) -> Result<Vec<ConvertedEndpoint>, String> {
    if text.lines().any(|line| count_nested_items(line) > MAX_NESTED_ITEMS) {
        return Err("the file is nested too deeply".to_owned());
    }
    let documents = Yaml::load_from_str(text).map_err(|error| format!("the file is not YAML: {error}"))?;
    let root = documents.first().ok_or("the file is empty")?;
    let list = |name: &str| root.as_mapping_get(name).and_then(|list| list.as_sequence());
    let (endpoints, external) = (list("endpoints"), list("external-endpoints"));
    if endpoints.is_none() && external.is_none() {
        return Err("there are no endpoints; the file must be a configuration of Gatus".to_owned());
    }
    let mut ids = UniqueIds::default();
    let mut found: Vec<_> =
        endpoints.into_iter().flatten().map(|item| convert_endpoint(item, &mut ids)).collect();
    found.extend(external.into_iter().flatten().map(|item| convert_external_endpoint(item, &mut ids)));
    Ok(found)
}

/// Returns a field that is text.
fn text_field<'y>(item: &'y Yaml<'_>, name: &str) -> Option<&'y str> {
    item.as_mapping_get(name)?.as_str()
}

/// Formats a scalar as text; `None` for a list or a table.
fn scalar_to_text(item: &Yaml<'_>) -> Option<String> {
    let number = || item.as_integer().map(|number| number.to_string());
    let float = || item.as_floating_point().map(|number| number.to_string());
    let truth = || item.as_bool().map(|truth| truth.to_string());
    item.as_str().map(str::to_owned).or_else(number).or_else(float).or_else(truth)
}

/// Returns the name, and the fields that every kind of monitor has.
fn common_fields(item: &Yaml<'_>, ids: &mut UniqueIds) -> (String, Map<String, Value>) {
    let name = text_field(item, "name").unwrap_or("unnamed");
    let group = text_field(item, "group").unwrap_or_default();
    let id = ids.make_unique(&to_id(&format!("{group} {name}")));
    let mut entry = Map::new();
    entry.insert("id".to_owned(), json!(id));
    entry.insert("name".to_owned(), json!(name));
    if !group.is_empty() {
        entry.insert("group".to_owned(), json!(group));
    }
    (name.to_owned(), entry)
}

fn convert_endpoint(item: &Yaml<'_>, ids: &mut UniqueIds) -> ConvertedEndpoint {
    let (name, mut entry) = common_fields(item, ids);
    let mut notes = Vec::new();
    let mut note = |text: String| notes.push(format!("{name}: {text}"));
    if item.as_mapping_get("enabled").and_then(Yaml::as_bool) == Some(false) {
        note("the endpoint is disabled, and was not converted".to_owned());
        return ConvertedEndpoint { entry: None, notes };
    }
    let url = text_field(item, "url").unwrap_or_default();
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let kind = match scheme {
        "http" | "https" => "http",
        "tcp" => "tcp",
        _ => "",
    };
    let unsupported = ["dns", "ssh"].into_iter().find(|block| item.as_mapping_get(block).is_some());
    if kind.is_empty() || unsupported.is_some() {
        let what =
            unsupported.unwrap_or(if scheme.is_empty() { "an address without a scheme" } else { scheme });
        note(format!("a Worker cannot probe {what}; the endpoint was not converted"));
        return ConvertedEndpoint { entry: None, notes };
    }
    entry.insert("kind".to_owned(), json!(kind));
    entry.insert("url".to_owned(), json!(url));
    convert_conditions(item, &mut entry, &mut note);
    let client = item.as_mapping_get("client");
    let timeout = client.and_then(|client| text_field(client, "timeout"));
    for (name, value) in [("interval", text_field(item, "interval")), ("timeout", timeout)] {
        if let Some(value) = value {
            entry.insert(name.to_owned(), json!(value));
        }
    }
    if kind == "http" {
        convert_request(item, client, &mut entry, &mut note);
    }
    convert_thresholds(item, &mut entry, &mut note);
    for unknown in ["maintenance-windows", "extra-labels"] {
        if item.as_mapping_get(unknown).is_some() {
            note(format!("{unknown} were not converted"));
        }
    }
    remove_invalid_fields(entry, notes, &name)
}

fn convert_conditions(item: &Yaml<'_>, entry: &mut Map<String, Value>, note: &mut impl FnMut(String)) {
    let mut valid = Vec::new();
    for condition in
        item.as_mapping_get("conditions").and_then(|list| list.as_sequence()).into_iter().flatten()
    {
        let Some(condition) = condition.as_str() else { continue };
        match Condition::parse(condition) {
            Ok(_) => valid.push(condition),
            Err(error) => note(format!("the condition `{condition}` was not converted: {error}")),
        }
    }
    if !valid.is_empty() {
        entry.insert("conditions".to_owned(), json!(valid));
    }
}

fn convert_request(
    item: &Yaml<'_>,
    client: Option<&Yaml<'_>>,
    entry: &mut Map<String, Value>,
    note: &mut impl FnMut(String),
) {
    let flag = |table: Option<&Yaml<'_>>, name: &str| {
        table.and_then(|table| table.as_mapping_get(name)).and_then(Yaml::as_bool) == Some(true)
    };
    if flag(client, "ignore-redirect") {
        entry.insert("redirects".to_owned(), json!("refuse"));
    }
    if flag(client, "insecure") {
        note("client.insecure was not converted: a Worker always validates certificates".to_owned());
    }
    if let Some(method) = text_field(item, "method") {
        entry.insert("method".to_owned(), json!(method));
    }
    if let Some(body) = text_field(item, "body") {
        if flag(Some(item), "graphql") {
            entry.insert("body".to_owned(), json!(json!({ "query": body }).to_string()));
        } else {
            entry.insert("body".to_owned(), json!(body));
        }
        if ["[ENDPOINT_", "[LOCAL_ADDRESS]", "[RANDOM_STRING_"].iter().any(|place| body.contains(place)) {
            note("the placeholders in the body are sent unchanged".to_owned());
        }
    }
    let id = entry["id"].as_str().unwrap_or_default().to_owned();
    let mut headers = Map::new();
    for (name, value) in
        item.as_mapping_get("headers").and_then(|table| table.as_mapping()).into_iter().flatten()
    {
        let (Some(name), Some(value)) = (name.as_str(), scalar_to_text(value)) else { continue };
        let alone =
            json!({ "id": "a", "kind": "http", "url": "https://a.example", "headers": { name: value } });
        if MonitorConfig::parse_entries(LIST, &[alone], true, &[], 1).problems.is_empty() {
            headers.insert(name.to_owned(), json!(value));
            continue;
        }
        let secret = secret_name(&format!("{id} {name}"));
        let prefix = ["Bearer ", "Basic ", "Token "].into_iter().find(|prefix| value.starts_with(prefix));
        let mut table = Map::from_iter([("secret".to_owned(), json!(secret))]);
        if let Some(prefix) = prefix {
            table.insert("prefix".to_owned(), json!(prefix));
        }
        headers.insert(name.to_owned(), Value::Object(table));
        let rest = prefix.map_or_else(String::new, |prefix| format!(", without `{prefix}`,"));
        note(format!(
            "the value of the header {name} was not converted; set it{rest} with `wrangler secret put {secret}`"
        ));
    }
    if !headers.is_empty() {
        entry.insert("headers".to_owned(), Value::Object(headers));
    }
}

/// Converts the thresholds, which Gatus has per alert; those of the first alert are used.
fn convert_thresholds(item: &Yaml<'_>, entry: &mut Map<String, Value>, note: &mut impl FnMut(String)) {
    let Some(alerts) = item.as_mapping_get("alerts").and_then(|list| list.as_sequence()) else { return };
    let types: Vec<_> = alerts.iter().filter_map(|alert| text_field(alert, "type")).collect();
    if !types.is_empty() {
        note(format!(
            "its alerts ({}) were not converted; alert channels are configured under [[vars.ALERTS]]",
            types.join(", ")
        ));
    }
    for name in ["failure-threshold", "success-threshold"] {
        let figure = alerts.iter().find_map(|alert| alert.as_mapping_get(name)?.as_integer());
        if let Some(figure) = figure {
            entry.insert(name.to_owned(), json!(figure));
        }
    }
}

fn convert_external_endpoint(item: &Yaml<'_>, ids: &mut UniqueIds) -> ConvertedEndpoint {
    let (name, mut entry) = common_fields(item, ids);
    let mut notes = Vec::new();
    let interval = item.as_mapping_get("heartbeat").and_then(|heartbeat| text_field(heartbeat, "interval"));
    let Some(interval) = interval else {
        notes.push(format!("{name}: an external endpoint without a heartbeat interval cannot be monitored; it was not converted"));
        return ConvertedEndpoint { entry: None, notes };
    };
    entry.insert("kind".to_owned(), json!("heartbeat"));
    entry.insert("interval".to_owned(), json!(interval));
    entry.insert("grace".to_owned(), json!("0s"));
    let id = entry["id"].as_str().unwrap_or_default();
    notes.push(format!(
        "{name}: the job must now call POST /api/v1/heartbeats/{id} with the secret HEARTBEAT_TOKEN"
    ));
    convert_thresholds(item, &mut entry, &mut |text| notes.push(format!("{name}: {text}")));
    remove_invalid_fields(entry, notes, &name)
}

/// Removes the fields that the validation of monitors refuses, with a note on each.
fn remove_invalid_fields(
    mut entry: Map<String, Value>,
    mut notes: Vec<String>,
    name: &str,
) -> ConvertedEndpoint {
    for _ in 0..8 {
        let config = MonitorConfig::parse_entries(LIST, &[Value::Object(entry.clone())], true, &[], 1);
        let Some(problem) = config.problems.first() else {
            return ConvertedEndpoint { entry: Some(entry), notes };
        };
        let field =
            problem.position.trim_start_matches("monitors[0].").split(['.', '[']).next().unwrap_or_default();
        let reason = &problem.reason;
        if matches!(field, "id" | "kind" | "url") || entry.remove(field).is_none() {
            notes.push(format!("{name}: the endpoint was not converted: {field}: {reason}"));
            return ConvertedEndpoint { entry: None, notes };
        }
        notes.push(format!("{name}: {field} was not converted: {reason}"));
    }
    ConvertedEndpoint { entry: None, notes }
}

#[cfg(test)]
mod tests {
    use super::super::monitors_toml;
    use super::*;

    const GATUS: &str = r#"
alerting: { slack: { webhook-url: "https://hooks.slack.example/secret" } }
endpoints:
  - name: Front End
    group: core
    url: "https://example.org/health"
    interval: 5m
    method: POST
    body: '{"a": 1}'
    headers:
      Content-Type: application/json
      Authorization: Bearer hunter2
      X-Number: 5
    client: { timeout: 3s, ignore-redirect: true, insecure: true }
    conditions:
      - "[STATUS] == 200"
      - "[CERTIFICATE_EXPIRATION] > 48h"
      - "[BODY].status == UP"
    alerts:
      - type: slack
        failure-threshold: 5
        success-threshold: 2
  - name: Front End
    group: core
    url: "tcp://example.org:5432"
    conditions: ["[CONNECTED] == true"]
  - name: ping
    url: "icmp://example.org"
    conditions: ["[CONNECTED] == true"]
  - name: names
    url: "8.8.8.8"
    dns: { query-name: example.org, query-type: A }
    conditions: ["[DNS_RCODE] == NOERROR"]
  - name: rare
    url: "https://example.org"
    interval: 48h
    conditions: ["[STATUS] == 200"]
  - name: off
    enabled: false
    url: "https://example.org"
external-endpoints:
  - name: backup
    token: hunter3
    heartbeat: { interval: 24h }
  - name: pushed
    token: hunter4
"#;

    #[test]
    fn a_configuration_is_converted_with_notes_on_the_rest() {
        let found = convert(GATUS).unwrap();
        let text = monitors_toml::format_file(&found);
        let expected = r#"# Converted from a Gatus configuration by `heapbeat convert`. docs/monitors.md describes all settings.

# Front End: the condition `[CERTIFICATE_EXPIRATION] > 48h` was not converted: [CERTIFICATE_EXPIRATION] is not available in a Worker: the platform exposes neither the address nor the certificate of a connection
# Front End: client.insecure was not converted: a Worker always validates certificates
# Front End: the value of the header Authorization was not converted; set it, without `Bearer `, with `wrangler secret put CORE_FRONT_END_AUTHORIZATION`
# Front End: its alerts (slack) were not converted; alert channels are configured under [[vars.ALERTS]]
[[monitors]]
id = "core-front-end"
name = "Front End"
group = "core"
kind = "http"
url = "https://example.org/health"
body = '{"a": 1}'
conditions = ["[STATUS] == 200", "[BODY].status == UP"]
failure-threshold = 5
interval = "5m"
method = "POST"
redirects = "refuse"
success-threshold = 2
timeout = "3s"

[monitors.headers]
Content-Type = "application/json"
X-Number = "5"

[monitors.headers.Authorization]
prefix = "Bearer "
secret = "CORE_FRONT_END_AUTHORIZATION"

[[monitors]]
id = "core-front-end-2"
name = "Front End"
group = "core"
kind = "tcp"
url = "tcp://example.org:5432"
conditions = ["[CONNECTED] == true"]

# ping: a Worker cannot probe icmp; the endpoint was not converted

# names: a Worker cannot probe dns; the endpoint was not converted

# rare: interval was not converted: must be from 5s to 24h, got `48h`
[[monitors]]
id = "rare"
name = "rare"
kind = "http"
url = "https://example.org"
conditions = ["[STATUS] == 200"]

# off: the endpoint is disabled, and was not converted

# backup: the job must now call POST /api/v1/heartbeats/backup with the secret HEARTBEAT_TOKEN
[[monitors]]
id = "backup"
name = "backup"
kind = "heartbeat"
grace = "0s"
interval = "24h"

# pushed: an external endpoint without a heartbeat interval cannot be monitored; it was not converted
"#;
        assert_eq!(text, expected);
        assert!(!text.contains("hunter"), "a secret was written");
    }

    #[test]
    fn a_file_that_is_not_a_configuration_of_gatus_is_refused() {
        for (text, reason) in [
            ("", "the file is empty"),
            ("a: 1", "there are no endpoints"),
            ("a: [", "is not YAML"),
            ("- 1", "there are no endpoints"),
            (&*"- ".repeat(100_000), "nested too deeply"),
            (&*"? - ".repeat(100_000), "nested too deeply"),
            (&*"[".repeat(100_000), "is not YAML"),
        ] {
            let error = convert(text).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
