//! Random weeks for tests in workerd (`tests/e2e/alerts/random-weeks.test.mjs`): prints the script of a week, and judges what was made of it
//! by the model of the native test (`edge/tests/random_weeks`).
//!
//!     week script SEED TICKS URL           prints the script, with the list of monitors, which answer at URL, whenever it changes
//!     week judge SEED TICKS < record.json  prints what the week had, or fails with what was wrong

#[path = "../tests/random_weeks/model.rs"]
mod model;

use std::io;
use std::process::ExitCode;

use model::judge::Judge;
use model::record::Record;
use model::script::{Place, Script};
use model::{episode, job, record, script, service, truth, watch};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["script", seed, ticks, url] => read_script(seed, ticks).map(|script| print_script(&script, url)),
        ["judge", seed, ticks] => read_script(seed, ticks).and_then(|script| judge_record(&script)),
        _ => Err("usage: week script SEED TICKS URL | week judge SEED TICKS".to_owned()),
    };
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn read_script(seed: &str, ticks: &str) -> Result<Script, String> {
    let seed = seed.parse().map_err(|_| format!("{seed} should be a number"))?;
    let ticks = ticks.parse().map_err(|_| format!("{ticks} should be a number"))?;
    Ok(Script::new(seed, Place::Workerd, Some(ticks)))
}

fn print_script(script: &Script, url: &str) -> String {
    let mut value = serde_json::json!(script);
    for (number, tick) in script.ticks.iter().enumerate() {
        if script.is_edited(number) {
            let list = script.config(tick, &|monitor| format!("{url}/m{monitor}"));
            value["ticks"][number]["list"] = serde_json::json!(list);
        }
    }
    value.to_string()
}

fn judge_record(script: &Script) -> Result<String, String> {
    let record: Record = serde_json::from_reader(io::stdin().lock()).map_err(|error| error.to_string())?;
    let summary = Judge::new(script).judge(&record)?;
    Ok(format!("{summary:?}"))
}
