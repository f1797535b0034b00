//! Channels that monitors alert, and that do not exist.

use std::collections::BTreeMap;

use heapbeat_shared::text::list_names;

use super::ALERTS;
use crate::monitor_config::{ConfigProblem, MonitorConfig, MonitorId};
use crate::notify::{ChannelId, Channels};

/// Most monitors that are named in one problem.
const MAX_NAMED: usize = 3;

/// Reports each channel that monitors alert and that does not exist, with those monitors.
pub(crate) fn report_unknown_channels(config: &mut MonitorConfig, channels: &Channels) {
    let mut unknown: BTreeMap<&ChannelId, Vec<&MonitorId>> = BTreeMap::new();
    for monitor in &config.monitors {
        for id in monitor.alerts.iter().flatten().filter(|id| channels.find(id).is_none()) {
            unknown.entry(id).or_default().push(&monitor.id);
        }
    }
    let problem = |(channel, monitors): (&ChannelId, Vec<&MonitorId>)| ConfigProblem {
        position: ALERTS.to_owned(),
        reason: describe(channel, &monitors),
    };
    let problems: Vec<ConfigProblem> = unknown.into_iter().map(problem).collect();
    config.problems.extend(problems);
}

/// Describes a channel that does not exist and the monitors that alert it, of which a moved list can have hundreds.
fn describe(channel: &ChannelId, monitors: &[&MonitorId]) -> String {
    let named: Vec<String> = monitors.iter().map(|id| format!("`{id}`")).collect();
    let (noun, verb) = if monitors.len() == 1 { ("monitor", "alerts") } else { ("monitors", "alert") };
    format!(
        "{noun} {} {verb} `{channel}`, and there is no such channel; add it to [[vars.ALERTS]] in wrangler.toml, or leave it out of \
         `alerts`",
        list_names(&named, MAX_NAMED)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_is_missing_is_one_problem_however_many_monitors_alert_it() {
        let ids: Vec<MonitorId> = ["a", "b", "c", "d"].map(|id| id.parse().unwrap()).to_vec();
        let slack: ChannelId = "slack".parse().unwrap();
        let described = |count| describe(&slack, &ids.iter().take(count).collect::<Vec<_>>());
        let cases = [
            (1, "monitor `a` alerts `slack`, and there is no such channel; add it to [[vars.ALERTS]]"),
            (3, "monitors `a`, `b` and `c` alert `slack`, and"),
            (4, "monitors `a`, `b`, `c` and 1 more alert `slack`, and"),
        ];
        for (count, start) in cases {
            let text = described(count);
            assert!(text.starts_with(start), "{text}");
        }
    }
}
