//! Asks conditions of outcomes, offline: JSON lines in, JSON lines out. `docs/conditions.md` has the format.
//!
//!     cargo run -p heapbeat-edge --example verdict < lines.jsonl
//!
//! It is the code that judges probes at the edge; nothing here decides.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use heapbeat_monitors::condition::{Condition, ConditionResult, EvalContext, ObservedBody, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const HELP: &str = r#"Asks conditions of outcomes: one JSON object a line on standard input, one a line on standard output.

QuotaUsage: cargo run -p heapbeat-edge --example verdict < lines.jsonl

In:   {"conditions":["[STATUS] == 200"],"outcome":{"connected":true,"status":200,"duration_ms":50,"body":"ok","headers":{}}}
Out:  {"ok":true,"conditions":[{"condition":"[STATUS] == 200","ok":true,"shown":"[STATUS] == 200"}]}
      {"error":"..."} for a line that cannot be read, or a condition that cannot be parsed

In an outcome everything may be left out: no connection, status 0, 0 ms, an empty body. `shown` has what was found
in parentheses where a condition does not hold, as Gatus shows it.

Exit code: 0 all lines were judged, 1 at least one was an error, 2 a wrong command line, 3 no way to read or write.
"#;

/// Longest line that is read; longer ones are an error each, and are not kept.
const LONGEST_LINE: u64 = 4 << 20;

/// Longest body that a condition sees: what a probe keeps at most.
const MAX_BODY_BYTES: usize = heapbeat_edge::config::MAX_BODY_BYTES;

#[derive(Deserialize)]
struct Question {
    conditions: Vec<String>,
    outcome: Seen,
}

#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    connected: bool,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    duration_ms: f64,
    #[serde(default)]
    body: Option<String>,
    /// No condition asks about them.
    #[serde(default, rename = "headers")]
    _headers: Option<serde_json::Map<String, Value>>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    ok: bool,
    conditions: Vec<LastReport<'a>>,
}

#[derive(Serialize)]
struct LastReport<'a> {
    condition: &'a str,
    ok: bool,
    shown: &'a str,
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("-h" | "--help") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("verdict: unexpected argument {other:?}; it reads standard input, see --help");
            return ExitCode::from(2);
        }
    }
    match run(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        // Whoever reads the answers has had enough of them.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("verdict: {error}");
            ExitCode::from(3)
        }
    }
}

/// Answers every line; says whether none of them was an error.
pub(crate) fn run(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    let mut all_judged = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(all_judged);
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < LONGEST_LINE;
        if !whole {
            input.skip_until(b'\n')?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = if whole { judge(&line) } else { Err(format!("is longer than {LONGEST_LINE} bytes")) };
        all_judged &= answer.is_ok();
        let answer = answer.unwrap_or_else(|error| json!({ "error": error }).to_string());
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
}

fn judge(line: &[u8]) -> Result<String, String> {
    let question: Question = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let conditions = question
        .conditions
        .iter()
        .map(|text| Condition::parse(text).map_err(|error| format!("{text}: {error}")))
        .collect::<Result<Vec<_>, _>>()?;
    let seen = question.outcome;
    let body = seen.body.unwrap_or_default();
    let outcome = Outcome {
        connected: seen.connected,
        status: seen.status,
        duration: Duration::try_from_secs_f64(seen.duration_ms / 1000.0)
            .map_err(|_| "outcome.duration_ms should be a number of milliseconds from 0".to_owned())?,
        body: if body.len() > MAX_BODY_BYTES {
            ObservedBody::TooLarge
        } else {
            ObservedBody::Whole(body.as_bytes())
        },
    };
    let scene = EvalContext::new(outcome);
    let checked: Vec<ConditionResult> =
        conditions.iter().map(|condition| condition.evaluate(&scene)).collect();
    let told = conditions.iter().zip(&checked).map(|(condition, checked)| LastReport {
        condition: condition.as_str(),
        ok: checked.ok,
        shown: &checked.description,
    });
    let verdict = Verdict { ok: checked.iter().all(|checked| checked.ok), conditions: told.collect() };
    serde_json::to_string(&verdict).map_err(|error| error.to_string())
}
