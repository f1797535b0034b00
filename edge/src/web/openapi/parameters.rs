//! What may stand behind the `?` of each path, with its bounds, and what `{id}` stands for.

use super::node::{Node, object, texts};
use super::operation::{parameter, such_as};
use super::schema::{incident_id, matching, monitor_id, text, within, words};
use crate::domain::history::ledger;
use crate::domain::incident::id::LAST_SECOND;
use crate::hub_api::NamedRange;
use crate::web::api::badge::{MAX_LABEL, Metric, Style};
use crate::web::page::LANGUAGES;
use crate::web::routes::endpoint::{Access, Endpoint, IdKind, Operation};
use crate::web::routes::parameters::{DEFAULT_LIMIT, LAST_MS, MAX_LIMIT};

/// Every parameter of an operation.
pub(super) fn of(path: &Endpoint, operation: &Operation) -> Vec<Node> {
    let mut all = Vec::new();
    if path.id != IdKind::None {
        all.push(id(path.id));
    }
    if operation.access == Access::Page {
        all.push(language());
        if path.id == IdKind::Monitor {
            all.extend(stretch());
        }
        return all;
    }
    all.extend(operation.parameters.iter().map(|name| query(path.template, name)));
    all
}

fn id(kind: IdKind) -> Node {
    if kind == IdKind::Incident {
        let about = "The id of an incident, as `/api/v1/incidents` tells it.";
        return such_as(parameter("id", "path", about, incident_id()), "api-1767225600");
    }
    such_as(parameter("id", "path", "The id of a monitor.", monitor_id()), "api")
}

/// A parameter that the front takes.
///
/// # Panics
///
/// Where it is not described.
fn query(template: &str, name: &str) -> Node {
    let one = |about: &str, schema| parameter(name, "query", about, schema);
    match (template, name) {
        (_, "window") => such_as(one("How far back from now: a duration up to 91 days.", duration()), "24h")
            .with_default("24h"),
        ("/api/v1/monitors/{id}/memory" | "/api/v1/monitors/{id}/latency", "from" | "to") => instant(name),
        (_, "limit") => one("How many there are on a page.", within(1, MAX_LIMIT.into()))
            .with_default(i64::from(DEFAULT_LIMIT)),
        (_, "before") => {
            let id = format!("^[a-z0-9]([a-z0-9-]{{0,38}}[a-z0-9])?-({})$", up_to(LAST_SECOND));
            such_as(
                one(
                    "Goes on behind the incident of this id; `next` of the page before has it.",
                    matching(&id),
                ),
                "api-1767225600",
            )
        }
        (_, "metric") => {
            one("What the badge shows.", words(Metric::ALL.map(Metric::as_str))).with_default("status")
        }
        (_, "style") => one("How it looks.", words(Style::ALL.map(Style::as_str))).with_default("flat"),
        (_, "label") => {
            let longest_label = i64::try_from(MAX_LABEL).unwrap_or_default();
            let about = "What stands on its left; the monitor's name or the metric where it is not given.";
            such_as(one(about, matching(ONE_LINE).with("maxLength", longest_label)), "API")
        }
        (_, "event") => event(),
        (_, "exit") => exit(),
        (_, "dry-run") => one("Only tells what the list would change.", words(["true"])),
        ("/api/v1/admin/export", _) => {
            let about = "Where the page begins, as the last line of the page before says; without it, at the beginning.";
            such_as(one(about, matching("^[0-9-]{0,40}$")), "0-0")
        }
        (_, "schema") => {
            let about = "The number that the first line of the export says. A hub takes in pages of its own schema only.";
            let own = crate::store::Store::schema();
            one(about, within(own, own)).with("required", true)
        }
        _ => panic!("the parameter {name} of {template} is not described"),
    }
}

/// Text without control characters.
const ONE_LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

fn instant(name: &str) -> Node {
    let (about, example) = match name {
        "from" => (
            "Where the stretch begins, before `to`: an instant of RFC 3339, of which fractions of a second are cut, or \
             milliseconds since 1970.",
            "2026-01-01T00:00:00Z",
        ),
        _ => ("Where it ends; now, where it is not given. Written as `from` is.", "2026-01-01T03:00:00Z"),
    };
    let written = text().with("format", "date-time");
    let either = object([("anyOf", Node::List(vec![within(1, LAST_MS), written]))]);
    such_as(parameter(name, "query", about, either), example)
}

fn duration() -> Node {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let longest = i64::try_from(ledger::KEPT.as_millis()).unwrap_or_default();
    let each = units.map(|(unit, ms)| format!("({}){unit}", up_to(longest / ms)));
    matching(&format!("^({})$", each.join("|")))
}

/// A parameter of a page, which passes over what it does not know.
fn loose<'e>(name: &str, about: &str, examples: impl IntoIterator<Item = &'e str>) -> Node {
    parameter(name, "query", about, text().with("examples", texts(examples)))
}

fn language() -> Node {
    let about = "The language of the page: `en`, `de`, `fr`, `es`, `zh` or `ja`. Anything else is passed over, and \
                 `Accept-Language` decides.";
    loose("lang", about, LANGUAGES.map(|(tag, _)| tag))
}

/// What a monitor's page shows.
fn stretch() -> [Node; 3] {
    let about = "The stretch that the charts show: `1h`, `24h`, `7d`, `30d` or `90d`. Anything else is passed over, and it is a day.";
    let instant = |name, about| loose(name, about, ["2026-01-01T00:00:00Z"]);
    [
        loose("range", about, NamedRange::ALL.map(NamedRange::as_str)),
        instant(
            "from",
            "Where any other stretch begins: an instant, as the API takes it. It goes with `to`.",
        ),
        instant("to", "Where that ends. What cannot be read is passed over."),
    ]
}

fn event() -> Node {
    let about =
        "What the job says: it begins, it went well, or it did not. Without `event` and `exit` it went well.";
    parameter("event", "query", about, words(["start", "success", "fail"]))
}

fn exit() -> Node {
    let about = "The job's exit code, of which 0 is a success; it goes with `event=fail` or alone.";
    such_as(parameter("exit", "query", about, within(0, u16::MAX.into())), 0)
}

impl Node {
    /// What holds where the parameter is not given.
    fn with_default(mut self, value: impl Into<Node>) -> Node {
        if let Node::Object(fields) = &mut self
            && let Some((_, schema)) = fields.iter_mut().find(|(name, _)| name == "schema")
        {
            let taken = std::mem::replace(schema, Node::List(Vec::new()));
            *schema = taken.with("default", value);
        }
        self
    }
}

/// An expression for the whole numbers from 1 to `most`, as they are usually written.
fn up_to(most: i64) -> String {
    let digits = most.to_string();
    let mut all = Vec::new();
    // Fewer digits than `most` has.
    match digits.len() {
        1 => {}
        2 => all.push("[1-9]".to_owned()),
        length => all.push(format!("[1-9][0-9]{{0,{}}}", length - 2)),
    }
    // As many, and smaller from some place on.
    for (place, digit) in digits.bytes().enumerate() {
        let least = if place == 0 { b'1' } else { b'0' };
        if digit > least {
            let class = |from: u8, to: u8| {
                if from == to {
                    char::from(from).to_string()
                } else {
                    format!("[{}-{}]", char::from(from), char::from(to))
                }
            };
            let rest = match digits.len() - place - 1 {
                0 => String::new(),
                1 => "[0-9]".to_owned(),
                rest => format!("[0-9]{{{rest}}}"),
            };
            all.push(format!("{}{}{rest}", &digits[..place], class(least, digit - 1)));
        }
    }
    all.push(digits);
    all.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_for_numbers() {
        assert_eq!(up_to(91), "[1-9]|[1-8][0-9]|90|91");
        assert_eq!(up_to(2184), "[1-9][0-9]{0,2}|1[0-9]{3}|20[0-9]{2}|21[0-7][0-9]|218[0-3]|2184");
        assert_eq!(up_to(7), "[1-6]|7");
    }
}
