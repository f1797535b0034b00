//! The times of a monitor of Uptime Kuma: interval, timeout, and retries with their interval.

use serde_json::json;

use super::monitor::number_of;
use crate::builder::{MAX_GRACE, MAX_THRESHOLD, MonitorBuilder, format_millis};
use crate::cursor::{Cursor, DurationValue};
use crate::note::NoteKind;

/// Kuma's default of the interval, in seconds.
pub(super) const INTERVAL: i64 = 60;

/// The timeout of a connection to a port in milliseconds: that of the library that Kuma uses, whatever the monitor's timeout is.
const PORT_TIMEOUT: i64 = 5_000;

/// The retries of a monitor.
#[derive(Clone, Copy, Debug)]
struct Retries {
    count: i64,
    /// The time between them, in seconds.
    interval: i64,
}

/// Reads the retries. Their interval has no effect if there are none.
fn read_retries(cursor: &Cursor<'_>, interval: i64, builder: &mut MonitorBuilder) -> Retries {
    let count = number_of(cursor, &["maxretries"]).unwrap_or(0).max(0);
    let own = number_of(cursor, &["retryInterval", "retry_interval"]).filter(|own| *own > 0);
    let retries = Retries { count, interval: own.unwrap_or(interval) };
    if count == 0 && retries.interval != interval {
        let own = retries.interval;
        builder
            .note(NoteKind::Dropped, format!("its retry interval of {own} s has no effect without retries"));
    }
    retries
}

/// Converts the times of a monitor that is probed.
pub(super) fn convert(cursor: &Cursor<'_>, kind: &str, builder: &mut MonitorBuilder) {
    let seconds = |number: i64| DurationValue::Nanos(number.saturating_mul(1_000_000_000));
    let interval = number_of(cursor, &["interval"]).unwrap_or(INTERVAL);
    builder.set_interval(seconds(interval));
    let millis = if kind == "port" {
        cursor.mark_read("timeout");
        PORT_TIMEOUT
    } else {
        read_timeout(cursor, interval)
    };
    builder.set_timeout(DurationValue::Nanos(millis.saturating_mul(1_000_000)));
    let retries = read_retries(cursor, interval, builder);
    if retries.count == 0 {
        return;
    }
    builder.set("failure-threshold", json!((retries.count + 1).min(MAX_THRESHOLD)));
    if retries.count >= MAX_THRESHOLD {
        builder.changed(format!(
            "{} retries are not possible; it is down after {MAX_THRESHOLD} failures",
            retries.count
        ));
    }
    if retries.interval != interval {
        builder.changed(format!(
            "it is asked again after {interval} s and not {} s while it fails",
            retries.interval
        ));
    }
}

/// Returns the timeout of a request in milliseconds: 80 % of the interval, if there is none.
fn read_timeout(cursor: &Cursor<'_>, interval: i64) -> i64 {
    let timeout =
        cursor.text("timeout").and_then(|text| text.parse::<f64>().ok()).filter(|timeout| *timeout > 0.0);
    #[allow(clippy::cast_possible_truncation)] // The cast saturates.
    timeout.map_or(interval.saturating_mul(800), |timeout| (timeout * 1000.0) as i64)
}

/// Converts the times of a job that reports by itself.
pub(super) fn convert_push(cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
    let interval = number_of(cursor, &["interval"]).unwrap_or(INTERVAL);
    builder.set_job_interval("interval", interval.saturating_mul(1000));
    let retries = read_retries(cursor, interval, builder);
    let grace = retries.count.saturating_mul(retries.interval).saturating_mul(1000);
    if grace > MAX_GRACE {
        builder.changed(format!(
            "its grace is {} and not {}",
            format_millis(MAX_GRACE),
            format_millis(grace)
        ));
    }
    builder.set("grace", json!(format_millis(grace.min(MAX_GRACE))));
    cursor.mark_read("timeout");
}
