//! Each file of `cases` is a minimal input, beside the result in a file that ends in `.out`. `UPDATE_CASES=1` writes the results anew.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use heapbeat_convert::{Conversion, InputFile, Options, Source, convert, parse_env_file, recognize};
use heapbeat_monitors::applied::LIST;
use heapbeat_monitors::{MAX_MONITORS, MonitorConfig};

/// The inputs, by name.
fn inputs() -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end != "out" && end != "env"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect()
}

fn source_of(path: &Path) -> Source {
    match path.extension().and_then(|end| end.to_str()) {
        Some("ts") => Source::UptimeFlare,
        Some("json") => Source::Kuma,
        Some("yml") if path.ends_with("upptimerc.yml") => Source::Upptime,
        Some("yml") => Source::Blackbox,
        _ => Source::Gatus,
    }
}

/// Converts one input, with the variables of the file of the same name that ends in `.env`.
fn convert_case(name: &str, path: &Path) -> Result<Conversion, heapbeat_convert::ConvertError> {
    let environment =
        fs::read_to_string(path.with_extension("env")).map(|text| parse_env_file(&text)).unwrap_or_default();
    let file = InputFile { name: name.to_owned(), text: fs::read_to_string(path).unwrap() };
    convert(source_of(path), &[file], &Options { environment, ..Options::default() })
}

fn show(result: Result<Conversion, heapbeat_convert::ConvertError>) -> String {
    match result {
        Ok(Conversion { text, notes, counts }) => {
            let notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
            let notes = notes.join("\n");
            format!("{text}\n--- notes\n{notes}\n--- counts\n{counts}")
        }
        Err(error) => format!("--- error\n{error}\n"),
    }
}

#[test]
fn the_program_is_recognized_by_what_is_in_its_files() {
    for (name, path) in inputs() {
        let converted = convert_case(&name, &path).is_ok();
        let file = InputFile { name: "input".to_owned(), text: fs::read_to_string(&path).unwrap() };
        let recognized = recognize(&[file], &Options::default());
        assert_eq!(recognized, converted.then(|| source_of(&path)), "{name}");
    }
}

#[test]
fn every_case_has_its_result() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut wrong = Vec::new();
    for (name, path) in inputs() {
        let shown = show(convert_case(&name, &path));
        let expected = PathBuf::from(format!("{}.out", path.display()));
        if update {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name}:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "these cases have another result:\n{}", wrong.join("\n"));
}

#[test]
fn every_result_can_be_applied() {
    for (name, path) in inputs() {
        let Ok(Conversion { text, .. }) = convert_case(&name, &path) else { continue };
        let parsed: serde_json::Value =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        let entries = parsed["monitors"].as_array().unwrap().clone();
        let config = MonitorConfig::parse_entries(LIST, &entries, false, &[], MAX_MONITORS);
        assert_eq!(config.problems, [], "{name}");
        assert_eq!(config.monitors.len(), entries.len(), "{name}");
    }
}

#[test]
fn no_header_of_a_credential_is_written() {
    let (name, path) = inputs().remove_entry("leaks.yaml").unwrap();
    let text = convert_case(&name, &path).unwrap().text;
    for secret in ["hunter4", "hunter5", "hunter6", "hunter7", "hunter8", "hunter9", "huntera", "hunterb"] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}
