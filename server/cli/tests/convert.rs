//! `heapbeat convert` in a script: files, folders and documents, the counts at the end, and the exit code.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use heapbeat_test_support::heapbeat_command;

const WHOLE: &str =
    "endpoints:\n  - {name: a, url: \"https://a.example\", conditions: [\"[STATUS] == 200\"]}\n";
const CHANGED: &str = "endpoints:\n  - {name: b, url: \"https://b.example\", conditions: [\"[STATUS] == 200\", \"[IP] == 192.0.2.1\"]}\n";
const LEFT_OUT: &str =
    "endpoints:\n  - {name: c, url: \"icmp://c.example\", conditions: [\"[CONNECTED] == true\"]}\n";

/// The standard output, the standard error and the exit code of a conversion in a folder.
fn convert_in(folder: &Path, arguments: &[&str]) -> (String, String, Option<i32>) {
    let arguments: Vec<&str> = ["convert"].into_iter().chain(arguments.iter().copied()).collect();
    let output = heapbeat_command(&arguments, &[]).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// The ids of the monitors of a result, in its order.
fn ids(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"')).collect()
}

/// The counts at the end of the standard error.
fn counts(error: &str) -> Vec<String> {
    let counts = error.rsplit("\n\n").next().unwrap();
    counts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn strict_exits_with_3_if_the_meaning_of_anything_changed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, code) in [("whole", WHOLE, 0), ("changed", CHANGED, 3), ("left-out", LEFT_OUT, 3)] {
        let file = format!("{name}.yaml");
        fs::write(folder.path().join(&file), text).unwrap();
        let (plain, _, exit) = convert_in(folder.path(), &[&file]);
        assert_eq!(exit, Some(0), "{name}: without --strict");
        let (strict, error, exit) = convert_in(folder.path(), &["--strict", &file]);
        assert_eq!(exit, Some(code), "{name}: {error}");
        assert_eq!(plain, strict, "{name}: the result is written all the same");
    }
}

#[test]
fn the_program_is_recognized_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let rows = r#"[{"id": 1, "name": "a", "type": "http", "url": "https://a.example"}]"#;
    fs::write(folder.path().join("rows.json"), rows).unwrap();
    let (text, error, exit) = convert_in(folder.path(), &["rows.json"]);
    assert_eq!((ids(&text), exit), (vec!["a"], Some(0)), "{error}");
    assert!(text.starts_with("# Converted from a configuration of Uptime Kuma"), "{text}");
    assert!(error.starts_with("read as a configuration of Uptime Kuma (--from kuma)\n"), "{error}");
    let given = convert_in(folder.path(), &["--from", "kuma", "rows.json"]);
    assert_eq!((given.0, given.2), (text, Some(0)));
}

#[test]
fn several_files_folders_and_documents_are_one_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("config/deep")).unwrap();
    fs::create_dir_all(path("config/..data")).unwrap();
    fs::write(path("config/1.yaml"), format!("{WHOLE}---\n{CHANGED}")).unwrap();
    fs::write(path("config/deep/2.yml"), LEFT_OUT).unwrap();
    // Not YAML, and another version of the same files as Kubernetes mounts it.
    fs::write(path("config/notes.txt"), "no: [yaml").unwrap();
    fs::write(path("config/..data/1.yaml"), WHOLE).unwrap();
    fs::write(path("more.yaml"), WHOLE.replace("name: a", "name: d")).unwrap();
    let (text, error, exit) = convert_in(folder.path(), &["config", "more.yaml"]);
    assert_eq!((ids(&text), exit), (vec!["a", "b", "d"], Some(0)), "{error}");
    assert!(
        error.contains("config/1.yaml:5: changed: b: the condition `[IP] == 192.0.2.1` was not converted"),
        "{error}"
    );
    assert!(
        error.contains("config/1.yaml:4: changed: Gatus reads only the first document of a file"),
        "{error}"
    );
    assert!(error.contains("config/deep/2.yml:2: left out: c: "), "{error}");
    assert_eq!(
        counts(&error),
        [
            "2 monitors converted whole",
            "1 monitors converted with a change",
            "1 monitors left out",
            "2 changes of meaning, in monitors and in settings",
            "0 things to do",
            "0 settings that are not needed",
        ]
    );
}

#[test]
fn standard_input_and_variables_are_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vars"), "HOST=from-env.example\n").unwrap();
    let mut command = heapbeat_command(&["convert", "--env", "vars", "-"], &[]);
    command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(WHOLE.replace("a.example", "${HOST}").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("url = \"https://from-env.example\""), "{text}");
}

#[test]
fn what_cannot_be_read_exits_with_1_and_a_wrong_command_line_with_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("broken.yaml"), "endpoints: [").unwrap();
    fs::write(folder.path().join("whole.yaml"), WHOLE).unwrap();
    fs::write(folder.path().join("unknown.json"), "{}").unwrap();
    for (arguments, code, part) in [
        (&["missing.yaml"][..], 1, "missing.yaml"),
        (&["empty"][..], 1, "there is no .yaml or .yml in the folder"),
        (&["broken.yaml"][..], 1, "broken.yaml"),
        (&[][..], 2, "FILES"),
        (&["--from", "other", "broken.yaml"][..], 2, "other"),
        (
            &["--from", "kuma", "whole.yaml"][..],
            1,
            "whole.yaml: the file is not JSON: expected value at line 1 column 1; a database is read by `sqlite3 -json kuma.db 'select * from monitor'`. The input is one of Gatus: use --from gatus",
        ),
        (
            &["unknown.json"][..],
            1,
            "unknown.json: there is no `monitorList`; the file must be a backup of Uptime Kuma. It was read as one of Uptime Kuma; for another program, use --from gatus, uptimeflare, kuma, upptime, blackbox",
        ),
    ] {
        let (text, error, exit) = convert_in(folder.path(), arguments);
        assert_eq!((text.as_str(), exit), ("", Some(code)), "{arguments:?}: {error}");
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}
