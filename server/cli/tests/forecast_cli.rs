//! `heapbeat forecast` in a script: its text, its JSON, and its exit code.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Output, Stdio};

use heapbeat_test_support::heapbeat_command;
use serde_json::Value;

/// Runs `forecast` on a file with this content, and returns its output and the path of the file.
fn forecast_file(options: &[&str], content: &[u8]) -> (Output, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("series");
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let arguments: Vec<&str> = ["forecast"].iter().chain(options).copied().chain([path.as_str()]).collect();
    (heapbeat_command(&arguments, &[]).output().unwrap(), path)
}

/// Returns a CSV series of one hour: a sample every ten seconds, which starts at 100 MB and rises by `slope` bytes per second.
fn linear_series(slope: u64) -> String {
    (0..360_u64).map(|i| i * 10).fold(String::new(), |mut csv, t| {
        writeln!(csv, "{t},{}", 104_857_600 + slope * t).unwrap();
        csv
    })
}

fn output_texts(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn a_flat_series_is_steady_and_exits_0() {
    let (output, _) = forecast_file(&[], format!("seconds,bytes\n{}", linear_series(0)).as_bytes());
    let (out, err, code) = output_texts(&output);
    assert!(out.contains("verdict      steady\n") && out.contains("1.00 GB, no forecast"), "{out}");
    assert_eq!((err.as_str(), code), ("", Some(0)));
}

/// The series rises by 1 MB per minute from 100 MB to 160 MB in an hour, so 1024 MB are 864 minutes away and 200 MB are 40.
#[test]
fn a_leak_exits_1_and_one_with_less_than_an_hour_left_2() {
    let series = linear_series(1_048_576 / 60);
    for (limit, left, expected) in [("1024MB", 864.0 * 60.0, 1), ("200MB", 40.0 * 60.0, 2)] {
        let (output, _) = forecast_file(&["--json", "--limit", limit], series.as_bytes());
        let (out, err, code) = output_texts(&output);
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["verdict"], "leaking", "{out}");
        let seconds = json["time_to_limit"]["expected_seconds"].as_f64().unwrap();
        assert!((0.99..=1.01).contains(&(seconds / left)), "{limit}: {seconds} is not {left}");
        assert_eq!((err.as_str(), code), ("", Some(expected)), "{limit}");
    }
}

#[test]
fn json_lines_from_standard_input_give_the_same_assessment() {
    let csv = linear_series(17_476);
    let lines: String = csv.lines().fold(String::new(), |mut all, line| {
        let (seconds, bytes) = line.split_once(',').unwrap();
        writeln!(all, "{{\"seconds\":{seconds},\"bytes\":{bytes}}}").unwrap();
        all
    });
    let mut child = heapbeat_command(&["forecast", "-"], &[]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let piped = child.wait_with_output().unwrap();
    assert_eq!(output_texts(&piped), output_texts(&forecast_file(&[], csv.as_bytes()).0));
    assert_eq!(piped.status.code(), Some(1));
}

#[test]
fn a_series_of_zeros_is_steady_without_a_rate() {
    let zeros = (0..900).fold(String::new(), |csv, second| csv + &format!("{second},0\n"));
    let (out, _, code) = output_texts(&forecast_file(&[], zeros.as_bytes()).0);
    assert!(out.contains("any growth would have been detected") && !out.contains("B/h"), "{out}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_series_that_is_too_short_is_unknown_and_exits_3() {
    let (output, _) = forecast_file(&[], b"0,1000\n1,1000\n");
    let (out, err, code) = output_texts(&output);
    assert!(out.contains("verdict      unknown\n"), "{out}");
    assert_eq!((err.as_str(), code), ("", Some(3)));
}

#[test]
fn an_error_names_the_file_and_the_line() {
    let cases: [(&[u8], &str); 4] = [
        (b"seconds,bytes\n0,100\n1,many\n", "line 3, `1,many`: "),
        (b"{\"seconds\":0}\n", "line 1, `{\"seconds\":0}`: "),
        (b"", "there is no sample in 0 lines; a line is `time,bytes`"),
        (b"0,1\n\xff\xfe\n", "line 2 is not UTF-8 text"),
    ];
    for (content, expected) in cases {
        let (output, path) = forecast_file(&[], content);
        let (out, err, code) = output_texts(&output);
        assert!(err.starts_with(&format!("heapbeat: {path}: {expected}")), "{err}");
        assert_eq!((out.as_str(), code, err.lines().count()), ("", Some(3), 1), "{err}");
    }
}

#[test]
fn a_missing_file_and_a_wrong_command_line_exit_3() {
    let cases: [(&[&str], &str); 5] = [
        (&["forecast", "/no/such/series"], "heapbeat: /no/such/series: No such file or directory"),
        (&["forecast", "/"], "heapbeat: /: Is a directory"),
        (&["forecast"], "error: the following required arguments were not provided"),
        (
            &["forecast", "--limit", "0MB", "-"],
            "error: invalid value '0MB' for '--limit <SIZE>': the limit must be 1.0 MB or more",
        ),
        (
            &["forecast", "--limit", "12 XB", "-"],
            "error: invalid value '12 XB' for '--limit <SIZE>': a size is",
        ),
    ];
    for (arguments, expected) in cases {
        let (out, err, code) = output_texts(&heapbeat_command(arguments, &[]).output().unwrap());
        assert!(err.starts_with(expected), "{err}");
        assert_eq!((out.as_str(), code), ("", Some(3)), "{arguments:?}");
    }
}

#[test]
fn the_help_explains_the_exit_codes() {
    let (out, _, code) = output_texts(&heapbeat_command(&["forecast", "--help"], &[]).output().unwrap());
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("3 unknown") && words.contains("heapbeat forecast rss.csv"), "{out}");
    assert_eq!(code, Some(0));
}
