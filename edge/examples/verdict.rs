//! Evaluates conditions on outcomes, offline: JSON lines in, JSON lines out. `docs/conditions.md` describes the format.
//!
//!     cargo run -p heapbeat-edge --example verdict < lines.jsonl
//!
//! It uses the edge's own code.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use heapbeat_monitors::condition::{Condition, ConditionResult, EvalContext, ObservedBody, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const HELP: &str = r#"Evaluates conditions on outcomes: one JSON object a line on standard input, one a line on standard output.

Usage: cargo run -p heapbeat-edge --example verdict < lines.jsonl

In:   {"conditions":["[STATUS] == 200"],"outcome":{"connected":true,"status":200,"duration_ms":50,"body":"ok","headers":{}}}
Out:  {"ok":true,"conditions":[{"condition":"[STATUS] == 200","ok":true,"shown":"[STATUS] == 200"}]}
      {"error":"..."} for a line that cannot be read, or a condition that cannot be parsed

Every field of an outcome is optional: no connection, status 0, 0 ms, an empty body. If a condition fails, `shown` has the value that
was found in parentheses, as Gatus shows it.

Exit code: 0 all lines were evaluated, 1 at least one line was an error, 2 wrong command line, 3 reading or writing failed.
"#;

/// The maximum length of a line; a longer line is an error.
const MAX_LINE: u64 = 4 << 20;

/// Longest body that a condition sees: what a probe keeps at most.
const MAX_BODY_BYTES: usize = heapbeat_edge::monitor_config::MAX_BODY_BYTES;

#[derive(Deserialize)]
struct Input {
    conditions: Vec<String>,
    outcome: OutcomeInput,
}

#[derive(Deserialize)]
struct OutcomeInput {
    #[serde(default)]
    connected: bool,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    duration_ms: f64,
    #[serde(default)]
    body: Option<String>,
    /// No condition uses them.
    #[serde(default, rename = "headers")]
    _headers: Option<serde_json::Map<String, Value>>,
}

#[derive(Serialize)]
struct Output<'a> {
    ok: bool,
    conditions: Vec<ConditionOutput<'a>>,
}

#[derive(Serialize)]
struct ConditionOutput<'a> {
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
        // The reader has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("verdict: {error}");
            ExitCode::from(3)
        }
    }
}

/// Evaluates every line. Returns whether none of them was an error.
pub(crate) fn run(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    let mut all_valid = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(all_valid);
        }
        let whole = line.ends_with(b"\n") || (line.len() as u64) < MAX_LINE;
        if !whole {
            input.skip_until(b'\n')?;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let output_line =
            if whole { evaluate_line(&line) } else { Err(format!("is longer than {MAX_LINE} bytes")) };
        all_valid &= output_line.is_ok();
        let output_line = output_line.unwrap_or_else(|error| json!({ "error": error }).to_string());
        writeln!(output, "{output_line}")?;
        output.flush()?;
    }
}

fn evaluate_line(line: &[u8]) -> Result<String, String> {
    let input: Input = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let conditions = input
        .conditions
        .iter()
        .map(|text| Condition::parse(text).map_err(|error| format!("{text}: {error}")))
        .collect::<Result<Vec<_>, _>>()?;
    let observed = input.outcome;
    let body = observed.body.unwrap_or_default();
    let outcome = Outcome {
        connected: observed.connected,
        status: observed.status,
        duration: Duration::try_from_secs_f64(observed.duration_ms / 1000.0)
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
    let results = conditions.iter().zip(&checked).map(|(condition, checked)| ConditionOutput {
        condition: condition.as_str(),
        ok: checked.ok,
        shown: &checked.description,
    });
    let output = Output { ok: checked.iter().all(|checked| checked.ok), conditions: results.collect() };
    serde_json::to_string(&output).map_err(|error| error.to_string())
}
