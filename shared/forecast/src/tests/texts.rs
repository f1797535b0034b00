//! The texts of assessments.

use super::*;

#[test]
fn an_assessment_is_formatted_as_sentence_report_and_json() {
    let leak = Forecaster::of(series(600, slow_leak)).assess(LIMIT);
    let sentence = leak.to_string();
    assert!(
        sentence.starts_with(
            "Memory leaks 1.00 MB/min: none of the growth was given back; it reaches 512.0 MB in 6 h"
        ),
        "{sentence}"
    );
    let report = leak.report(Bytes::from_mb(110));
    for part in [
        "verdict      leaking\n",
        "slope        1.00 MB/min (",
        "limit        512.0 MB in 6 h",
        "observed     9 min 59 s (",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    let steady = Forecaster::of(series(600, |_| 1e8)).assess(LIMIT).to_string();
    assert!(steady.starts_with("Memory is steady: its lowest values do not rise (growth below"), "{steady}");
    let nothing = Forecaster::new().assess(LIMIT).to_string();
    assert_eq!(nothing, "No verdict on memory: not enough data yet to distinguish a leak from a warm-up.");

    let json: serde_json::Value = serde_json::from_str(&leak.to_json(Bytes::from_mb(110))).unwrap();
    assert_eq!(
        (&json["verdict"], &json["basis"], &json["part"]),
        (&"leaking".into(), &"sustained_growth".into(), &"total".into())
    );
    assert_eq!(json["observed_seconds"], 599.0);
    assert_eq!(json["sentence"], sentence);
    for field in ["expected_seconds", "earliest_seconds", "latest_seconds"] {
        assert!(json["time_to_limit"][field].as_f64().unwrap() > 20_000.0, "{field}");
    }
    assert_eq!(serde_json::from_value::<Assessment>(json).unwrap().verdict, Verdict::Leaking);
}

#[test]
fn a_limit_whose_time_is_over_has_no_seconds_left() {
    // 110 MB, with peaks of 20 MB every few seconds.
    let peaks = |t: f64| slow_leak(t) + if t % 4.0 < 1.0 { 20.0 * 1_048_576.0 } else { 0.0 };
    let leak = Forecaster::of(series(600, peaks)).assess(Bytes::from_mb(120));
    let sentence = leak.to_string();
    assert!(sentence.ends_with("given back; its usual peaks reach 120.0 MB now."), "{sentence}");
    let report = leak.report(Bytes::from_mb(110));
    assert!(report.contains("  limit        120.0 MB, which its usual peaks reach now\n"), "{report}");
}

#[test]
fn an_interval_too_wide_to_be_an_estimate_has_no_end() {
    let leak = Forecaster::of(series(600, slow_leak)).assess(LIMIT);
    let with = |earliest, latest| {
        let [expected, earliest, latest] =
            [u64::midpoint(earliest, latest), earliest, latest].map(Duration::from_secs);
        let time_to_limit = Some(TimeToLimit { expected, earliest, latest });
        let assessment = Assessment { time_to_limit, ..leak };
        (assessment.to_string(), assessment.report(Bytes::from_mb(110)))
    };
    // The bounds in seconds, and the end of the sentence.
    let cases = [
        (3, 46 * 60, "it reaches 512.0 MB in about 23 min 1 s, perhaps in 3 s, perhaps much later."),
        (0, 60, "it reaches 512.0 MB in about 30 s, perhaps in 0 s, perhaps much later."),
        (3, 90, "it reaches 512.0 MB in 46 s (between 3 s and 1 min 30 s)."),
        (600, 7200, "it reaches 512.0 MB in 1 h 5 min (between 10 min and 2 h)."),
    ];
    for (earliest, latest, expected) in cases {
        let (sentence, report) = with(earliest, latest);
        assert!(sentence.ends_with(expected), "{sentence}");
        assert_eq!(report.contains(", perhaps much later\n"), sentence.contains("much later"), "{report}");
    }
}

#[test]
fn rates_are_formatted_in_a_suitable_unit() {
    let mb = 1_048_576.0;
    let cases = [
        (20.0 * mb, "20.0 MB/s"),
        (mb / 60.0, "1.00 MB/min"),
        (mb / 600.0, "6.00 MB/h"),
        (-mb / 60.0, "-1.00 MB/min"),
        (mb / 60.0 * 0.99, "0.99 MB/min"),
        (1.0, "3.5 kB/h"),
        (0.0, "0 B/h"),
    ];
    for (rate, shown) in cases {
        assert_eq!(Rate(rate).to_string(), shown);
    }
}
