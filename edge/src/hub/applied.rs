//! Parsing the entries of applied monitors. Pure.

use serde_json::Value;

use crate::monitor_config::applied::LIST;
use crate::monitor_config::{MonitorConfig, MonitorId};

/// Parses applied entries. Together with the `fixed` monitors of `wrangler.toml` there is `room` for so many, and every id is
/// unique.
pub(super) fn read_applied(
    list: &[Value],
    allow_private: bool,
    fixed: &MonitorConfig,
    room: usize,
) -> MonitorConfig {
    let taken: Vec<MonitorId> = fixed.monitors.iter().map(|monitor| monitor.id.clone()).collect();
    MonitorConfig::parse_entries(LIST, list, allow_private, &taken, room.saturating_sub(taken.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_applied_monitor_must_not_have_an_id_of_wrangler_toml() {
        let fixed =
            MonitorConfig::parse(Some(r#"[{"id":"a","kind":"http","url":"https://a.example"}]"#), false);
        let list = [json!({"id":"a","kind":"http","url":"https://b.example"})];
        let applied = read_applied(&list, false, &fixed, 40);
        assert_eq!(applied.monitors, []);
        assert_eq!(applied.problems[0].position, "monitors[0].id");
        assert!(applied.problems[0].reason.contains("wrangler.toml"), "{:?}", applied.problems);
    }
}
