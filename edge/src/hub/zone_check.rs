//! Heartbeats whose time zone the platform does not know.

use crate::config::{Config, HeartbeatSchedule, Problem, Target};
use crate::probe::{wall_clock, zone_offset};

/// Takes them out, with the reason.
pub(super) fn refuse_unknown(config: &mut Config) {
    let problems = &mut config.problems;
    config.monitors.retain(|monitor| {
        let Target::Heartbeat(job) = &monitor.target else { return true };
        let HeartbeatSchedule::Cron(schedule) = &job.schedule else { return true };
        let known = zone_offset(schedule.zone(), wall_clock()).is_some();
        if !known {
            let reason = format!("there is no time zone `{}`; one is Europe/Berlin", schedule.zone());
            problems.push(Problem { position: format!("{}.time-zone", monitor.id), reason });
        }
        known
    });
}
