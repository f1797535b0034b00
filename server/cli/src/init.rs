//! `heapbeat init`: recognizes the program in a folder, and puts `heapbeat run` before its start command.
//!
//! What is there is read into a [`Project`]; everything else is a function of it ([`proposal`]), so that projects are tested as tables.

mod command;
mod dockerfile;
mod project;
mod proposal;
mod start;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use self::project::Project;
use self::proposal::Proposal;
use crate::replacement::Replacement;
use heapbeat_shared::text::single_line;

const EXAMPLES: &str = "\
Looks at package.json, requirements.txt, pyproject.toml, Gemfile, Cargo.toml, pom.xml, build.gradle, Procfile, Dockerfile and render.yaml, \
and changes the one with the command that the deployment starts.

Exit codes: 0 proposed, changed, or nothing to change; 1 a file cannot be read or written, or no start command was found.

Examples:
  heapbeat init --dry-run        shows what would be changed
  heapbeat init                  changes it
";

/// Puts `heapbeat run` before the start command of the project in a folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Folder of the project
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Shows the changes without making them
    #[arg(long)]
    dry_run: bool,
}

/// Proposes or makes the changes, and returns the exit code.
pub(crate) fn run(arguments: &InitArgs) -> u8 {
    match change(arguments) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::FAILURE
        }
    }
}

fn change(arguments: &InitArgs) -> Result<u8, String> {
    let project =
        Project::read(&arguments.folder).map_err(|(path, error)| format!("{}: {error}", path.display()))?;
    let proposal = Proposal::of(&project);
    // Everything is on the disk before the first file changes.
    let mut changes = Vec::new();
    for edit in &proposal.edits {
        let path = arguments.folder.join(edit.file);
        let text = edit.apply(project.text(edit.file).unwrap_or_default());
        let failed = |error| format!("{}: {error}", path.display());
        let old = check_changeable(&path).map_err(failed)?;
        if !arguments.dry_run {
            let change = Replacement::write(&path, text.as_bytes(), Some(&old)).map_err(failed)?;
            changes.push((path, change));
        }
    }
    for (path, change) in changes {
        change.place().map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let _ = io::stdout().write_all(describe(&proposal, arguments.dry_run).as_bytes());
    Ok(if proposal.edits.is_empty() && !proposal.is_guarded { super::FAILURE } else { 0 })
}

/// Returns what is known of a file that may be changed. A link may lead to any file of this machine, which the author of the folder chose.
fn check_changeable(path: &Path) -> io::Result<fs::Metadata> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Err(io::Error::other(
            "it is a symbolic link, which is not followed: change its target by hand",
        ));
    }
    // A folder in which files can be made may have some that are read-only.
    File::options().write(true).open(path)?;
    Ok(metadata)
}

/// Describes a proposal as lines of text.
fn describe(proposal: &Proposal, dry_run: bool) -> String {
    // Files of somebody else's project must not control the terminal.
    let printable = |text: &str| text.lines().map(single_line).collect::<Vec<_>>().join("\n");
    let mut text = format!("{}\n", printable(&proposal.recognized));
    for edit in &proposal.edits {
        let verb = if dry_run { "would change" } else { "changed" };
        let _ = writeln!(text, "\n{verb} {}", edit.file);
        for line in edit.old.lines() {
            let _ = writeln!(text, "  - {}", single_line(line.trim()));
        }
        for line in edit.new.lines() {
            let _ = writeln!(text, "  + {}", single_line(line.trim()));
        }
    }
    if !proposal.next.is_empty() {
        text.push_str("\nnext\n");
        for step in &proposal.next {
            let _ = writeln!(text, "  {}", printable(step));
        }
    }
    text
}
