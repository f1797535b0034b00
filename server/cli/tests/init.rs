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

/// What `heapbeat init` says of a folder that it refuses.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let arguments: Vec<&str> = ["init"].into_iter().chain(arguments.iter().copied()).collect();
    let output = heapbeat_command(&arguments, &[]).current_dir(folder).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_link_that_leads_out_of_the_folder_is_not_written_through() {
    let root = tempfile::tempdir().unwrap();
    let (folder, outside) = (root.path().join("project"), root.path().join("outside"));
    fs::create_dir(&folder).unwrap();
    fs::write(&outside, "alias ls=ls\n").unwrap();
    fs::write(folder.join("Procfile"), "web: gunicorn app\n").unwrap();
    std::os::unix::fs::symlink(&outside, folder.join("requirements.txt")).unwrap();
    for arguments in [&[][..], &["--dry-run"]] {
        let refused = refusal(&folder, arguments);
        assert!(refused.contains("requirements.txt: it is a symbolic link"), "{refused}");
    }
    let files = read_files(&folder);
    assert_eq!(
        (files["Procfile"].as_str(), files["requirements.txt"].as_str()),
        ("web: gunicorn app\n", "alias ls=ls\n")
    );
}

#[test]
fn pipes_in_the_place_of_files_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("yarn.lock");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    fs::write(folder.path().join("package.json"), r#"{"scripts":{"start":"node a.js"}}"#).unwrap();
    let (proposed, code) = init(folder.path(), &["--dry-run"]);
    assert!(proposed.contains("yarn add heapbeat") && code == Some(0), "the name is enough: {proposed}");
    fs::rename(&path, folder.path().join("render.yaml")).unwrap();
    let refused = refusal(folder.path(), &[]);
    assert!(refused.contains("render.yaml: it is no regular file"), "{refused}");
}

#[test]
fn a_file_that_cannot_be_written_whole_stays_as_it_was() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let text = format!("web: gunicorn app\n# {}\n", "x".repeat(9000));
    fs::write(folder.path().join("Procfile"), &text).unwrap();
    fs::set_permissions(folder.path().join("Procfile"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(folder.path().join("requirements.txt"), "flask\n").unwrap();
    // No file may have more than 4 KiB, as if the disk were full.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" init"])
        .arg(heapbeat_command(&[], &[]).get_program())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let files = read_files(folder.path());
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert_eq!(files.len(), 2, "nothing stays beside it: {:?}", files.keys());
    assert_eq!((&files["Procfile"], files["requirements.txt"].as_str()), (&text, "flask\n"));

    assert_eq!(init(folder.path(), &[]).1, Some(0));
    let metadata = fs::metadata(folder.path().join("Procfile")).unwrap();
    assert_eq!((metadata.mode() & 0o777, read_files(folder.path()).len()), (0o640, 2));
}
