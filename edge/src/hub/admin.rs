//! What the owner and the jobs tell the hub: `PUT /monitors`, `GET /monitors`, `POST /heartbeats/{id}`.
//!
//! Who asks was settled before (`routes`); the hub is reached through its binding only.

use std::rc::Rc;

use serde_json::Value;
use worker::console_warn;

use super::dispatch::Finished;
use super::{Hub, Told};
use crate::config::applied::{Applied, Difference};
use crate::config::{A_HUB, Config, Kind, MOST_MONITORS, MonitorId};
use crate::domain::heartbeat::{Beats, Said};
use crate::fleet::assignment::Places;
use crate::fleet::membership::Roll;
use crate::json;
use crate::platform::env;
use crate::probe::wall_clock;
use crate::web::admin;
use crate::web::admin::read_applied;

impl Hub {
    /// The monitors of `wrangler.toml` and those that were applied; read from the store the first time.
    pub(super) fn config(&self) -> Told<Rc<Config>> {
        if let Some(config) = &*self.config.borrow() {
            return Ok(Rc::clone(config));
        }
        let config = Rc::new(self.with_applied(&self.applied()?, self.roll()?.number == 0));
        for problem in &config.problems {
            console_warn!("config: {}: {}", problem.position, problem.reason);
        }
        *self.config.borrow_mut() = Some(Rc::clone(&config));
        Ok(config)
    }

    /// What stands in `wrangler.toml` is the first hub's.
    fn with_applied(&self, list: &[Value], first: bool) -> Config {
        let fixed = &self.setup.config;
        let room = if first { A_HUB } else { A_HUB + fixed.monitors.len() };
        let applied = read_applied(list, self.setup.allow_private, fixed, room);
        let mut config = if first { fixed.clone() } else { Config::default() };
        // That nothing stands in wrangler.toml is no mistake where something was applied.
        if config.monitors.is_empty() && !applied.monitors.is_empty() {
            config.problems.clear();
        }
        config.monitors.extend(applied.monitors);
        config.problems.extend(applied.problems);
        super::zone_check::refuse_unknown(&mut config);
        config
    }

    pub(super) fn applied(&self) -> Told<Vec<Value>> {
        let text = self.store()?.applied().map_err(|error| error.to_string())?;
        // What cannot be read was written by another version; the next list takes its place.
        Ok(text.and_then(|text| admin::read_list(&text).ok()).unwrap_or_default())
    }

    /// Puts a list in force, or says what is wrong with it or what it would change.
    pub(super) async fn put_monitors(&self, body: &str, dry_run: bool) -> Told<Finished> {
        let list = match admin::read_list(body) {
            Ok(list) => list,
            Err(reason) => return Ok(Finished::refused(400, &reason)),
        };
        let fixed = &self.setup.config;
        let mut wanted = read_applied(&list, self.setup.allow_private, fixed, MOST_MONITORS);
        super::zone_check::refuse_unknown(&mut wanted);
        env::check_channels(&mut wanted, &self.setup.channels);
        let mut problems = wanted.problems;
        let mut roll = Roll::clone(&*self.roll()?);
        if problems.is_empty() {
            // Before there was a second hub nobody wrote down that all are at the first.
            if roll.places == Places::default() {
                roll.places = Places::at_the_first(self.config()?.monitors.iter());
            }
            match roll.places.next(&fixed.monitors, &wanted.monitors) {
                Ok(places) => roll = Roll { of: places.hubs(), places, ..roll },
                Err(problem) => problems.push(problem),
            }
        }
        let good = problems.is_empty();
        if let Some(answer) = self.busy() {
            return Ok(answer);
        }
        let difference =
            if good { Difference::between(&self.whole()?, &list) } else { Difference::default() };
        if good
            && !dry_run
            && let Some(answer) = self.put_in_force(list, roll).await?
        {
            return Ok(answer);
        }
        let answer = Applied { applied: good && !dry_run, difference, problems };
        let status = if good { 200 } else { 422 };
        Ok(Finished { status, body: admin::applied_json(&answer) })
    }

    /// The applied list as it was written, and the ids that `wrangler.toml` has.
    pub(super) fn get_monitors(&self) -> Told<Finished> {
        let fixed: Vec<_> = self.setup.config.monitors.iter().map(|monitor| monitor.id.as_str()).collect();
        let applied = Value::from(self.whole()?);
        Ok(Finished::ok(json::object(|o| {
            o.value("monitors", &applied);
            o.texts("wrangler", fixed.iter().copied());
        })))
    }

    /// What every job has said; read from the store the first time.
    pub(super) fn beats(&self) -> Told<Rc<Beats>> {
        if let Some(beats) = &*self.beats.borrow() {
            return Ok(Rc::clone(beats));
        }
        let beats = Rc::new(self.store()?.beats().map_err(|error| error.to_string())?);
        *self.beats.borrow_mut() = Some(Rc::clone(&beats));
        Ok(beats)
    }

    /// Takes in what a job says.
    pub(super) fn hear(&self, id: &str, query: &str) -> Told<Finished> {
        let known = |id: &MonitorId| -> Told<bool> {
            let config = self.config()?;
            Ok(config.monitors.iter().any(|monitor| monitor.id == *id && monitor.kind() == Kind::Heartbeat))
        };
        let Ok(id) = id.parse::<MonitorId>() else {
            return Ok(Finished::refused(404, "there is no such heartbeat"));
        };
        if !known(&id)? {
            return Ok(Finished::refused(404, "there is no such heartbeat"));
        }
        let said = match Said::parse(query) {
            Ok(said) => said,
            Err(reason) => return Ok(Finished::refused(400, &reason)),
        };
        let now = self.board()?.clock(wall_clock());
        let mut beats = Beats::clone(&*self.beats()?);
        let beat = beats.get(&id).copied().unwrap_or_default().hear(said, now);
        self.store()?.hear(&id, &beat).map_err(|error| error.to_string())?;
        beats.insert(id, beat);
        *self.beats.borrow_mut() = Some(Rc::new(beats));
        Ok(Finished { status: 204, body: String::new() })
    }
}
