//! Parsing the entries of applied monitors.

use serde_json::Value;

use crate::monitor_config::applied::LIST;
use crate::monitor_config::{MonitorConfig, MonitorId};
use crate::settings::refuse_foreign_secrets;

/// Parses applied entries. Together with the `fixed` monitors of `wrangler.toml` there is `room` for so many, and every id is
/// unique. They may name the secrets that are set aside for them, among them the `listed` ones.
pub(super) fn read_applied(
    list: &[Value],
    allow_private: bool,
    fixed: &MonitorConfig,
    room: usize,
    listed: &[String],
) -> MonitorConfig {
    let taken: Vec<MonitorId> = fixed.monitors.iter().map(|monitor| monitor.id.clone()).collect();
    let room = room.saturating_sub(taken.len());
    let mut applied = MonitorConfig::parse_entries(LIST, list, allow_private, &taken, room);
    refuse_foreign_secrets(&mut applied, listed);
    applied
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
        let applied = read_applied(&list, false, &fixed, 40, &[]);
        assert_eq!(applied.monitors, []);
        assert_eq!(applied.problems[0].position, "monitors[0].id");
        assert!(applied.problems[0].reason.contains("wrangler.toml"), "{:?}", applied.problems);
    }

    #[test]
    fn an_applied_monitor_names_only_what_is_set_aside_for_it() {
        let fixed = MonitorConfig::default();
        let with = |secret: &str| json!({"id":"a","kind":"http","url":"https://evil.example","headers":{"x":{"secret":secret}}});
        for (secret, accepted) in [
            ("MONITOR_API", true),
            ("LISTED", true),
            ("OPS_SLACK_URL", false),
            ("ADMIN_TOKEN", false),
            ("HEAPBEAT_SECRET", false),
        ] {
            let applied = read_applied(&[with(secret)], false, &fixed, 40, &["LISTED".to_owned()]);
            assert_eq!(
                (applied.monitors.len() == 1, applied.problems.is_empty()),
                (accepted, accepted),
                "{secret}"
            );
        }
    }
}
