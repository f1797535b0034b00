//! Evaluates conditions on outcomes, offline, by the edge's own code: JSON lines in, JSON lines out; see docs/conditions.md.
//!
//!     cargo run -p heapbeat-edge --example verdict < lines.jsonl

use std::io;
use std::process::ExitCode;

use heapbeat_edge::verdict::evaluate_lines;

const HELP: &str = r#"Evaluates conditions on outcomes: one JSON object a line on standard input, one a line on standard output.

Usage: cargo run -p heapbeat-edge --example verdict < lines.jsonl

In:   {"conditions":["[STATUS] == 200"],"outcome":{"connected":true,"status":200,"duration_ms":50,"body":"ok","headers":{}}}
Out:  {"ok":true,"conditions":[{"condition":"[STATUS] == 200","ok":true,"shown":"[STATUS] == 200"}]}
      {"error":"..."} for a line that cannot be read, or a condition that cannot be parsed

Every field of an outcome is optional: no connection, status 0, 0 ms, an empty body. If a condition fails, `shown` has the value that
was found in parentheses, as Gatus shows it.

Exit code: 0 all lines were evaluated, 1 at least one line was an error, 2 wrong command line, 3 reading or writing failed.
"#;

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
    match evaluate_lines(&mut io::stdin().lock(), &mut io::stdout().lock()) {
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
