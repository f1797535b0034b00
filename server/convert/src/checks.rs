//! Conditions for what other programs check: lists of statuses, and texts in a body.

use heapbeat_monitors::condition::{Condition, MAX_OPTIONS};
use serde_json::json;

use crate::builder::MonitorBuilder;

/// The most conditions of a monitor.
const MAX_CONDITIONS: usize = 20;

/// Collects the conditions of a monitor.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    texts: Vec<String>,
    uses_body: bool,
}

impl Conditions {
    /// Adds a condition, or a note that it is lost.
    pub(crate) fn push(&mut self, text: String, builder: &mut MonitorBuilder) {
        match Condition::parse(&text) {
            Ok(_) if self.texts.len() < MAX_CONDITIONS => {
                self.uses_body |= text.contains("[BODY]");
                self.texts.push(text);
            }
            Ok(_) => builder.changed(format!(
                "the check `{text}` was not converted: a monitor has at most {MAX_CONDITIONS} conditions"
            )),
            Err(error) => builder.changed(format!("the check `{text}` was not converted: {error}")),
        }
    }

    /// Adds a check of the status: it is in one of these ranges, both ends included.
    pub(crate) fn push_statuses(&mut self, ranges: &[(u16, u16)], builder: &mut MonitorBuilder) {
        let merged = merge_ranges(ranges);
        match merged.as_slice() {
            [] => {}
            [(from, to)] if from == to => self.push(format!("[STATUS] == {from}"), builder),
            [(from, to)] => {
                self.push(format!("[STATUS] >= {from}"), builder);
                self.push(format!("[STATUS] <= {to}"), builder);
            }
            [(from, _), .., (_, to)] => {
                let each: Vec<String> = merged
                    .iter()
                    .flat_map(|(from, to)| *from..=*to)
                    .map(|status| status.to_string())
                    .collect();
                if each.len() <= MAX_OPTIONS {
                    self.push(format!("[STATUS] == any({})", each.join(", ")), builder);
                } else {
                    builder.changed(format!("several ranges of statuses are one, from {from} to {to}"));
                    self.push(format!("[STATUS] >= {from}"), builder);
                    self.push(format!("[STATUS] <= {to}"), builder);
                }
            }
        }
    }

    /// Adds a check that the body contains a text, or does not.
    pub(crate) fn push_contains(&mut self, text: &str, contains: bool, builder: &mut MonitorBuilder) {
        let sign = if contains { "==" } else { "!=" };
        self.push(format!("[BODY] {sign} pat(*{}*)", escape_pattern(text)), builder);
    }

    /// Sets the conditions whose failure is a degraded monitor, if there are any.
    pub(crate) fn finish_degraded(self, builder: &mut MonitorBuilder) {
        if !self.texts.is_empty() {
            builder.set("degraded", json!(self.texts));
        }
        if self.uses_body {
            builder.set("max-body", json!("256kB"));
        }
    }

    /// Sets the conditions of the monitor; a connection alone if none is left.
    pub(crate) fn finish(mut self, builder: &mut MonitorBuilder) {
        if self.texts.is_empty() {
            builder.changed("no check is left; it asks for a connection only: [CONNECTED] == true");
            self.texts.push("[CONNECTED] == true".to_owned());
        }
        builder.set("conditions", json!(self.texts));
        if self.uses_body {
            // The others read the whole body.
            builder.set("max-body", json!("256kB"));
        }
    }
}

/// Escapes a text for a pattern, which then matches it as it is.
pub(crate) fn escape_pattern(text: &str) -> String {
    text.chars().flat_map(|c| "*?[]\\^".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Sorts ranges, and unites those that touch.
fn merge_ranges(ranges: &[(u16, u16)]) -> Vec<(u16, u16)> {
    let mut sorted: Vec<_> = ranges.iter().copied().filter(|(from, to)| from <= to).collect();
    sorted.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (from, to) in sorted {
        match merged.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = (*end).max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// Returns the kind of channel that an address of a webhook belongs to.
pub(crate) fn kind_of_webhook(url: &str) -> &'static str {
    let host =
        url.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', ':']).next().unwrap_or_default();
    match host {
        "hooks.slack.com" => "slack",
        "discord.com" | "discordapp.com" | "ptb.discord.com" | "canary.discord.com" => "discord",
        "api.telegram.org" => "telegram",
        "events.pagerduty.com" => "pagerduty",
        _ => "webhook",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_united() {
        assert_eq!(merge_ranges(&[(300, 399), (200, 299), (404, 404), (9, 1)]), [(200, 399), (404, 404)]);
    }

    #[test]
    fn statuses_and_texts_become_conditions() {
        let mut builder = MonitorBuilder::new("a", "A", "", ("f".to_owned(), 1));
        let mut conditions = Conditions::default();
        conditions.push_statuses(&[(200, 200), (204, 204)], &mut builder);
        conditions.push_statuses(&[(200, 299)], &mut builder);
        conditions.push_contains("a*[b]?", true, &mut builder);
        conditions.push_contains("bad", false, &mut builder);
        assert_eq!(
            conditions.texts,
            [
                "[STATUS] == any(200, 204)",
                "[STATUS] >= 200",
                "[STATUS] <= 299",
                r"[BODY] == pat(*a\*\[b\]\?*)",
                "[BODY] != pat(*bad*)"
            ]
        );
    }
}
