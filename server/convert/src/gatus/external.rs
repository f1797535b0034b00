//! Converts an external endpoint, whose job reports its results.

use serde_json::json;

use super::Context;
use crate::builder::{MAX_GRACE, MonitorBuilder, format_millis};
use crate::cursor::{Cursor, DurationValue};
use crate::note::NoteKind;

/// Converts an external endpoint.
pub(super) fn convert(cursor: &Cursor<'_>, builder: &mut MonitorBuilder, context: &mut Context<'_>) {
    let heartbeat = cursor.get("heartbeat").and_then(|heartbeat| heartbeat.duration("interval"));
    let millis = match heartbeat {
        Some(DurationValue::Nanos(nanos)) => nanos / 1_000_000,
        Some(DurationValue::NoUnit(seconds)) => seconds.saturating_mul(1000),
        None => 0,
    };
    if millis <= 0 {
        builder.leave_out("an external endpoint without heartbeat.interval only shows results that others find; heapbeat finds its own");
        return;
    }
    builder.set("kind", json!("heartbeat"));
    let interval = builder.set_job_interval("heartbeat.interval", millis);
    let id = builder.id().to_owned();
    let token = format!("HEARTBEAT_TOKEN_{}", id.to_ascii_uppercase().replace('-', "_"));
    cursor.text("token");
    builder.note(
        NoteKind::Todo,
        format!("the job has to call POST /api/v1/heartbeats/{id}, with the secret HEARTBEAT_TOKEN, or {token} for a token of its own"),
    );
    context.providers.convert_alerts(cursor, builder);
    // Gatus counts intervals without a result, and heapbeat the time.
    let threshold = builder.take_threshold();
    let grace = interval.saturating_mul(threshold - 1);
    if grace > MAX_GRACE {
        builder.changed(format!(
            "the alert comes {} after a missed report, and not {}",
            format_millis(MAX_GRACE),
            format_millis(grace)
        ));
    }
    builder.set("grace", json!(format_millis(grace.min(MAX_GRACE))));
    if threshold > 1 {
        builder.changed("a failure that the job reports alerts at once, and one success ends it; in Gatus both have thresholds");
    }
    context.windows.read_list(cursor, builder);
}
