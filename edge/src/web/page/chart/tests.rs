use heapbeat_shared::Bytes;

use super::*;
use crate::view::{LatencyRow, SampleRow};
use crate::web::page::messages::Messages;

const NOW: i64 = 1_769_860_800_000; // 2026-01-31T12:00:00Z
const MB: u64 = 1_048_576;

/// Rows of minutes ago and resident megabytes, half of which are heap.
fn chart_of(rows: &[(i64, u64)]) -> MemoryChartView {
    let sample = |&(ago, mb): &(i64, u64)| {
        SampleRow(
            UnixMillis(NOW - ago * 60_000),
            Bytes(mb * MB),
            Some(Bytes(mb * MB / 2)),
            None,
            Bytes(0),
            Bytes(0),
        )
    };
    MemoryChartView {
        from: UnixMillis(NOW - rows.first().map_or(0, |row| row.0) * 60_000),
        to: UnixMillis(NOW),
        samples: rows.iter().map(sample).collect(),
        ..MemoryChartView::default()
    }
}

fn draw(chart: Option<Chart<'_>>) -> String {
    let messages = Messages::load("en");
    let renderer = Renderer::new(&messages, UnixMillis(NOW), "");
    chart.map_or(String::new(), |chart| chart.draw(&renderer).to_string().replace('\u{a0}', " "))
}

#[test]
fn axes_end_at_round_values() {
    let cases = [
        (0.0, 2.0),
        (1.0, 2.0),
        (3.0, 4.0),
        (7.0, 8.0),
        (9.0, 10.0),
        (11.0, 12.0),
        (99.0, 100.0),
        (101.0, 120.0),
        (610.0, 700.0),
        (1024.0, 1200.0),
    ];
    for (highest, top) in cases {
        assert!((round_up(highest) - top).abs() < f64::EPSILON, "{highest}");
    }
    for highest in (10..20_000).map(f64::from) {
        let top = round_up(highest);
        assert!(top >= highest && top <= highest * 1.25 && (top / 2.0).fract() == 0.0, "{highest}: {top}");
    }
}

#[test]
fn samples_a_second_apart_are_a_line_beside_denser_ones() {
    let mut chart = chart_of(&[(1, 100), (0, 100)]);
    let row = |ms: i64| SampleRow(UnixMillis(NOW - ms), Bytes(MB), Some(Bytes(MB)), None, Bytes(0), Bytes(0));
    chart.samples = (1..=20).rev().map(|second| row(second * 1000)).collect();
    chart.samples.extend((0..20).rev().map(|step| row(step * 50)));
    let picture = draw(memory(&chart));
    let line = picture.split("class=\"rss\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(line.matches('M').count(), 1, "{line}");
}

#[test]
fn peaks_at_both_ends_of_their_parts_are_one_line() {
    // An hour has parts of 15 s; their peaks are 29 s and 1 s apart in turns.
    let part = |index: i64| index * 15_000 + if index % 2 == 0 { 0 } else { 14_000 };
    let from = NOW - 3_600_000;
    let row = |at: i64| SampleRow(UnixMillis(at), Bytes(MB), Some(Bytes(MB)), None, Bytes(0), Bytes(0));
    let mut chart = MemoryChartView {
        from: UnixMillis(from),
        to: UnixMillis(NOW),
        samples: (0..240).map(|index| row(from + part(index))).collect(),
        ..MemoryChartView::default()
    };
    let pieces = |chart: &MemoryChartView| {
        let picture = draw(memory(chart));
        picture.split("class=\"rss\" d=\"").nth(1).unwrap().split('"').next().unwrap().matches('M').count()
    };
    assert_eq!(pieces(&chart), 1);
    chart.samples.drain(100..103);
    assert_eq!(pieces(&chart), 2, "three parts without data are a gap");
}

#[test]
fn a_line_spans_from_the_first_point_to_the_last() {
    let picture = draw(memory(&chart_of(&[(20, 100), (10, 50), (0, 100)])));
    assert!(picture.contains("<path class=\"rss\" d=\"M0 0L500 100L1000 0\"/>"), "{picture}");
    assert!(
        picture.contains("class=\"heap area\" d=\"M0 100L500 150L1000 100L1000 200L0 200Z\""),
        "{picture}"
    );
    for label in ["100 MB", "50 MB", "0 MB", "11:40", "11:50", "12:00"] {
        assert!(picture.contains(&format!("<span>{label}</span>")), "{label}: {picture}");
    }
}

#[test]
fn a_gap_and_a_restart_end_a_line() {
    let chart = chart_of(&[(60, 100), (59, 100), (58, 100), (20, 100), (19, 100)]);
    let pieces = |picture: &str| {
        let path = picture.split("class=\"rss\" d=\"").nth(1).unwrap();
        path.split('"').next().unwrap().matches('M').count()
    };
    let picture = draw(memory(&chart));
    assert_eq!((pieces(&picture), picture.matches('Z').count()), (2, 2));
    let restarted = MemoryChartView { instances: vec![UnixMillis(NOW - 59 * 60_000)], ..chart };
    assert_eq!(pieces(&draw(memory(&restarted))), 3);
}

#[test]
fn the_limit_is_drawn_unless_it_is_far_above_the_values() {
    let with = |limit: u64| {
        draw(memory(&MemoryChartView { limit: Some(Bytes(limit * MB)), ..chart_of(&[(20, 100), (0, 100)]) }))
    };
    assert!(with(200).contains("class=\"limit\" d=\"M0 0H1000\""));
    assert!(!with(4096).contains("class=\"limit\""));
}

#[test]
fn marks_outside_the_window_are_not_drawn() {
    let marks = vec![UnixMillis(NOW - 600_000), UnixMillis(NOW - 90_000_000)];
    let picture = draw(memory(&MemoryChartView { marks, ..chart_of(&[(20, 100), (0, 100)]) }));
    assert_eq!(picture.matches("class=\"restart\"").count(), 1);
    assert!(picture.contains("d=\"M500 0V200\""));
}

#[test]
fn a_forecast_is_a_wedge_that_is_cut_at_the_edge_of_the_chart() {
    let at = |minutes: i64| UnixMillis(NOW + minutes * 60_000);
    let forecast =
        ForecastLine { from: at(0), level: Bytes(100 * MB), at: at(20), earliest: at(10), latest: at(40) };
    let picture = draw(memory(&MemoryChartView {
        to: at(20),
        limit: Some(Bytes(200 * MB)),
        forecast: Some(forecast),
        ..chart_of(&[(20, 100), (0, 100)])
    }));
    // The latest line leaves the chart half way up: 150 of 200.
    assert!(picture.contains("class=\"wedge\" d=\"M500 100L750 0L1000 50Z\""), "{picture}");
    assert!(picture.contains("class=\"forecast\" d=\"M500 100L1000 0\""), "{picture}");
}

#[test]
fn latency_is_one_line_by_tick_and_has_an_area_of_peaks_by_hour() {
    let (from, to) = (UnixMillis(NOW - 60_000), UnixMillis(NOW));
    let view = |resolution: &str, samples| LatencyHistoryView {
        monitor: "api".into(),
        resolution: resolution.into(),
        from,
        to,
        columns: Vec::new(),
        samples,
        gaps: Vec::new(),
    };
    let row = |at, figures: &[Option<u32>]| LatencyRow { at, figures: figures.to_vec() };
    let ticks = draw(latency(&view("tick", vec![row(from, &[Some(100)]), row(to, &[None])])));
    assert!(ticks.contains("<path class=\"rss\" d=\"M0 0h0\"/>"), "{ticks}");
    assert!(ticks.contains("<span>50 ms</span>") && !ticks.contains("area"), "{ticks}");
    let rows = vec![row(from, &[Some(1), Some(50), Some(100)]), row(to, &[Some(1), Some(100), Some(200)])];
    let hours = draw(latency(&view("1h", rows)));
    assert!(hours.contains("class=\"heap area\" d=\"M0 100L1000 0L1000 200L0 200Z\""), "{hours}");
    assert!(hours.contains("<path class=\"rss\" d=\"M0 150L1000 100\"/>"), "{hours}");
}

#[test]
fn without_samples_there_is_no_chart() {
    assert_eq!(draw(memory(&chart_of(&[]))), "");
}

#[test]
fn a_heap_that_is_not_known_is_not_drawn_as_zero() {
    let mut view = chart_of(&[(4, 200), (3, 200), (2, 200), (1, 200)]);
    view.samples[1].2 = None;
    assert!(
        draw(memory(&view)).contains("class=\"heap area\" d=\"M0 100L500 100"),
        "{}",
        draw(memory(&view))
    );
    view.samples.iter_mut().for_each(|row| row.2 = None);
    let drawn = draw(memory(&view));
    assert!(drawn.contains("class=\"heap area\" d=\"\""), "{drawn}");
    assert!(drawn.contains("class=\"rss\" d=\"M0 0"), "{drawn}");
}
