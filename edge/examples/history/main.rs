//! Generates ninety days of history of a hub: rows for `POST /api/v1/admin/import`, written by the edge's own code.
//!
//! Tests need a past, and a day of real ticks takes half a minute. The input is one line of JSON,
//! `{"monitors":[…],"days":90,"until":<ms>,"received":<ms>,"memory":4}`: the configured monitors, the last tick, the edge's own clock at
//! that tick, and the number of heapbeat monitors that sign reports. The output is rows, always the same for the same input. The last
//! day is run tick by tick through the real [`Engine`](heapbeat_edge::domain::engine::Engine); older days are written from the same
//! scenarios. `{"reports":{…}}` generates a signed server's day instead (`reports.rs`). `tests/e2e/support/seed-history.mjs` uses it.

mod last_day;
mod memory;
mod older;
mod reports;
mod rows;
mod scenario;

use std::io::Read as _;
use std::process::ExitCode;

use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_shared::UnixMillis;
use serde_json::Value;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The input.
struct HistoryRequest {
    config: MonitorConfig,
    /// The first instant, and the last tick.
    span: (i64, i64),
    /// The edge's own clock at the last tick.
    received: UnixMillis,
    /// The number of heapbeat monitors that sign reports.
    memory: usize,
}

impl HistoryRequest {
    fn read(value: &Value) -> Result<Self, String> {
        let number = |name: &str| value.get(name).and_then(Value::as_i64).ok_or(format!("{name} is missing"));
        let list = value.get("monitors").ok_or("monitors is missing")?.to_string();
        let config = MonitorConfig::parse(Some(&list), true);
        if let Some(problem) = config.problems.first() {
            return Err(format!("{}: {}", problem.position, problem.reason));
        }
        let until = number("until")?;
        if until % MINUTE != 0 {
            return Err("until is no whole minute".to_owned());
        }
        let days = number("days")?;
        if !(2..=91).contains(&days) {
            return Err("days is between 2 and 91".to_owned());
        }
        Ok(HistoryRequest {
            config,
            span: (until - days * DAY, until),
            received: UnixMillis(number("received")?),
            memory: usize::try_from(number("memory")?).unwrap_or(0),
        })
    }
}

fn main() -> ExitCode {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string());
    match read.and_then(|_| generate(&text)) {
        Ok(lines) => {
            print!("{lines}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("history: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Generates what a line of JSON asks for.
fn generate(text: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value.get("reports") {
        Some(wanted) => {
            reports::generate_reports(wanted).ok_or("reports have from, until and deaths".to_owned())
        }
        None => HistoryRequest::read(&value).map(|request| generate_rows(&request)),
    }
}

/// Generates all rows, one a line.
fn generate_rows(request: &HistoryRequest) -> String {
    let scenarios = scenario::generate_all(request);
    let mut rows = rows::Rows::default();
    older::write(&scenarios, request, &mut rows);
    last_day::write(&scenarios, request, &mut rows);
    rows.lines()
}
