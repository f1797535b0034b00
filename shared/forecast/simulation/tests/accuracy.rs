//! Bounds the accuracy of the forecast on processes with known behavior, with twenty seeds per scenario.
//!
//! The bounds are a little below the measured accuracy, so that a change that reduces it fails. `--nocapture` prints the tables.

use heapbeat_forecast::Verdict;
use heapbeat_forecast_simulation::accuracy::{
    ForecastResult, count_verdicts_of_week, measure_detection, measure_forecasts, verdict_on_detectable_leak,
};
use heapbeat_forecast_simulation::matrix::Matrix;
use heapbeat_forecast_simulation::process::{rhythm, steady};

const SEEDS: u64 = 20;

/// Returns the least number of runs of twenty whose last verdict must be right.
fn min_right(name: &str, total_only: bool) -> usize {
    match (name, total_only) {
        // The leak of 8 MB is as small as the noise of up to 8 MB in flight.
        ("slow leak, 1 MB/min", false) => 18,
        ("slow leak, 1 MB/min", true) => 9,
        ("slow leak on a sawtooth", true) => 12,
        ("slow leak on a sawtooth", false) | ("late leak, 1-5 MB/min", true) => 14,
        ("slow leak, normal noise", _) | ("half a rhythm, rising", true) => 15,
        ("late leak, 1-5 MB/min" | "leak by chance, mean 2 MB/min" | "half a rhythm, rising", _) => 17,
        _ => 20,
    }
}

fn assert_accuracy(total_only: bool) {
    let matrix = Matrix::measure(SEEDS, 5, total_only);
    println!("{matrix}");
    for row in &matrix.rows {
        let least = min_right(row.name, total_only);
        assert!(row.right >= least, "{}: {} of {SEEDS} right, not {least}\n{matrix}", row.name, row.right);
    }
    let quiet = ["steady", "sawtooth cache", "step after deploy", "ramp, then plateau"];
    let false_alarms: Vec<_> =
        matrix.rows.iter().filter(|row| quiet.contains(&row.name)).map(|row| row.ever_leaking).collect();
    assert_eq!(false_alarms, [0; 4], "called leaking at some time\n{matrix}");
}

#[test]
fn verdicts_are_right_with_the_heap_known() {
    assert_accuracy(false);
}

#[test]
fn verdicts_are_right_with_the_total_only() {
    assert_accuracy(true);
}

#[test]
fn a_steady_week_is_never_called_a_leak() {
    for total_only in [false, true] {
        let counts = count_verdicts_of_week(steady(7), 60, total_only);
        println!("steady week, total only {total_only}: {counts:?}");
        assert_eq!(counts[2], 0, "{counts:?}");
    }
}

#[test]
fn a_week_of_days_and_nights_is_never_called_a_leak() {
    let counts = count_verdicts_of_week(rhythm(7, 86_400.0), 60, false);
    println!("week with a daily rhythm: {counts:?}");
    assert_eq!(counts[2], 0, "{counts:?}");
}

#[test]
fn eight_minutes_give_the_time_to_the_limit_within_a_fifth() {
    // The age in seconds, and the least shares: of runs with a forecast, and of those within 20 % and within the interval.
    for (age, with_forecast, near, within) in [(480, 0.75, 0.9, 0.9), (600, 0.92, 0.95, 0.9)] {
        let runs = measure_forecasts(100, age, false);
        let forecasts: Vec<&ForecastResult> = runs.iter().filter(|run| run.expected.is_some()).collect();
        let share = |count: usize| count as f64 / forecasts.len() as f64;
        let close = share(forecasts.iter().filter(|run| run.error() <= 0.2).count());
        let covered = share(forecasts.iter().filter(|run| run.within).count());
        println!(
            "{age} s: {} of 100 with a forecast, {close} within 20 %, {covered} within the interval",
            forecasts.len()
        );
        assert!(
            forecasts.len() as f64 / 100.0 >= with_forecast,
            "{age} s: {} with a forecast",
            forecasts.len()
        );
        assert!(close >= near, "{age} s: {close} within 20 %");
        assert!(covered >= within, "{age} s: {covered} within the interval");
    }
}

#[test]
fn a_megabyte_a_minute_is_named_within_ten_minutes_or_twenty_from_the_total() {
    // The noise of these processes is up to 8 MB, as much as they leak in eight minutes.
    for (total_only, within, least) in [(false, 600, 37), (true, 1200, 39)] {
        let found = measure_detection(40, total_only);
        let in_time = found.iter().flatten().filter(|second| **second <= within).count();
        println!("total only {total_only}: {in_time} of 40 within {within} s: {found:?}");
        assert!(in_time >= least, "{in_time} of 40 within {within} s");
    }
}

#[test]
fn a_slope_at_the_detectable_limit_is_detected() {
    let count_detected = |factor: f64| {
        let verdicts: Vec<Verdict> =
            (0..SEEDS).map(|seed| verdict_on_detectable_leak(seed, factor)).collect();
        println!("{factor} times the detectable slope: {verdicts:?}");
        verdicts.iter().filter(|verdict| **verdict != Verdict::Steady).count()
    };
    let (half, twice) = (count_detected(0.5), count_detected(2.0));
    assert!(twice >= 18, "a leak of twice the detectable slope was detected {twice} times of {SEEDS}");
    assert!(
        half <= 6,
        "a leak of half the detectable slope was detected {half} times: the figure is too high"
    );
}
