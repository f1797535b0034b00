//! What wants a token: the owner's lists and copies, and jobs that tell.

use super::node::{Node, object};
use super::operation::{Operation, answer, json, plain};
use super::schema::{
    at_most, count, entry, flag, list, matching, monitor_id, of, record, short, text, within, words,
};
use crate::config::applied::{Applied, Difference};
use crate::config::{Kind, MOST_MONITORS, Problem};
use crate::web::api::to_json;
use crate::web::routes::response::NDJSON;

/// A monitor as somebody writes it.
const MONITOR: &str = r#"{"id":"api","name":"API","kind":"http","url":"https://api.example.com/status",
    "interval":"60s","conditions":["[STATUS] == 200","[BODY].database == UP"],"group":"Backend"}"#;

/// Work as somebody writes it.
const WORK: &str = r#"{"id":"weekly","title":"Weekly restart","schedule":"0 3 * * sun","time-zone":"Europe/Berlin",
    "duration":"30m","monitors":["api"]}"#;

fn listed(name: &str, one: &str) -> String {
    [r#"{""#, name, r#"":["#, one, "]}"].concat()
}

fn applied(applied: bool) -> String {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let problem = Problem {
        position: "monitors[1].id".into(),
        reason: "`C` is no id: 1 to 40 of a-z, 0-9 and -, with no - at either end".into(),
    };
    let difference = Difference { added: ids(&["api"]), removed: ids(&["old"]), ..Difference::default() };
    let answer = if applied {
        Applied { applied, difference, problems: Vec::new() }
    } else {
        Applied { applied, difference: Difference::default(), problems: vec![problem] }
    };
    to_json(&answer)
}

/// Why a list is refused.
fn refused(schema: &str, example: &str) -> Node {
    let about = "Something in the list is wrong, all of which is told, and nothing was changed.";
    answer(about, &["NotCached"], vec![json(of(schema), example)])
}

/// `GET /api/v1/admin/monitors`.
pub(super) fn monitors() -> Operation {
    let told = [r#"{"monitors":["#, MONITOR, r#"],"wrangler":["web"]}"#].concat();
    Operation::own(
        "getMonitors",
        "The applied monitors",
        "The list that was applied last, as it was written, and the ids of the monitors that stand in `wrangler.toml`.",
        vec![json(of("AppliedMonitors"), &told)],
    )
}

/// `PUT /api/v1/admin/monitors`.
pub(super) fn apply() -> Operation {
    Operation::own(
        "applyMonitors",
        "Apply a list of monitors",
        "The whole list: what is not in it is no longer watched, and the same list twice changes nothing. One wrong entry refuses \
         all of it. While a list is being handed out to several hubs another one is refused with 409. 503 with a sentence about \
         hubs means that the list is in force and that some of them have yet to hear of it: applying it again does no harm. \
         Dependencies between monitors, and some settings of a kind, are judged by the edge alone.",
        vec![json(of("Applied"), &applied(true))],
    )
    .sending("The list.", "application/json", of("Monitors"), Node::read(&listed("monitors", MONITOR)))
    .or([409])
    .answering(422, refused("Applied", &applied(false)))
}

/// `GET /api/v1/admin/maintenance`.
pub(super) fn work() -> Operation {
    Operation::own(
        "getMaintenance",
        "Announced work",
        "The list that was put last, as it was written. What `wrangler.toml` announces is not in it.",
        vec![json(of("Maintenance"), &listed("maintenance", WORK))],
    )
}

/// `PUT /api/v1/admin/maintenance`.
pub(super) fn announce() -> Operation {
    let right = r#"{"applied":true,"problems":[]}"#;
    let wrong = r#"{"applied":false,"problems":[{"position":"maintenance[0].duration","reason":"is missing: how long it takes, such as \"30m\""}]}"#;
    Operation::own(
        "announceMaintenance",
        "Announce work",
        "The whole list, at most twenty. One wrong entry refuses all of it. 409 and 503 are as for the list of monitors.",
        vec![json(of("Announced"), right)],
    )
    .sending("The list.", "application/json", of("Maintenance"), Node::read(&listed("maintenance", WORK)))
    .or([409])
    .answering(422, refused("Announced", wrong))
}

/// The beginning and the end of a page of an export.
const PAGE: &str = "{\"schema\":7,\"hub\":0}\n{\"table\":\"ledger\",\"row\":[\"api\",1767225600000,\"up\"]}\n{\"next\":\"0-3-200\"}\n";

/// `GET /api/v1/admin/export`.
pub(super) fn export() -> Operation {
    Operation::own(
        "exportHistory",
        "A page of everything that is kept",
        "JSON lines: the first one names the schema, each of the others is a row of a table, and the last one says where the next \
         page begins, `null` at the end. The Worker's secrets are not in it; what subscribers' messages are signed with is.",
        vec![plain(NDJSON, Some(PAGE.to_owned()))],
    )
}

/// `POST /api/v1/admin/import`.
pub(super) fn import() -> Operation {
    Operation::own(
        "importHistory",
        "Take a page of an export in",
        "All of its rows or none of them; a row takes the place of one with the same key. Pages may come in any order.",
        vec![json(of("Imported"), r#"{"rows":200}"#)],
    )
    .sending("A page of an export, at most 8 MB.", NDJSON, text(), Node::from(PAGE))
    .or([409])
}

/// `POST /api/v1/heartbeats/{id}`.
pub(super) fn heartbeat() -> Operation {
    Operation::own(
        "sendHeartbeat",
        "A job says how it went",
        "Without a parameter it is a success. A start is a sign of life. The token is `HEARTBEAT_TOKEN`, which can do no more than \
         this, or `ADMIN_TOKEN`. A body is not read.",
        Vec::new(),
    )
    .told()
    .or([404])
}

/// A duration, as settings have it.
fn duration() -> Node {
    matching("^[0-9]+(\\.[0-9]+)?(ms|s|m|min|h|d)$")
}

fn monitor() -> Node {
    let conditions = || list(text());
    let header = object([(
        "anyOf",
        Node::List(vec![
            text(),
            entry(
                &["secret"],
                [
                    ("secret", "The name of a Worker secret.", text()),
                    ("prefix", "What stands before it, such as `Bearer `.", text()),
                ],
            ),
        ]),
    )]);
    let headers = object([("type", Node::from("object")), ("additionalProperties", header)]);
    let thresholds = || within(1, 100);
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    entry(
        &["id", "kind"],
        [
            ("id", "Its name in addresses, and whose history it is.", monitor_id()),
            ("name", "Its name for people; the id without it.", short(1, 80)),
            ("group", "The heading it stands under.", short(1, 80)),
            ("kind", "What it is.", words(Kind::ALL.map(Kind::as_str))),
            (
                "url",
                "Where it is: `http:`, `https:`, and `tcp://host:port` for the kind `tcp`. Not for a heartbeat.",
                text(),
            ),
            (
                "interval",
                "How often, 5 s to 24 h; of a heartbeat how often the job runs, 1 m to 31 d.",
                duration(),
            ),
            ("timeout", "How long one probe may take, 100 ms to 30 s.", duration()),
            ("retries", "Further tries within one probe.", within(0, 3)),
            ("conditions", "What has to hold.", conditions()),
            ("degraded", "What has to hold for it to be more than degraded.", conditions()),
            ("public", "`false`: nobody but the owner learns of it.", flag()),
            ("failure-threshold", "Failed probes in a row before it is down.", thresholds()),
            ("success-threshold", "Good probes in a row before that is over.", thresholds()),
            ("depends-on", "Monitors that it cannot do without.", list(monitor_id())),
            ("regions", "Not supported yet: only an empty list is taken.", at_most(0, text())),
            ("alerts", "The channels that are told.", list(monitor_id())),
            (
                "secret",
                "Of a heapbeat monitor: the name of the Worker secret that the server shares.",
                text(),
            ),
            ("method", "Of an http monitor: what is asked with.", words(methods)),
            ("headers", "What is sent along; credentials as names of Worker secrets.", headers),
            ("body", "What is sent, at most 4 kB.", text()),
            ("redirects", "Whether a redirect is followed, or is the answer.", words(["follow", "refuse"])),
            ("max-body", "How much of the answer is read, such as `64kB`.", text()),
            ("schedule", "Of a heartbeat: five cron fields.", text()),
            ("time-zone", "By whose clock; `UTC` without it.", text()),
            ("grace", "How late the job may be, at most 7 d.", duration()),
            ("longest-run", "How long one run may take.", duration()),
        ],
    )
}

fn announcement() -> Node {
    entry(
        &["id"],
        [
            ("id", "Its id, unique among them.", monitor_id()),
            ("title", "What the public reads; the id without it.", short(1, 80)),
            ("monitors", "Whom it concerns; all of them without it.", list(monitor_id())),
            ("from", "When it begins, where it is done once.", text()),
            ("to", "When it ends, 31 days later at most.", text()),
            ("schedule", "When it begins, again and again: five cron fields.", text()),
            ("time-zone", "By whose clock; `UTC` without it.", text()),
            ("duration", "How long it takes then, 1 m to 7 d.", duration()),
        ],
    )
}

/// Schemas of this file.
pub(super) fn schemas() -> Vec<(&'static str, Node)> {
    let most = i64::try_from(MOST_MONITORS).unwrap_or_default();
    let ids = || list(text());
    let problems = || list(of("ConfigurationProblem"));
    let applied = record([
        ("applied", "Whether it is in force.", flag()),
        ("added", "Watched from now on.", ids()),
        ("changed", "Watched differently from now on; their history goes on.", ids()),
        ("removed", "Watched no more.", ids()),
        ("unchanged", "As before.", ids()),
        ("problems", "What is wrong; where there is anything, nothing was changed.", problems()),
    ]);
    let announced = record([
        ("applied", "Whether it is in force.", flag()),
        ("problems", "What is wrong; where there is anything, nothing was changed.", problems()),
    ]);
    let told = record([
        ("monitors", "The list, as it was written.", list(of("MonitorEntry"))),
        ("wrangler", "The ids of those in `wrangler.toml`.", ids()),
    ]);
    let monitors = record([("monitors", "The monitors.", at_most(most, of("MonitorEntry")))]);
    let work = record([("maintenance", "Announced work.", at_most(20, of("MaintenanceEntry")))]);
    vec![
        ("Monitors", monitors.about("A list of monitors.")),
        ("AppliedMonitors", told.about("The monitors that were applied.")),
        (
            "MonitorEntry",
            monitor()
                .about("A monitor, as `monitors.toml` has it; docs/monitors.md has what each kind takes."),
        ),
        ("Applied", applied.about("What a list of monitors changes, by id.")),
        ("Maintenance", work.about("A list of announced work.")),
        ("MaintenanceEntry", announcement().about("Work: `from` and `to`, or `schedule` and `duration`.")),
        ("Announced", announced.about("What became of a list of announced work.")),
        ("Imported", record([("rows", "How many rows there were.", count())]).about("What was taken in.")),
    ]
}
