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
    series_from(100, slope)
}

/// The same from another number of megabytes on.
fn series_from(megabytes: u64, slope: u64) -> String {
    (0..360_u64).map(|i| i * 10).fold(String::new(), |mut csv, t| {
        writeln!(csv, "{t},{}", megabytes * 1_048_576 + slope * t).unwrap();
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

/// 572 MB with a limit of 512 MB, flat and rising.
#[test]
fn memory_above_the_limit_is_said_first_and_exits_2() {
    for (slope, verdict) in [(0, "steady"), (1_048_576 / 60, "leaking")] {
        let series = series_from(572, slope);
        let (out, _, code) = output_texts(&forecast_file(&["--limit", "512MB"], series.as_bytes()).0);
        assert!(
            out.starts_with(&format!("Memory is at {}", if slope == 0 { "572.0 MB, 60.0" } else { "631." })),
            "{out}"
        );
        assert!(out.contains(" MB above the limit of 512.0 MB. Memory ") && !out.contains(" 0 s"), "{out}");
        assert!(out.contains("  limit        512.0 MB, reached: memory is at "), "{out}");
        assert!(out.contains(&format!("verdict      {verdict}\n")) && !out.contains("default"), "{out}");
        assert_eq!(code, Some(2));
        let (out, _, code) =
            output_texts(&forecast_file(&["--limit", "512MB", "--json"], series.as_bytes()).0);
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (&json["verdict"], &json["limit_reached"], code),
            (&verdict.into(), &true.into(), Some(2))
        );
        assert!(json["newest_bytes"].as_u64().unwrap() >= 572 * 1_048_576 && json["time_to_limit"].is_null());
        assert!(json["sentence"].as_str().unwrap().contains("above the limit of 512.0 MB. "), "{out}");
    }
    // A limit that nobody set may be the wrong one.
    let large = series_from(3000, 0);
    let (out, _, code) = output_texts(&forecast_file(&[], large.as_bytes()).0);
    assert!(out.ends_with("This limit is the default: set that of the process with --limit.\n"), "{out}");
    assert_eq!(code, Some(2));
}

#[test]
fn a_series_that_is_too_short_and_above_the_limit_exits_2() {
    let (out, _, code) = output_texts(&forecast_file(&["--limit", "1MB"], b"0,1048576\n").0);
    assert!(out.starts_with("Memory is at the limit of 1.0 MB. No verdict on memory: "), "{out}");
    assert_eq!(code, Some(2));
}

#[test]
fn lines_of_node_without_a_time_need_an_interval() {
    let csv = linear_series(17_476);
    let lines = |time: fn(&str) -> String| {
        csv.lines().fold(String::new(), |all, line| {
            let (seconds, bytes) = line.split_once(',').unwrap();
            all + &format!("{{{}\"rss\":{bytes},\"heapTotal\":9,\"arrayBuffers\":1}}\n", time(seconds))
        })
    };
    let without = lines(|_| String::new());
    let (_, err, code) = output_texts(&forecast_file(&[], without.as_bytes()).0);
    for part in [
        "the time is missing (`time`, `timestamp`, ",
        "{time: Date.now(), ...process.memoryUsage()}",
        "--interval 10s",
    ] {
        assert!(err.contains(part), "{err}");
    }
    assert_eq!(code, Some(3));
    let expected = output_texts(&forecast_file(&[], csv.as_bytes()).0);
    assert_eq!(output_texts(&forecast_file(&["--interval", "10s"], without.as_bytes()).0), expected);
    let sizes: Vec<&str> = csv.lines().map(|line| line.split_once(',').unwrap().1).collect();
    let sizes = sizes.join("\n");
    assert_eq!(output_texts(&forecast_file(&["--interval", "10s"], sizes.as_bytes()).0), expected);
    let names: [fn(&str) -> String; 4] = [
        |seconds| format!("\"time\":{seconds},"),
        |seconds| format!("\"timestamp\":{seconds},"),
        |seconds| format!("\"ts\":{seconds},"),
        |seconds| format!("\"t\":{seconds},"),
    ];
    for name in names {
        assert_eq!(output_texts(&forecast_file(&[], lines(name).as_bytes()).0), expected);
    }
}

#[test]
fn one_of_several_series_of_prometheus_is_selected() {
    let values: Vec<String> = linear_series(17_476)
        .lines()
        .map(|line| line.split_once(',').unwrap())
        .map(|(time, bytes)| format!("[{time},\"{bytes}\"]"))
        .collect();
    let series = |instance: &str| {
        format!("{{\"metric\":{{\"instance\":\"{instance}\"}},\"values\":[{}]}}", values.join(","))
    };
    let text =
        format!("{{\"status\":\"success\",\"data\":{{\"result\":[{},{}]}}}}", series("a"), series("b"));
    let (_, err, code) = output_texts(&forecast_file(&[], text.as_bytes()).0);
    assert!(
        err.ends_with(
            "there are 2: {instance=\"a\"}, {instance=\"b\"}; select one with --series 'instance=\"a\"'\n"
        ),
        "{err}"
    );
    assert_eq!(code, Some(3));
    let selected = output_texts(&forecast_file(&["--series", "instance=\"a\""], text.as_bytes()).0);
    assert_eq!(selected, output_texts(&forecast_file(&[], linear_series(17_476).as_bytes()).0));
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
