//! `heapbeat apply`: replaces the applied monitors of the edge by those of a file.
//!
//! The file is validated by the same rules as on the edge, so most mistakes are reported before anything is sent, all at once and each
//! with its line. The edge reports those that only it can detect (ids that `wrangler.toml` uses, private addresses, time zones); their
//! lines are added here.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use heapbeat_monitors::applied::{Applied, LIST};
use heapbeat_monitors::{ConfigProblem, MAX_MONITORS, MonitorConfig};
use heapbeat_shared::text::single_line;

mod document;

use crate::admin_client::{AdminClient, AdminError, TOKEN};
use crate::output::print_document;

use self::document::{Document, DocumentError};

/// Size limit of the file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

const EXAMPLES: &str = "\
The file lists the monitors as in wrangler.toml, each under [[monitors]] (or [[vars.MONITORS]]). It is the complete list: a monitor \
that was applied before and is not in the file is removed. A file with an invalid entry is refused as a whole. \
HEAPBEAT_ADMIN_TOKEN must have the value of the Worker's secret ADMIN_TOKEN.

Exit codes: 0 applied, or nothing to change; 1 refused, or the edge did not answer; 2 wrong command line.

Examples:
  heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev --dry-run
  HEAPBEAT_ADMIN_TOKEN=… heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev
";

/// Replaces the edge's applied monitors by those of a file
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApplyArgs {
    /// File with the monitors; `-` for standard input
    file: String,
    /// Address of the edge
    #[arg(long, value_name = "URL")]
    url: String,
    /// Prints the changes without applying them
    #[arg(long)]
    dry_run: bool,
    /// Prints the response of the edge, as JSON
    #[arg(long)]
    json: bool,
}

/// The file was not applied.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("{0}:{1}")]
    Document(String, DocumentError),
    /// Entries are invalid; each problem is already printed, on a line of its own.
    #[error("{0}: nothing was applied; invalid entries: {1}")]
    Problems(String, usize),
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Applies the file, and returns the exit code.
pub(crate) fn run(arguments: &ApplyArgs) -> u8 {
    match apply(arguments) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::FAILURE
        }
    }
}

fn apply(arguments: &ApplyArgs) -> Result<(), Error> {
    let name = if arguments.file == "-" { "standard input" } else { &arguments.file };
    let text = read_text(&arguments.file).map_err(|error| Error::File(name.to_owned(), error))?;
    let document = Document::parse(&text).map_err(|error| Error::Document(name.to_owned(), error))?;
    // The edge decides whether private addresses are allowed.
    let local = MonitorConfig::parse_entries(LIST, &document.entries, true, &[], MAX_MONITORS);
    report_problems(&local.problems, &document, name)?;
    let client = AdminClient::new(&arguments.url, std::env::var(TOKEN).ok())?;
    let (applied, raw) = client.put_monitors(&document.entries, arguments.dry_run)?;
    if arguments.json {
        print_document(&format!("{raw}\n"));
    }
    report_problems(&applied.problems, &document, name)?;
    if !arguments.json {
        print_document(&describe_changes(&applied));
    }
    for ConfigProblem { position, reason } in &applied.warnings {
        let _ = writeln!(io::stderr(), "{}", single_line(&format!("warning: {position}: {reason}")));
    }
    Ok(())
}

/// Reads the file, or standard input for `-`.
fn read_text(file: &str) -> io::Result<String> {
    let mut text = String::new();
    let mut input: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(std::fs::File::open(file)?) };
    input.by_ref().take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("the file has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

/// Prints every problem with its line. Returns an error if there is any.
fn report_problems(problems: &[ConfigProblem], document: &Document, name: &str) -> Result<(), Error> {
    let entries: BTreeSet<_> = problems.iter().map(|problem| problem.position.split(']').next()).collect();
    for (line, ConfigProblem { position, reason }) in sort_by_line(problems, document) {
        let line = line.map_or_else(String::new, |line| format!(":{line}"));
        let _ = writeln!(io::stderr(), "{name}{line}: {}", single_line(&format!("{position}: {reason}")));
    }
    if entries.is_empty() { Ok(()) } else { Err(Error::Problems(name.to_owned(), entries.len())) }
}

/// Returns the problems with their lines, in the order of the file; those without a line are last.
fn sort_by_line<'p>(
    problems: &'p [ConfigProblem],
    document: &Document,
) -> Vec<(Option<usize>, &'p ConfigProblem)> {
    let lines = problems.iter().map(|problem| (document.line_of(&problem.position), problem));
    let mut lines: Vec<_> = lines.collect();
    lines.sort_by_key(|(line, _)| line.unwrap_or(usize::MAX));
    lines
}

/// Lists the changes, one line per monitor.
fn describe_changes(applied: &Applied) -> String {
    let difference = &applied.difference;
    let mut lines = Vec::new();
    for (sign, ids) in [("+", &difference.added), ("~", &difference.changed), ("-", &difference.removed)] {
        for id in ids {
            lines.push(single_line(&format!("{sign} {id}")));
        }
    }
    let (added, changed, removed) =
        (difference.added.len(), difference.changed.len(), difference.removed.len());
    let outcome = match (applied.applied, added + changed + removed) {
        (_, 0) => "Nothing to change",
        (true, _) => "Applied",
        (false, _) => "Would apply",
    };
    let unchanged = difference.unchanged.len();
    lines.push(format!(
        "{outcome}: {added} added, {changed} changed, {removed} removed, {unchanged} unchanged."
    ));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use heapbeat_monitors::applied::Difference;

    use super::*;

    #[test]
    fn problems_are_in_the_order_of_the_file() {
        let document = Document::parse("[[monitors]]\nid = 'a'\nurl = 'x'").unwrap();
        let problem = |position: &str| ConfigProblem { position: position.into(), reason: String::new() };
        let problems = [problem("ALERTS"), problem("monitors[0].url"), problem("monitors[0].id")];
        let lines: Vec<_> = sort_by_line(&problems, &document).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [Some(2), Some(3), None]);
    }

    #[test]
    fn changes_are_listed_one_line_per_monitor() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let difference = Difference {
            added: ids(&["a", "b"]),
            changed: ids(&["c"]),
            removed: ids(&["d"]),
            unchanged: ids(&["e"]),
        };
        let mut applied = Applied { applied: true, difference, problems: vec![], warnings: vec![] };
        assert_eq!(
            describe_changes(&applied),
            "+ a\n+ b\n~ c\n- d\nApplied: 2 added, 1 changed, 1 removed, 1 unchanged.\n"
        );
        applied.applied = false;
        assert!(
            describe_changes(&applied)
                .ends_with("Would apply: 2 added, 1 changed, 1 removed, 1 unchanged.\n")
        );
        applied.difference = Difference { unchanged: ids(&["e"]), ..Difference::default() };
        assert_eq!(
            describe_changes(&applied),
            "Nothing to change: 0 added, 0 changed, 0 removed, 1 unchanged.\n"
        );
    }
}
