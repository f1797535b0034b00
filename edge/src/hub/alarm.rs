//! Alarms, for ticks between those of the cron.
//!
//! The cron's finest interval is one minute. If a monitor has a shorter interval, or a tick left monitors that are due
//! ([`super::follow_ups`]), an alarm ticks: the hub schedules the next alarm
//! first and works after, so that a failure of the work does not end the chain of alarms. If one is lost nevertheless, the next
//! tick of the cron schedules it again. A tick of the cron may coincide with an alarm: the later one finds a tick under way, or its
//! instant stored, and is skipped.

use std::rc::Rc;
use std::time::Duration;

use worker::{State, console_error};

use super::config_state::ConfigState;
use super::quota_meter::QuotaMeter;
use crate::domain::check::schedule;

/// The object's alarm.
pub(super) struct Alarm {
    pub(super) state: State,
    pub(super) config: Rc<ConfigState>,
    pub(super) quota: Rc<QuotaMeter>,
}

impl Alarm {
    /// Schedules the next alarm if a monitor needs ticks between those of the cron. With `replace`, an alarm that is already
    /// scheduled is replaced.
    pub(super) async fn schedule_next(&self, replace: bool) {
        let config = self.config.monitors().ok();
        let pause = config.and_then(|config| schedule::alarm_interval(&config, self.quota.min_interval()));
        let Some(pause) = pause else { return };
        if !replace && matches!(self.state.storage().get_alarm().await, Ok(Some(_))) {
            return;
        }
        self.schedule(pause).await;
    }

    /// Schedules an alarm after `pause` for another round of probes, or leaves the one that comes sooner anyway.
    pub(super) async fn schedule_follow_up(&self, pause: Duration) {
        let config = self.config.monitors().ok();
        let own = config.and_then(|config| schedule::alarm_interval(&config, self.quota.min_interval()));
        self.schedule(own.map_or(pause, |own| own.min(pause))).await;
    }

    async fn schedule(&self, pause: Duration) {
        match self.state.storage().set_alarm(pause).await {
            Ok(()) => self.quota.count_alarm(),
            Err(error) => console_error!("could not schedule the next alarm: {error}"),
        }
    }
}
