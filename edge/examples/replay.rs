//! Replays a timeline of probe results: `cargo run -p heapbeat-edge --example replay < timeline.jsonl`; see docs/replay.md.

use std::io::Read as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut text = String::new();
    let read = match std::env::args().nth(1) {
        Some(path) => std::fs::read_to_string(path).map(|read| text = read),
        None => std::io::stdin().read_to_string(&mut text).map(drop),
    };
    let replayed = read
        .map_err(|error| error.to_string())
        .and_then(|()| heapbeat_edge::replay::replay(&text).map_err(|error| error.to_string()));
    match replayed {
        Ok(lines) => {
            print!("{lines}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("replay: {error}");
            ExitCode::FAILURE
        }
    }
}
