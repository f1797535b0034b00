//! What only machines ask for, and what of a hub anybody may see at all.
//!
//! A monitor that is not public is in no answer to anybody but the owner: [`Hub::shown`] is the configuration without it, and
//! all that the public is told begins there.

use super::{Hub, Told};
use crate::config::{Config, Monitor, Problem};
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::maintenance::Work;
use crate::probe::wall_clock;
use crate::view::StatusView;
use crate::web::api;

/// Later than any incident, in seconds of Unix time.
const LATER: i64 = 253_402_300_800;

impl Hub {
    /// What anybody may see of the configuration.
    pub(super) fn shown(&self) -> Told<Config> {
        let mut config = keep(&*self.config()?, &|monitor| monitor.public);
        config.problems = config.problems.iter().map(Problem::shown).collect();
        Ok(config)
    }

    /// All that holds now of the monitors of `config`.
    pub(super) fn view_of(&self, config: &Config) -> Told<StatusView> {
        let mut view = self.board()?.view(config, wall_clock());
        view.problems.extend(self.outbox.problems());
        view.work = self.work(view.now)?.into_iter().filter_map(|work| known(work, config)).collect();
        view.usage = self.counts.usage.get();
        view.notices.extend(view.usage.notice());
        Ok(view)
    }

    /// `GET /status`, and `GET /status/all`, with what the public does not see; or what stands in for another hub's.
    pub(super) fn status(&self, public: bool, silent: Option<usize>) -> Told<String> {
        let view = match silent {
            Some(hub) => self.stand_in(hub, public)?,
            None if public => self.view()?,
            None => self.view_of(&*self.config()?)?,
        };
        Ok(api::status_json(&view))
    }

    /// `GET /monitors/<id>/now`.
    pub(super) fn monitor_now(&self, monitor: &Monitor, config: &Config) -> Told<String> {
        let view = self.view_of(&keep(config, &|it| it.id == monitor.id))?;
        Ok(view.monitors.first().map_or_else(String::new, |it| api::monitor_json(&view, it)))
    }

    /// `GET /incidents?<limit>&<before>`: one more than the limit, so that one knows whether there are more.
    pub(super) fn told_incidents(&self, query: &str) -> Told<String> {
        let (limit, before) = query.split_once('&').unwrap_or((query, ""));
        let limit = limit.parse().unwrap_or(1_i64).saturating_add(1);
        Ok(api::incidents_told(&self.incidents_of(&self.shown()?, before, limit)?))
    }

    /// The newest incidents of the monitors of `config`, newest first; `before`: the id of one, to go on behind it.
    pub(super) fn incidents_of(&self, config: &Config, before: &str, limit: i64) -> Told<Vec<Incident>> {
        let before = before.parse::<IncidentId>().ok();
        let (monitor, second) =
            before.as_ref().map_or(("", LATER), |before| (before.monitor.as_str(), before.opened));
        let ids = crate::json::list(|list| config.monitors.iter().for_each(|it| list.push(it.id.as_str())));
        let found = self.store()?.incidents_before(&ids, (second, monitor), limit);
        let mut list = found.map_err(|error| error.to_string())?;
        for incident in &mut list {
            hide(incident, config);
        }
        Ok(list)
    }
}

/// The configuration with some of its monitors.
pub(super) fn keep(config: &Config, which: &dyn Fn(&Monitor) -> bool) -> Config {
    let mut config = config.clone();
    config.monitors.retain(which);
    config
}

/// Announced work as far as it concerns the monitors of `config`; nothing where it concerns others only.
fn known(mut work: Work, config: &Config) -> Option<Work> {
    if let Some(ids) = &mut work.monitors {
        ids.retain(|id| config.monitors.iter().any(|monitor| monitor.id == *id));
    }
    work.monitors.as_ref().is_none_or(|ids| !ids.is_empty()).then_some(work)
}

/// Takes out of an incident what names a monitor that is not shown.
pub(super) fn hide(incident: &mut Incident, config: &Config) {
    incident.behind.take_if(|id| !config.monitors.iter().any(|monitor| monitor.id == *id));
}
