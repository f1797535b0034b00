//! `heapbeat init` in the folders of ten projects: what it proposes is kept as a snapshot, and `--dry-run` changes nothing.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use heapbeat_test_support::heapbeat_command;

/// The files, each behind a line `-- path --`.
const PROJECTS: &str = include_str!("projects/ten.txtar");

/// The texts of the projects by path, in their order.
fn projects() -> Vec<(&'static str, &'static str)> {
    let files = PROJECTS.split("\n-- ").skip(1);
    files.map(|file| file.split_once(" --\n").unwrap()).collect()
}

/// The output and the exit code of `heapbeat init` in a folder.
fn init(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let arguments: Vec<&str> = ["init"].into_iter().chain(arguments.iter().copied()).collect();
    let output = heapbeat_command(&arguments, &[]).current_dir(folder).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// The texts of all files of a folder, by name.
fn read_files(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    files
        .map(|file| (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap()))
        .collect()
}

#[test]
fn what_is_proposed_for_ten_projects() {
    let root = tempfile::tempdir().unwrap();
    let mut names: Vec<&str> = Vec::new();
    for (path, text) in projects() {
        let path = Path::new(path);
        let name = path.parent().unwrap().to_str().unwrap();
        fs::create_dir_all(root.path().join(name)).unwrap();
        fs::write(root.path().join(path), format!("{text}\n")).unwrap();
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    assert_eq!(names.len(), 10);

    let mut proposals = String::new();
    for name in names {
        let folder = root.path().join(name);
        let before = read_files(&folder);
        let (proposed, code) = init(&folder, &["--dry-run"]);
        let _ = writeln!(
            proposals,
            "$ heapbeat init --dry-run    # {name}, exit code {}\n{proposed}",
            code.unwrap()
        );
        assert_eq!(read_files(&folder), before, "{name}: a dry run changes nothing");

        let (changed, same_code) = init(&folder, &[]);
        assert_eq!(changed, proposed.replace("would change", "changed"), "{name}");
        assert_eq!(same_code, code, "{name}");
        let after = read_files(&folder);
        for (file, text) in &after {
            let is_named = proposed.contains(&format!("would change {file}\n"));
            assert_eq!(is_named, *text != before[file], "{name}: {file}");
        }
        init(&folder, &[]);
        assert_eq!(read_files(&folder), after, "{name}: a second run changes nothing");
    }
    insta::assert_snapshot!(proposals);
}
