//! Errors of settings on the command line and in the environment, and the help.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::Output;

use heapbeat::config::SETTINGS;
use heapbeat_test_support::{Server, heapbeat_command};

fn run_heapbeat(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    heapbeat_command(arguments, variables).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_bad_setting_is_one_line_and_exit_code_2() {
    let size = "a size is a number and a unit, such as 512MB, 1.5GB or 800MiB (B, kB, MB, GB, TB in powers of 1024); or \
                `auto` to detect it";
    let variables = run_heapbeat(&["serve"], &[("HEAPBEAT_MEMORY_LIMIT", "12 XB")]);
    assert_eq!(stderr(&variables), format!("heapbeat: HEAPBEAT_MEMORY_LIMIT is \"12 XB\": {size}\n"));
    assert_eq!(variables.status.code(), Some(2));
    let flags = run_heapbeat(&["serve", "--memory-limit", "12 XB"], &[("HEAPBEAT_MEMORY_LIMIT", "512MB")]);
    assert_eq!(stderr(&flags), format!("heapbeat: --memory-limit is \"12 XB\": {size}\n"));
    assert_eq!(flags.status.code(), Some(2));
    let several = run_heapbeat(&["serve", "--drain-timeout", "5"], &[("PORT", "web")]);
    let expected = "heapbeat: PORT is \"web\": a port is a number from 1 to 65535, or 0 for any free one\n\
                heapbeat: --drain-timeout is \"5\": a duration is a number and a unit, such as 500ms, 30s, 5m, 1h30m or 7d\n";
    assert_eq!(stderr(&several), expected);
    assert!(several.stdout.is_empty());
}

#[test]
fn thresholds_that_do_not_work_together_are_refused_by_the_supervisor() {
    let arguments = ["serve", "--alert-at", "90%", "--memory-limit", "1024MB"];
    let output = run_heapbeat(&arguments, &[("HEAPBEAT_PURGE_AT", "80%"), ("PORT", "0")]);
    let expected = "heapbeat: HEAPBEAT_PURGE_AT=80% (819.2 MB) must be greater than --alert-at 90% (921.6 MB) under the \
                    memory limit of 1.00 GB\n";
    assert_eq!((stderr(&output), output.status.code()), (expected.to_owned(), Some(2)));
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_taken_port_is_named_with_its_variable() {
    let taken = TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run_heapbeat(&["serve"], &[("PORT", &port), ("HEAPBEAT_LOG", "off")]);
    let expected = format!(
        "heapbeat: port {port} is taken: another program listens on it; choose another with PORT or --port (0 takes a \
         free one)\n"
    );
    assert_eq!((stderr(&output), output.status.code()), (expected, Some(1)));
}

#[test]
fn a_misspelled_variable_is_logged_with_the_setting_that_was_meant() {
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMT", "512MB")]);
    let warned = server.wait_for_log("HEAPBEAT_MEMORY_LIMT");
    assert_eq!(warned["level"], "WARN");
    let expected =
        "HEAPBEAT_MEMORY_LIMT is not a setting and has no effect; did you mean HEAPBEAT_MEMORY_LIMIT?";
    assert_eq!(warned["message"], expected);
}

#[test]
fn the_log_names_the_limit_and_has_figures_for_machines() {
    let server = Server::start(&[("HEAPBEAT_MEMORY_LIMIT", "100MB")]);
    let limit = server.wait_for_log("memory limit: ");
    assert_eq!(limit["message"], "memory limit: 100.0 MB (configured)");
    let line = server.wait_for_log("external");
    assert_eq!(line["heapbeat.memory.limit"], 104_857_600);
    assert_eq!(line["heapbeat.pressure"], "calm");
    let rss = line["process.memory.usage"].as_u64().unwrap();
    assert!(rss.abs_diff(server.proc_status("VmRSS")) < 4 << 20, "{rss}");
}

#[test]
fn the_help_has_examples_and_the_version_its_number() {
    let help = run_heapbeat(&["serve", "--help"], &[]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert_eq!(help.status.code(), Some(0));
    for expected in
        ["Examples:", "--memory-limit <SIZE>", "[env: HEAPBEAT_MEMORY_LIMIT]", "[default: 8080]", "--demo"]
    {
        assert!(text.contains(expected), "{expected} is missing from:\n{text}");
    }
    let version = String::from_utf8(run_heapbeat(&["--version"], &[]).stdout).unwrap();
    assert!(version.starts_with(&format!("heapbeat {}", env!("CARGO_PKG_VERSION"))), "{version}");
    assert_eq!(run_heapbeat(&[], &[]).status.code(), Some(2));
    assert_eq!(run_heapbeat(&["serve", "--no-such-flag"], &[]).status.code(), Some(2));
}

/// `docs/configuration.md` must contain the table of settings that the code defines.
#[test]
fn the_documentation_lists_every_setting() {
    let mut table = String::from("| variable | flag | default | meaning |\n|---|---|---|---|\n");
    for s in SETTINGS {
        let flag = if s.secret { "none".to_owned() } else { format!("`--{} {}`", s.flag, s.value_name) };
        let row = format!("| `{}` | {flag} | `{}` | {} |", s.variable, s.default, s.help);
        writeln!(table, "{row}").unwrap();
    }
    let page = include_str!("../../../docs/configuration.md");
    assert!(page.contains(&table), "docs/configuration.md should contain:\n\n{table}");
}
