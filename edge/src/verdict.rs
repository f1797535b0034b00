//! Evaluates conditions on outcomes, offline: JSON lines in, JSON lines out. `docs/conditions.md` describes the format.

use std::io::{self, BufRead, Read, Write};
use std::time::Duration;

use heapbeat_monitors::condition::{
    Condition, ConditionResult, EvalContext, ObservedBody, ObservedHeaders, Outcome,
};
use heapbeat_shared::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::monitor_config::MAX_BODY_BYTES;

/// The maximum length of a line; a longer line is an error.
const MAX_LINE: u64 = 4 << 20;

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
    #[serde(default)]
    headers: Option<serde_json::Map<String, Value>>,
    /// When the response came, in milliseconds since 1970; for `age()`.
    #[serde(default)]
    received_ms: i64,
    /// The response code of a DNS query.
    #[serde(default)]
    dns_rcode: Option<String>,
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

/// Evaluates every line of the input: a list of conditions and an outcome. Returns whether none of them was an error.
pub fn evaluate_lines(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
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
            ObservedBody::Unusable
        } else {
            ObservedBody::Whole(body.as_bytes())
        },
    };
    let mut headers = ObservedHeaders::new(UnixMillis(observed.received_ms));
    for (name, value) in observed.headers.iter().flatten() {
        headers.insert(name, value.as_str().unwrap_or_default());
    }
    let context =
        EvalContext::new(outcome).with_headers(&headers).with_dns_rcode(observed.dns_rcode.as_deref());
    let checked: Vec<ConditionResult> =
        conditions.iter().map(|condition| condition.evaluate(&context)).collect();
    let results = conditions.iter().zip(&checked).map(|(condition, checked)| ConditionOutput {
        condition: condition.as_str(),
        ok: checked.ok,
        shown: &checked.description,
    });
    let output = Output { ok: checked.iter().all(|checked| checked.ok), conditions: results.collect() };
    serde_json::to_string(&output).map_err(|error| error.to_string())
}
