//! Ninety days of a hub that never ran: rows for `POST /api/v1/admin/import`, made by the edge's own code.
//!
//! Pages and proofs need a past, and a day of real ticks takes half a minute. One line of JSON comes in
//! (`{"monitors":[…],"days":90,"until":<ms>,"came":<ms>,"memory":4}`: the list as it is configured, the last tick, the edge's
//! own clock at it, and how many heapbeat monitors sign reports), rows come out, the same for the same line. The last day goes
//! tick by tick through the real [`Engine`](heapbeat_edge::domain::engine::Engine), what is older is written from the same
//! stories. `{"reports":{…}}` asks for a signed server's day instead (`reports.rs`). Used by `tests/e2e/support/seed-history.mjs`.

mod last_day;
mod memory;
mod older;
mod reports;
mod rows;
mod story;

use std::io::Read as _;
use std::process::ExitCode;

use heapbeat_edge::config::Config;
use heapbeat_shared::UnixMillis;
use serde_json::Value;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What is wanted.
struct Wanted {
    config: Config,
    /// The first instant of the past, and the last tick.
    span: (i64, i64),
    /// The edge's own clock at the last tick.
    came: UnixMillis,
    /// Heapbeat monitors that sign reports.
    memory: usize,
}

impl Wanted {
    fn read(value: &Value) -> Result<Self, String> {
        let number = |name: &str| value.get(name).and_then(Value::as_i64).ok_or(format!("{name} is missing"));
        let list = value.get("monitors").ok_or("monitors is missing")?.to_string();
        let config = Config::parse(Some(&list), true);
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
        Ok(Wanted {
            config,
            span: (until - days * DAY, until),
            came: UnixMillis(number("came")?),
            memory: usize::try_from(number("memory")?).unwrap_or(0),
        })
    }
}

fn main() -> ExitCode {
    let mut text = String::new();
    let wanted = std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string());
    match wanted.and_then(|_| answer(&text)) {
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

/// What a line of JSON asks for.
fn answer(text: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value.get("reports") {
        Some(wanted) => reports::told(wanted).ok_or("reports have from, until and deaths".to_owned()),
        None => Wanted::read(&value).map(|wanted| told(&wanted)),
    }
}

/// All rows, a line each.
fn told(wanted: &Wanted) -> String {
    let stories = story::all(wanted);
    let mut rows = rows::Rows::default();
    older::write(&stories, wanted, &mut rows);
    last_day::write(&stories, wanted, &mut rows);
    rows.lines()
}
