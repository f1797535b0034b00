//! Heartbeat monitors whose time zone does not exist.

use crate::monitor_config::{ConfigProblem, HeartbeatSchedule, MonitorConfig, Target};
use crate::platform::clock::wall_clock;
use crate::platform::intl::zone_offset;

/// Removes the monitors whose time zone the platform does not know, and reports each as a problem.
pub(super) fn remove_unknown_zones(config: &mut MonitorConfig) {
    let problems = &mut config.problems;
    config.monitors.retain(|monitor| {
        let Target::Heartbeat(job) = &monitor.target else { return true };
        let HeartbeatSchedule::Cron(schedule) = &job.schedule else { return true };
        let is_known = zone_offset(schedule.zone(), wall_clock()).is_some();
        if !is_known {
            let reason = format!("there is no time zone `{}`; one is Europe/Berlin", schedule.zone());
            problems.push(ConfigProblem { position: format!("{}.time-zone", monitor.id), reason });
        }
        is_known
    });
}
