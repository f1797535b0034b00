//! `heapbeat apply`: brings the edge's monitors to what a file says.
//!
//! The file is read by the rules that the edge has, so most mistakes are told before anything is sent, all of them at
//! once and each with its line. What only the edge can know (ids that `wrangler.toml` has, private addresses, time
//! zones) it says, and the line is found for that as well.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use heapbeat_monitors::applied::{Applied, LIST};
use heapbeat_monitors::{Config, MOST_MONITORS, Problem};

mod document;
mod remote;

use self::document::{Document, DocumentError};
use self::remote::{Remote, RemoteError};

/// The variable that holds the token; a flag would be seen by everybody who lists processes.
const TOKEN: &str = "HEAPBEAT_ADMIN_TOKEN";

/// Longest file that is read, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

const EXAMPLES: &str = "\
The file has the monitors of wrangler.toml's shape, each under [[monitors]] (or [[vars.MONITORS]]); it is
the whole list: what is not in it is no longer watched. An entry that is wrong refuses the whole file.
HEAPBEAT_ADMIN_TOKEN holds what the Worker has as the secret ADMIN_TOKEN.

Exit codes: 0 applied, or nothing to do; 1 refused, or the edge did not answer; 2 a wrong command line.

Examples:
  heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev --dry-run
  HEAPBEAT_ADMIN_TOKEN=… heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev
";

/// The subcommand.
pub(crate) fn command() -> Command {
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("apply")
        .about("Brings the edge's monitors to what a file says")
        .after_help(EXAMPLES)
        .arg(Arg::new("file").value_name("FILE").required(true).help("The monitors; `-` for standard input"))
        .arg(Arg::new("url").long("url").value_name("URL").required(true).help("Where the edge is"))
        .arg(switch("dry-run").help("Says what would change, and changes nothing"))
        .arg(switch("json").help("The edge's answer as JSON instead of text"))
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("{0}:{1}")]
    Document(String, DocumentError),
    /// Told already, a line each.
    #[error("{0}: nothing was changed; entries that are wrong: {1}")]
    Problems(String, usize),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// Applies; says how it went as the exit code.
pub(crate) fn run(arguments: &ArgMatches) -> u8 {
    match apply(arguments) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::FAILURE
        }
    }
}

fn apply(arguments: &ArgMatches) -> Result<(), Error> {
    let file = arguments.get_one::<String>("file").map_or("-", String::as_str);
    let url = arguments.get_one::<String>("url").map_or("", String::as_str);
    let (dry_run, json) = (arguments.get_flag("dry-run"), arguments.get_flag("json"));
    let name = if file == "-" { "standard input" } else { file };
    let text = read(file).map_err(|error| Error::File(name.to_owned(), error))?;
    let document = Document::read(&text).map_err(|error| Error::Document(name.to_owned(), error))?;
    // Whether private addresses are allowed is the edge's to say.
    let local = Config::read(LIST, &document.entries, true, &[], MOST_MONITORS);
    refuse(&local.problems, &document, name)?;
    let remote = Remote::new(url, std::env::var(TOKEN).ok())?;
    let (applied, raw) = remote.put(&document.entries, dry_run)?;
    if json {
        let _ = writeln!(io::stdout(), "{raw}");
    }
    refuse(&applied.problems, &document, name)?;
    if !json {
        let _ = write!(io::stdout(), "{}", told(&applied));
    }
    Ok(())
}

fn read(file: &str) -> io::Result<String> {
    let mut text = String::new();
    let mut input: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(std::fs::File::open(file)?) };
    input.by_ref().take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(format!("is longer than {LONGEST_FILE} bytes")));
    }
    Ok(text)
}

/// Tells every problem with its line.
fn refuse(problems: &[Problem], document: &Document, name: &str) -> Result<(), Error> {
    let entries: BTreeSet<_> = problems.iter().map(|problem| problem.position.split(']').next()).collect();
    for Problem { position, reason } in problems {
        let line = document.line_of(position).map_or_else(String::new, |line| format!(":{line}"));
        let _ = writeln!(io::stderr(), "{name}{line}: {position}: {reason}");
    }
    if entries.is_empty() { Ok(()) } else { Err(Error::Problems(name.to_owned(), entries.len())) }
}

/// What changed, a line a monitor.
fn told(applied: &Applied) -> String {
    let difference = &applied.difference;
    let mut lines = Vec::new();
    for (sign, ids) in [("+", &difference.added), ("~", &difference.changed), ("-", &difference.removed)] {
        for id in ids {
            lines.push(format!("{sign} {id}"));
        }
    }
    let (added, changed, removed) =
        (difference.added.len(), difference.changed.len(), difference.removed.len());
    let what = match (applied.applied, added + changed + removed) {
        (_, 0) => "Nothing to change",
        (true, _) => "Applied",
        (false, _) => "Would be applied",
    };
    let unchanged = difference.unchanged.len();
    lines
        .push(format!("{what}: {added} added, {changed} changed, {removed} removed, {unchanged} as before."));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use heapbeat_monitors::applied::Difference;

    use super::*;

    #[test]
    fn what_changed_is_told_a_line_a_monitor() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let difference = Difference {
            added: ids(&["a", "b"]),
            changed: ids(&["c"]),
            removed: ids(&["d"]),
            unchanged: ids(&["e"]),
        };
        let mut applied = Applied { applied: true, difference, problems: vec![] };
        assert_eq!(
            told(&applied),
            "+ a\n+ b\n~ c\n- d\nApplied: 2 added, 1 changed, 1 removed, 1 as before.\n"
        );
        applied.applied = false;
        assert!(told(&applied).ends_with("Would be applied: 2 added, 1 changed, 1 removed, 1 as before.\n"));
        applied.difference = Difference { unchanged: ids(&["e"]), ..Difference::default() };
        assert_eq!(told(&applied), "Nothing to change: 0 added, 0 changed, 0 removed, 1 as before.\n");
    }
}
