//! `heapbeat convert`: converts the configuration of another monitoring program to a `monitors.toml`.
//!
//! The crate `heapbeat-convert` converts; this module reads the files and prints what it says.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use clap::ValueEnum as _;
use heapbeat_convert::{Conversion, InputFile, Options, Source};
use heapbeat_shared::text::single_line;

use crate::output::print_document;

/// Size limit of a file, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Size limit of all files of a run, in bytes.
const MAX_TOTAL_BYTES: usize = 32 << 20;

/// The most files of a run.
const MAX_FILES: usize = 1000;

/// The most folders within each other.
const MAX_DEPTH: usize = 16;

/// The exit code with `--strict` when something changed its meaning.
const CHANGED: u8 = 3;

const EXAMPLES: &str = "\
Every setting of the input is converted, or a note says what became of it: in the result above its monitor, and on standard error. The last \
lines are counts. Credentials in headers become names of Worker secrets; their values are not written.

Several files, and a folder of YAML, are one configuration, as in Gatus. The value of a variable of the environment (${NAME}) is read from \
--env only.

Exit codes: 0 converted; 1 a file cannot be read; 2 wrong command line; 3 with --strict, if the meaning of anything changed.

Examples:
  heapbeat convert gatus.yaml > monitors.toml
  heapbeat convert --from kuma backup.json > monitors.toml
  heapbeat convert --env .env --strict config/ > monitors.toml
  heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev --dry-run
";

/// Converts the configuration of another monitoring program to a monitors.toml
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// Files or folders; `-` for standard input
    #[arg(required = true)]
    files: Vec<String>,
    /// The program that the configuration is of; by default, it is recognized by what is in the files
    #[arg(long, value_enum)]
    from: Option<SourceName>,
    /// File with values of variables, `NAME=value` a line
    #[arg(long, value_name = "FILE")]
    env: Vec<String>,
    /// Exits with 3 if the meaning of anything changed
    #[arg(long)]
    strict: bool,
    /// Keeps monitors of private addresses, for an edge with `ALLOW_PRIVATE_TARGETS`
    #[arg(long)]
    keep_private: bool,
}

/// The programs.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SourceName {
    Gatus,
    Uptimeflare,
    Kuma,
    Upptime,
    Blackbox,
}

impl From<SourceName> for Source {
    fn from(name: SourceName) -> Self {
        match name {
            SourceName::Gatus => Source::Gatus,
            SourceName::Uptimeflare => Source::UptimeFlare,
            SourceName::Kuma => Source::Kuma,
            SourceName::Upptime => Source::Upptime,
            SourceName::Blackbox => Source::Blackbox,
        }
    }
}

/// Returns the value of `--from` for a program.
fn flag_of(source: Source) -> String {
    let name = SourceName::value_variants().iter().find(|name| Source::from(**name) == source);
    name.and_then(SourceName::to_possible_value).map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Converts the files, and returns the exit code.
pub(crate) fn run(arguments: &ConvertArgs) -> u8 {
    match convert_files(arguments) {
        Ok(Conversion { text, notes, counts }) => {
            print_document(&text);
            let mut errors = io::stderr().lock();
            for note in &notes {
                let _ = writeln!(errors, "{}", single_line(&note.to_string()));
            }
            let _ = write!(errors, "\n{counts}");
            if arguments.strict && counts.has_changes() { CHANGED } else { 0 }
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {}", single_line(&error));
            super::FAILURE
        }
    }
}

fn convert_files(arguments: &ConvertArgs) -> Result<Conversion, String> {
    let mut options = Options { keep_private: arguments.keep_private, ..Options::default() };
    for file in &arguments.env {
        options.environment.extend(heapbeat_convert::parse_env_file(&read_text(file)?));
    }
    let mut files = Vec::new();
    for file in &arguments.files {
        collect_files(file, 0, &mut files)?;
    }
    if files.is_empty() {
        return Err("there is no .yaml or .yml in the folder".to_owned());
    }
    let recognized = || heapbeat_convert::recognize(&files, &options);
    if let Some(given) = arguments.from {
        return heapbeat_convert::convert(given.into(), &files, &options).map_err(|error| {
            match recognized() {
                Some(other) => {
                    format!("{error}. The input is one of {}: use --from {}", other.name(), flag_of(other))
                }
                None => error.to_string(),
            }
        });
    }
    if let Some(source) = recognized() {
        let _ = writeln!(
            io::stderr(),
            "read as a configuration of {} (--from {})\n",
            source.name(),
            flag_of(source)
        );
        return heapbeat_convert::convert(source, &files, &options).map_err(|error| error.to_string());
    }
    // Most likely a file with a mistake, which only the reader of its program explains.
    Err(explain_unrecognized(&files, &options))
}

/// Returns why the input is no configuration of any program, with the reason for that whose name the file has, or else for Gatus.
fn explain_unrecognized(files: &[InputFile], options: &Options) -> String {
    let name = files.first().map(|file| file.name.to_ascii_lowercase()).unwrap_or_default();
    let likely = match Path::new(&name).extension().and_then(|end| end.to_str()) {
        Some("ts" | "js") => Source::UptimeFlare,
        Some("json") => Source::Kuma,
        _ if name.contains("upptime") => Source::Upptime,
        _ if name.contains("blackbox") || name.contains("prometheus") => Source::Blackbox,
        _ => Source::Gatus,
    };
    let reason = heapbeat_convert::convert(likely, files, options).err().map(|error| error.to_string());
    let flags: Vec<_> = Source::ALL.into_iter().map(flag_of).collect();
    format!(
        "{}. It was read as one of {}; for another program, use --from {}",
        reason.unwrap_or_default(),
        likely.name(),
        flags.join(", ")
    )
}

/// Reads a file, or the YAML in a folder and those in it, in the order of their names.
fn collect_files(path: &str, depth: usize, files: &mut Vec<InputFile>) -> Result<(), String> {
    if path == "-" || !Path::new(path).is_dir() {
        if files.len() == MAX_FILES {
            return Err(format!("there are more than {MAX_FILES} files"));
        }
        files.push(InputFile { name: path.to_owned(), text: read_text(path)? });
        if files.iter().map(|file| file.text.len()).sum::<usize>() > MAX_TOTAL_BYTES {
            return Err(format!("the files have more than {MAX_TOTAL_BYTES} bytes together"));
        }
        return Ok(());
    }
    if depth == MAX_DEPTH {
        return Err(format!("{path}: there are more than {MAX_DEPTH} folders within each other"));
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<_> =
        entries.map_err(|error| format!("{path}: {error}"))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for entry in paths {
        // Names that begin with two dots are how Kubernetes mounts another version of the same files.
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
        let is_yaml = entry.extension().is_some_and(|end| end == "yaml" || end == "yml");
        // A pipe that the command line names is read, as shells make them (`<(…)`); one in a folder would wait for ever.
        if !hidden && is_yaml && entry.exists() && !entry.is_dir() && !entry.is_file() {
            return Err(format!("{}: it is no regular file", entry.display()));
        }
        if !hidden && (entry.is_dir() || is_yaml) {
            collect_files(&entry.to_string_lossy(), depth + 1, files)?;
        }
    }
    Ok(())
}

/// Reads a file, or standard input for `-`.
fn read_text(file: &str) -> Result<String, String> {
    let named = |error: io::Error| format!("{file}: {error}");
    let mut text = String::new();
    let input: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(file).map_err(named)?) };
    input.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(named)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("{file}: the file has more than {MAX_FILE_BYTES} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_a_folder_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = collect_files(&folder.path().to_string_lossy(), 0, &mut Vec::new()).unwrap_err();
        assert_eq!(error, format!("{}: it is no regular file", path.display()));
    }
}
