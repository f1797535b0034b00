//! How many crates an application compiles for heapbeat: the example application with it and without, counted by `cargo tree`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Maximum number of crates that heapbeat may add to an axum application.
const MAX_ADDED: usize = 45;

/// Returns names and versions of all crates of the example application. It needs no network, as cargo downloaded them to build this
/// test.
fn crates(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--package", "heapbeat-example-todos"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    // A line is `name v1.2.3`, with remarks in parentheses behind it.
    tree.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn heapbeat_adds_few_crates_to_an_application() {
    let with = crates(&[]);
    let without = crates(&["--no-default-features"]);
    let added: Vec<&String> = with.difference(&without).collect();
    println!("{} crates without heapbeat, {} more with it: {added:#?}", without.len(), added.len());
    assert!(
        with.iter().any(|name| name.starts_with("heapbeat v")),
        "the application depends on heapbeat: {with:?}"
    );
    assert!(
        !without.iter().any(|name| name.starts_with("heapbeat v")),
        "without its default features it does not: {without:?}"
    );
    assert!(
        added.len() <= MAX_ADDED,
        "heapbeat adds {} crates, at most {MAX_ADDED} are allowed: {added:#?}",
        added.len()
    );
    for name in ["chrono", "clap", "ratatui", "rustls", "saphyr", "toml", "ureq"] {
        let is_it = |crate_: &&&String| crate_.split(' ').next() == Some(name);
        assert_eq!(
            added.iter().find(is_it),
            None,
            "the library must not depend on what only the command line needs"
        );
    }
}
