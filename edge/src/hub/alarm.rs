//! Alarms, for ticks between the cron's.
//!
//! The cron knows nothing finer than a minute. Where a monitor has a shorter interval an alarm ticks: the hub sets the next one
//! first and works after, so that a failure in the work does not end the chain of alarms; where one is lost nevertheless the next
//! cron tick sets it again. That a cron tick falls between alarms, or onto one, is harmless: the later one finds a tick under
//! way, or its instant stored.

use std::rc::Rc;

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
    /// Sets the next alarm where some monitor needs ticks between the cron's; where one is set already, only if that is to be
    /// replaced.
    pub(super) async fn set_next(&self, replace: bool) {
        let config = self.config.monitors().ok();
        let pause = config.and_then(|config| schedule::alarm_interval(&config, self.quota.interval_floor()));
        let Some(pause) = pause else { return };
        let storage = self.state.storage();
        if !replace && matches!(storage.get_alarm().await, Ok(Some(_))) {
            return;
        }
        match storage.set_alarm(pause).await {
            Ok(()) => self.quota.count_alarm(),
            Err(error) => console_error!("alarm: {error}"),
        }
    }
}
