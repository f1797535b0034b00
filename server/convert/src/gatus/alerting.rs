//! Converts alerts: which channels a monitor names, its thresholds, and a sketch of the channels.
//!
//! As in Gatus, a setting of an alert comes from the endpoint, else from `default-alert` of the provider, else it is Gatus's own default; and
//! an alert of a type without a provider is never sent. An endpoint without alerts tells nobody: `alerts = []`.

mod channels;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::Reading;
use crate::builder::{MAX_THRESHOLD, MonitorBuilder, format_millis};
use crate::cursor::{Cursor, DurationValue};
use crate::names::make_id;
use crate::note::{Note, NoteKind};

/// Gatus's default of `failure-threshold`.
const FAILURE_THRESHOLD: i64 = 3;

/// Gatus's default of `success-threshold`.
const SUCCESS_THRESHOLD: i64 = 2;

/// The settings of an alert that are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct AlertSettings {
    enabled: Option<bool>,
    failure: Option<i64>,
    success: Option<i64>,
    /// Milliseconds between reminders.
    reminder: Option<i64>,
    /// Whether the end is sent as well.
    resolved: Option<bool>,
    has_text: bool,
}

/// A provider of alerts.
#[derive(Debug)]
struct Provider {
    default: AlertSettings,
    /// The groups that have settings of their own.
    groups: Vec<String>,
    /// The channels: that of the provider, and those of the groups.
    channels: Vec<channels::ChannelSketch>,
}

/// What the alerts on a channel ask for.
#[derive(Debug, Default)]
struct ChannelUse {
    reminders: BTreeSet<Option<i64>>,
    /// Monitors whose alert does not send the end.
    without_end: usize,
    /// Monitors whose alert has a description.
    with_text: usize,
}

/// The providers of the configuration.
#[derive(Debug, Default)]
pub(super) struct Providers {
    by_type: BTreeMap<String, Provider>,
    uses: RefCell<BTreeMap<String, ChannelUse>>,
}

/// The effective alert of a monitor on one channel.
#[derive(Debug)]
struct EffectiveAlert {
    channel: String,
    failure: i64,
    success: i64,
}

impl Providers {
    /// Reads `alerting`.
    pub(super) fn read(&mut self, root: &Cursor<'_>, file: &str, general: &mut Vec<Note>) {
        let Some(alerting) = root.get("alerting") else { return };
        for (kind, provider) in alerting.entries() {
            if provider.node().is_null() {
                provider.mark_whole_read();
                continue;
            }
            let default =
                provider.get("default-alert").map(|alert| read_settings(&alert)).unwrap_or_default();
            let mut note = |kind, text| general.push(Note::at(kind, file, provider.line(), text));
            let mut sketches = vec![channels::sketch(kind, None, &provider, &mut note)];
            let mut groups = Vec::new();
            for settings in provider.list("overrides") {
                let Some(group) = settings.text("group") else { continue };
                sketches.push(channels::sketch(kind, Some(group), &settings, &mut note));
                groups.push(group.to_owned());
            }
            self.by_type.insert(kind.to_owned(), Provider { default, groups, channels: sketches });
        }
    }

    /// Converts the alerts of an endpoint.
    pub(super) fn convert_alerts(&self, cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
        let group = cursor.text("group").unwrap_or_default();
        let mut alerts: Vec<EffectiveAlert> = Vec::new();
        for alert in cursor.list("alerts") {
            let Some(kind) = alert.text("type") else { continue };
            let mut own = read_settings(&alert);
            if alert.mark_read("provider-override") {
                builder.changed(format!("its alert by {kind} has settings of its own (provider-override); it goes to the channel of the provider"));
            }
            let Some(provider) = self.by_type.get(kind) else {
                if own.enabled != Some(false) {
                    builder.note(
                        NoteKind::Dropped,
                        format!("its alert by {kind} is never sent: `alerting` has no {kind}"),
                    );
                }
                continue;
            };
            let default = &provider.default;
            own.enabled = own.enabled.or(default.enabled);
            if own.enabled == Some(false) {
                builder.note(NoteKind::Dropped, format!("its alert by {kind} is disabled"));
                continue;
            }
            let positive = |own: Option<i64>, default: Option<i64>, last| {
                own.filter(|number| *number != 0).or(default).filter(|number| *number > 0).unwrap_or(last)
            };
            let channel = if provider.groups.iter().any(|known| known == group) {
                make_id(&[kind, group])
            } else {
                make_id(&[kind])
            };
            let mut uses = self.uses.borrow_mut();
            let channel_use = uses.entry(channel.clone()).or_default();
            channel_use.reminders.insert(own.reminder.or(default.reminder));
            channel_use.without_end += usize::from(own.resolved.or(default.resolved) != Some(true));
            channel_use.with_text += usize::from(own.has_text || default.has_text);
            alerts.push(EffectiveAlert {
                channel,
                failure: positive(own.failure, default.failure, FAILURE_THRESHOLD),
                success: positive(own.success, default.success, SUCCESS_THRESHOLD),
            });
        }
        set_alerts(&alerts, builder);
    }

    /// Adds the sketch of the channels, and the notes on what alerts no longer say.
    pub(super) fn finish(self, reading: &mut Reading) {
        let uses = self.uses.into_inner();
        for sketch in self.by_type.into_values().flat_map(|provider| provider.channels) {
            let mut fields = sketch.fields;
            let id = sketch.id;
            let mut note = |text: String| {
                reading.general.push(Note::general(NoteKind::Changed, format!("channel {id}: {text}")));
            };
            if let Some(found) = uses.get(&id) {
                let reminders: Vec<_> = found.reminders.iter().flatten().collect();
                if let Some(reminder) = reminders.first() {
                    fields.insert("reminder".to_owned(), json!(format_millis(**reminder)));
                }
                if found.reminders.len() > 1 {
                    note(
                        "its monitors have different intervals of reminders; a channel has one, the shortest"
                            .to_owned(),
                    );
                }
                if found.without_end > 0 {
                    note(format!(
                        "heapbeat always says when the trouble is over; alerts without send-on-resolved: {}",
                        found.without_end
                    ));
                }
                if found.with_text > 0 {
                    note(format!(
                        "a message names the monitor and the cause; alerts whose description is not sent: {}",
                        found.with_text
                    ));
                }
            }
            reading.sketch.blocks.push(("ALERTS", fields, sketch.remark));
        }
    }
}

/// Sets the channels and the thresholds, which a monitor has once: those of the first alert that is sent.
fn set_alerts(alerts: &[EffectiveAlert], builder: &mut MonitorBuilder) {
    let mut channels: Vec<&str> = Vec::new();
    for alert in alerts {
        if !channels.contains(&alert.channel.as_str()) {
            channels.push(&alert.channel);
        }
    }
    builder.set("alerts", json!(channels));
    let Some(first) = alerts.iter().min_by_key(|alert| alert.failure) else { return };
    if alerts.iter().any(|alert| (alert.failure, alert.success) != (first.failure, first.success)) {
        builder.changed(format!(
            "its alerts have different thresholds; a monitor has one each, those of the first alert that is sent ({} and {})",
            first.failure, first.success
        ));
    }
    for (key, figure) in [("failure-threshold", first.failure), ("success-threshold", first.success)] {
        if figure > MAX_THRESHOLD {
            builder.changed(format!("{key}: {figure} is not possible, now {MAX_THRESHOLD}"));
        }
        builder.set(key, json!(figure.min(MAX_THRESHOLD)));
    }
}

/// Reads the settings of an alert.
fn read_settings(alert: &Cursor<'_>) -> AlertSettings {
    alert.text("type");
    let reminder = match alert.duration("minimum-reminder-interval") {
        Some(DurationValue::Nanos(nanos)) if nanos > 0 => Some((nanos / 1_000_000).max(300_000)),
        _ => None,
    };
    AlertSettings {
        enabled: alert.flag("enabled"),
        failure: alert.number("failure-threshold"),
        success: alert.number("success-threshold"),
        reminder,
        resolved: alert.flag("send-on-resolved"),
        has_text: alert.mark_read("description"),
    }
}
