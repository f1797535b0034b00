//! The rows of an import, read by the types of their columns before anything is written. Pure.
//!
//! A row that the hub cannot read later would be lost without a word, so an import with one is refused as a whole.

use heapbeat_shared::{UnixMillis, codec};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::export_format::{Cell, TABLES};
use super::latency_codec::is_readable;
use super::latency_series::latency_chunk;
use super::settings::Setting;
use super::tick_codec::{unpack_runs, unpack_tick};
use super::ticks::SLOTS;
use crate::domain::State;
use crate::domain::engine::PersistedStates;
use crate::domain::heartbeat::JobState;
use crate::domain::history::rollup::Tier;
use crate::domain::incident::Incident;
use crate::domain::quota::QuotaUsage;
use crate::fleet::membership::Membership;
use crate::monitor_config::applied::LIST;
use crate::monitor_config::{MAX_HUBS, MAX_MONITORS, MonitorConfig, MonitorId, maintenance};
use crate::notify::subscriber::Subscription;

/// What the rows of settings are checked against.
#[derive(Clone, Copy, Debug)]
pub struct ImportRules {
    /// Whether private addresses may be probed.
    pub allow_private: bool,
    /// The most subscriptions.
    pub max_subscriptions: usize,
    /// The number of the hub that imports.
    pub hub: usize,
    /// The latest instant of any row. A hub whose last tick is in the future would skip all ticks until then.
    pub latest: UnixMillis,
}

/// A row that the hub could not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the row of `{table}` cannot be read: {reason}")]
pub struct RowError {
    table: &'static str,
    reason: String,
}

/// Checks a row of the table at an index of [`TABLES`].
pub fn check_row(table: usize, row: &[Cell], rules: ImportRules) -> Result<(), RowError> {
    let name = TABLES.get(table).map_or("", |(name, _)| name);
    let checked = match (name, row) {
        ("setting", [Cell::Text(name), Cell::Text(body)]) => check_setting(name, body, rules),
        ("heartbeat", [id, Cell::Bytes(body)]) => {
            monitor(id).and_then(|_| decode::<JobState>(body, "the report")).map(|_| ())
        }
        ("ledger", [id, Cell::Integer(from), Cell::Text(state)]) => monitor(id).and_then(|_| {
            State::from_word(state).ok_or(format!("there is no state `{}`", shorten(state)))?;
            instant(*from, rules)
        }),
        ("incident", [id, Cell::Integer(opened), closed, Cell::Bytes(body), recording]) => {
            check_incident(id, *opened, closed, body, recording).and_then(|()| instant(*opened, rules))
        }
        (
            "series",
            [
                Cell::Text(id),
                Cell::Integer(tier),
                Cell::Integer(slot),
                Cell::Integer(from),
                Cell::Bytes(data),
            ],
        ) => check_series(id, *tier, (*slot, *from), data).and_then(|()| instant(*from, rules)),
        (
            "tick",
            [
                Cell::Integer(slot),
                Cell::Integer(at),
                Cell::Integer(received),
                Cell::Bytes(probes),
                Cell::Bytes(states),
                Cell::Bytes(usage),
            ],
        ) => check_tick((*slot, *at, *received), (probes, states, usage), rules),
        _ => Err("a value has another type than its column".to_owned()),
    };
    checked.map_err(|reason| RowError { table: name, reason })
}

fn check_setting(name: &str, body: &str, rules: ImportRules) -> Result<(), String> {
    let setting = Setting::ALL.into_iter().find(|setting| setting.as_str() == name);
    match setting.ok_or_else(|| format!("there is no setting `{}`", shorten(name)))? {
        Setting::Monitors | Setting::AllMonitors => {
            let list: Vec<Value> = json(body)?;
            let parsed = MonitorConfig::parse_entries(LIST, &list, rules.allow_private, &[], MAX_MONITORS);
            first_problem(parsed.problems.iter().map(|it| (&it.position, &it.reason)))
        }
        Setting::Maintenance => {
            let (_, problems) = maintenance::parse_windows("maintenance", &json::<Vec<Value>>(body)?);
            first_problem(problems.iter().map(|it| (&it.position, &it.reason)))
        }
        Setting::Subscriptions => {
            let list: Vec<Subscription> = json(body)?;
            if list.len() > rules.max_subscriptions {
                return Err(format!(
                    "{} subscriptions; the hub allows {}",
                    list.len(),
                    rules.max_subscriptions
                ));
            }
            list.iter().enumerate().try_for_each(|(index, one)| {
                one.check(rules.allow_private).map_err(|reason| format!("subscription {index}: {reason}"))
            })
        }
        Setting::Membership => {
            let Membership { number, hub_count, out_of_sync, assignment, .. } = json(body)?;
            let is_valid = number == rules.hub
                && number < hub_count
                && hub_count <= MAX_HUBS
                && assignment.hub_count() <= hub_count
                && out_of_sync.iter().all(|hub| *hub < hub_count);
            if is_valid { Ok(()) } else { Err("it is the membership of another hub".to_owned()) }
        }
    }
}

fn check_incident(
    id: &Cell,
    opened: i64,
    closed: &Cell,
    body: &[u8],
    recording: &Cell,
) -> Result<(), String> {
    let monitor = monitor(id)?;
    let incident: Incident = decode(body, "the incident")?;
    let closed = match closed {
        Cell::Null => None,
        Cell::Integer(at) => Some(UnixMillis(*at)),
        _ => return Err("the end is not an instant".to_owned()),
    };
    if (incident.monitor, incident.opened, incident.closed) != (monitor, UnixMillis(opened), closed) {
        return Err("the incident is not the one that its other columns name".to_owned());
    }
    match recording {
        Cell::Null => Ok(()),
        Cell::Bytes(blob) => unpack_runs(blob).map(|_| ()).map_err(|error| error.to_string()),
        _ => Err("the recording is not bytes".to_owned()),
    }
}

fn check_series(id: &str, tier: i64, (slot, from): (i64, i64), data: &[u8]) -> Result<(), String> {
    let (latency_tier, begin, place) = latency_chunk(UnixMillis(from));
    let (begin, place) = if id.is_empty() && tier == latency_tier {
        if !is_readable(data) {
            return Err("the latencies are damaged".to_owned());
        }
        (begin, place)
    } else {
        monitor(&Cell::Text(id.to_owned()))?;
        let tier = Tier::ALL.into_iter().find(|known| known.number() == tier);
        unpack_runs(data).map_err(|error| error.to_string())?;
        tier.ok_or("there is no such resolution")?.chunk_slot(UnixMillis(from))
    };
    if (begin, place) == (UnixMillis(from), slot) {
        Ok(())
    } else {
        Err(format!("the chunk of {from} is not in slot {slot}"))
    }
}

fn check_tick(
    (slot, at, received): (i64, i64, i64),
    (probes, states, usage): (&[u8], &[u8], &[u8]),
    rules: ImportRules,
) -> Result<(), String> {
    if !(0..SLOTS).contains(&slot) {
        return Err(format!("there is no slot {slot}"));
    }
    instant(at, rules)?;
    instant(received, rules)?;
    unpack_tick(probes).map_err(|error| error.to_string())?;
    decode::<PersistedStates>(states, "the states")?;
    decode::<QuotaUsage>(usage, "the usage of quotas").map(|_| ())
}

fn monitor(cell: &Cell) -> Result<MonitorId, String> {
    let Cell::Text(text) = cell else { return Err("the id of a monitor is not text".to_owned()) };
    text.parse().map_err(|_| format!("`{}` is not the id of a monitor", shorten(text)))
}

/// An instant from 1970 until now.
fn instant(at: i64, rules: ImportRules) -> Result<(), String> {
    match at {
        ..0 => Err(format!("{at} is not an instant")),
        at if at > rules.latest.0 => Err(format!("{} is in the future", UnixMillis(at).to_rfc3339())),
        _ => Ok(()),
    }
}

fn decode<T: for<'b> minicbor::Decode<'b, ()>>(bytes: &[u8], what: &str) -> Result<T, String> {
    codec::decode(bytes).map_err(|_| format!("{what} is damaged"))
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn first_problem<'p>(mut problems: impl Iterator<Item = (&'p String, &'p String)>) -> Result<(), String> {
    problems.next().map_or(Ok(()), |(position, reason)| Err(format!("{position}: {reason}")))
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::Severity;
    use crate::store::tick_codec::{pack_runs, pack_tick};

    const RULES: ImportRules = ImportRules {
        allow_private: false,
        max_subscriptions: 2,
        hub: 0,
        latest: UnixMillis(AT + 3_600_000),
    };
    const AT: i64 = 1_767_225_600_000;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    fn check(table: &str, row: impl AsRef<[Cell]>) -> Result<(), String> {
        let index = TABLES.iter().position(|(name, _)| *name == table).unwrap();
        check_row(index, row.as_ref(), RULES).map_err(|error| error.to_string())
    }

    fn tick() -> Vec<Cell> {
        vec![
            Cell::Integer(7),
            Cell::Integer(AT),
            Cell::Integer(AT),
            Cell::Bytes(pack_tick(&[], 0)),
            Cell::Bytes(codec::encode(&PersistedStates::new())),
            Cell::Bytes(codec::encode(&QuotaUsage::default())),
        ]
    }

    fn chunk(slot: i64) -> Vec<Cell> {
        vec![
            text("api"),
            Cell::Integer(0),
            Cell::Integer(slot),
            Cell::Integer(AT),
            Cell::Bytes(pack_runs(&[])),
        ]
    }

    fn incident() -> Vec<Cell> {
        let incident = Incident::new("api".parse().unwrap(), UnixMillis(AT), Severity::Down);
        let body = Cell::Bytes(codec::encode(&incident));
        vec![text("api"), Cell::Integer(AT), Cell::Null, body, Cell::Null]
    }

    #[test]
    fn rows_that_the_hub_wrote_are_accepted() {
        let slot = Tier::Second.chunk_slot(UnixMillis(AT)).1;
        let rows = [
            ("ledger", vec![text("api"), Cell::Integer(AT), text("up")]),
            ("heartbeat", vec![text("job"), Cell::Bytes(codec::encode(&JobState::default()))]),
            ("series", chunk(slot)),
            ("tick", tick()),
            ("incident", incident()),
            (
                "setting",
                vec![text("monitors"), text(r#"[{"id":"a","kind":"http","url":"https://a.example"}]"#)],
            ),
            ("setting", vec![text("maintenance"), text("[]")]),
            ("setting", vec![text("subscriptions"), text("[]")]),
            (
                "setting",
                vec![text("membership"), text(&serde_json::to_string(&Membership::default()).unwrap())],
            ),
        ];
        for (table, row) in rows {
            assert_eq!(check(table, row.clone()), Ok(()), "{table}: {row:?}");
        }
    }

    #[test]
    fn a_row_that_the_hub_could_not_read_is_refused() {
        let with = |mut row: Vec<Cell>, index: usize, cell: Cell| {
            row[index] = cell;
            row
        };
        let ledger = || vec![text("api"), Cell::Integer(AT), text("up")];
        let setting = |name: &str, body: &str| ("setting", vec![text(name), text(body)]);
        let slot = Tier::Second.chunk_slot(UnixMillis(AT)).1;
        let two = Membership { number: 1, hub_count: 2, ..Membership::default() };
        let rows = [
            ("ledger", with(ledger(), 0, text("A B"))),
            ("ledger", with(ledger(), 1, Cell::Integer(-1))),
            ("ledger", with(ledger(), 1, text("yesterday"))),
            ("ledger", with(ledger(), 2, text("sideways"))),
            ("heartbeat", vec![text("job"), Cell::Bytes(vec![0xff])]),
            ("heartbeat", vec![text(""), Cell::Bytes(codec::encode(&JobState::default()))]),
            ("series", chunk(slot + 1)),
            ("series", with(chunk(slot), 1, Cell::Integer(9))),
            ("series", with(chunk(slot), 4, Cell::Bytes(vec![9]))),
            ("series", with(with(chunk(slot), 0, text("")), 1, Cell::Integer(3))),
            ("ledger", with(ledger(), 1, Cell::Integer(AT + 3_600_001))),
            ("tick", with(tick(), 1, Cell::Integer(253_402_300_799_999))),
            ("tick", with(tick(), 0, Cell::Integer(1536))),
            ("tick", with(tick(), 3, Cell::Bytes(vec![]))),
            ("tick", with(tick(), 4, Cell::Bytes(vec![0x9f]))),
            ("tick", with(tick(), 5, Cell::Null)),
            ("incident", with(incident(), 0, text("web"))),
            ("incident", with(incident(), 2, Cell::Integer(AT))),
            ("incident", with(incident(), 3, Cell::Bytes(vec![]))),
            ("incident", with(incident(), 4, Cell::Bytes(vec![1]))),
            setting("fleet", "7 9"),
            setting("membership", "7 9"),
            setting("membership", &serde_json::to_string(&two).unwrap()),
            setting("monitors", "{}"),
            setting("monitors", r#"[{"id":"a","kind":"http","url":"http://169.254.169.254/"}]"#),
            setting("maintenance", r#"[{"id":"x"}]"#),
            setting("subscriptions", r#"[{"url":"https://a.example"}]"#),
            setting(
                "subscriptions",
                r#"[{"url":"http://169.254.169.254/","delivery":{"Webhook":{"secret":"whsec_AAAA"}},"monitors":[]}]"#,
            ),
            setting(
                "membership",
                r#"{"number":0,"hub_count":1,"out_of_sync":[],"assignment":[[44,"a",true]]}"#,
            ),
        ];
        for (table, row) in rows {
            let refused = check(table, row.clone());
            assert!(refused.is_err_and(|reason| reason.contains(table)), "{table}: {row:?}");
        }
    }
}
