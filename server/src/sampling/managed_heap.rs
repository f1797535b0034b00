//! The heap of a managed runtime as it is known from outside: its maximum, of a JVM by what it tells itself, of others by the command line and
//! the environment of the process; and of a JVM how much of it is resident.
//!
//! Below its maximum, a collector has no reason to work hard, so that growth of the resident set alone says nothing about a leak.

use std::io::Read as _;
use std::path::Path;

use heapbeat_shared::Bytes;

use super::{jvm_heap_mapping, jvm_perf_data};

/// Default share of memory of a JVM's heap, in percent.
const JVM_PERCENT: f64 = 25.0;

/// Share of memory to which .NET's heap may grow, in percent.
const DOTNET_PERCENT: f64 = 75.0;

/// The largest old space that Node takes by default; below, it is a quarter of memory.
const NODE_MAX: Bytes = Bytes::from_mb(4096);

/// Bytes of an executable in which Go has its build id, and how that note begins: its type, and the name `Go`.
const GO_NOTE: (u64, &[u8]) = (8192, b"\x04\0\0\0Go\0\0");

/// The heap of a managed runtime, as it is known from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagedHeap {
    /// The size to which it may grow before the collector works at any cost.
    pub max: Bytes,
    /// How much of it is resident; `None` if that is not known, as its addresses are not.
    pub resident: Option<Bytes>,
}

impl ManagedHeap {
    /// Adds the heap of another process; how much is resident is known if it is of both.
    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = |a: Bytes, b: Bytes| Bytes(a.0.saturating_add(b.0));
        let resident = self.resident.zip(other.resident).map(|(a, b)| sum(a, b));
        ManagedHeap { max: sum(self.max, other.max), resident }
    }
}

/// Returns the heap of the process with this directory below `/proc`; `None` if it has no maximum, or none that is known. `memory` is what
/// the process may take: the limit of its control group, or that of the machine.
pub fn managed_heap(directory: &Path, memory: Option<Bytes>) -> Option<ManagedHeap> {
    let words = |name: &str| -> Vec<String> {
        let text = std::fs::read(directory.join(name)).unwrap_or_default();
        text.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    };
    let command = words("cmdline");
    if program_name(&command) == "java"
        && let Some(max) = jvm_perf_data::heap_max(directory)
    {
        return Some(ManagedHeap { max, resident: jvm_heap_mapping::resident_heap(directory, max) });
    }
    let mut beginning = Vec::new();
    if let Ok(file) = std::fs::File::open(directory.join("exe")) {
        let _ = file.take(GO_NOTE.0).read_to_end(&mut beginning);
    }
    let is_go = beginning.windows(GO_NOTE.1.len()).any(|bytes| bytes == GO_NOTE.1);
    let max = maximum(&command, &words("environ"), is_go, memory)?;
    Some(ManagedHeap { max, resident: None })
}

fn maximum(command: &[String], environment: &[String], is_go: bool, memory: Option<Bytes>) -> Option<Bytes> {
    let variable = |name: &str| {
        environment.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    // The arguments of the command line come last, and the last one counts.
    let options = |names: &[&str]| -> Vec<String> {
        let variables = names.iter().flat_map(|name| variable(name).split_whitespace());
        variables.map(str::to_owned).chain(command.iter().cloned()).collect()
    };
    let last = |options: &[String], names: &[&str]| -> Option<String> {
        options
            .iter()
            .rev()
            .find_map(|option| names.iter().find_map(|name| option.strip_prefix(name)).map(str::to_owned))
    };
    let program = program_name(command);
    let percent = |percent: f64, of: Option<Bytes>| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a size is one"
        )]
        of.map(|memory| Bytes((memory.0 as f64 * percent.clamp(0.0, 100.0) / 100.0) as u64))
    };
    match program {
        "java" => {
            let options = options(&["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"]);
            let ram = last(&options, &["-XX:MaxRAM="]).and_then(|text| parse_binary(&text)).or(memory);
            let share = last(&options, &["-XX:MaxRAMPercentage="]).and_then(|text| text.parse().ok());
            last(&options, &["-Xmx", "-XX:MaxHeapSize="])
                .and_then(|text| parse_binary(&text))
                .or_else(|| percent(share.unwrap_or(JVM_PERCENT), ram))
        }
        "node" | "nodejs" => {
            let options = options(&["NODE_OPTIONS"]);
            let given = last(&options, &["--max-old-space-size=", "--max_old_space_size="]);
            let given =
                given.and_then(|mb| mb.parse::<u64>().ok()).map(|mb| Bytes(mb.saturating_mul(1 << 20)));
            given.or_else(|| percent(25.0, memory).map(|quarter| quarter.min(NODE_MAX)))
        }
        _ => {
            let hard_limit = variable("DOTNET_GCHeapHardLimit").trim_start_matches("0x");
            if let Ok(bytes) = u64::from_str_radix(hard_limit, 16) {
                Some(Bytes(bytes))
            } else if program == "dotnet" {
                percent(DOTNET_PERCENT, memory)
            } else {
                parse_binary(variable("GOMEMLIMIT").trim_end_matches('B').trim_end_matches('i'))
                    .filter(|_| is_go)
            }
        }
    }
}

fn program_name(command: &[String]) -> &str {
    command.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
}

/// Parses a number with one of the letters `k`, `m`, `g` and `t`, each 1024 times the one before.
fn parse_binary(text: &str) -> Option<Bytes> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_its_own_setting() {
        let mb = |mb: u64| Some(Bytes::from_mb(mb));
        // Command, environment, whether it is written in Go, maximum in a gigabyte.
        let cases: [(&str, &[&str], bool, Option<Bytes>); 14] = [
            ("java -Xmx256m -jar a.jar", &[], false, mb(256)),
            ("/usr/bin/java -Xmx1g -Xmx128M A", &["JAVA_TOOL_OPTIONS=-Xmx64m"], false, mb(128)),
            ("java A", &["JAVA_TOOL_OPTIONS=-XX:MaxRAM=512m -XX:MaxRAMPercentage=75"], false, mb(384)),
            ("java A", &[], false, mb(256)),
            ("node a.js", &["NODE_OPTIONS=--max-old-space-size=300"], false, mb(300)),
            (
                "node --max_old_space_size=200 a.js",
                &["NODE_OPTIONS=--max-old-space-size=300"],
                false,
                mb(200),
            ),
            ("node a.js", &[], false, mb(256)),
            ("dotnet a.dll", &["DOTNET_GCHeapHardLimit=0xC800000"], false, mb(200)),
            ("dotnet a.dll", &[], false, mb(768)),
            ("./api", &["GOMEMLIMIT=400MiB"], true, mb(400)),
            ("./api", &["GOMEMLIMIT=off"], true, None),
            // `heapbeat run` sets it for programs that may be written in Go.
            ("./api", &["GOMEMLIMIT=400MiB"], false, None),
            ("python3 a.py", &[], false, None),
            ("", &[], false, None),
        ];
        for (command, environment, is_go, expected) in cases {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let environment: Vec<String> = environment.iter().map(|&pair| pair.to_owned()).collect();
            assert_eq!(maximum(&words, &environment, is_go, mb(1024)), expected, "{command} {environment:?}");
        }
        assert_eq!(managed_heap(Path::new("/proc/self"), mb(1024)), None, "this test");
    }
}
