//! Announced work: what `wrangler.toml` says and what the owner put, `GET` and `PUT /maintenance`.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use serde_json::Value;

use super::dispatch::Finished;
use super::{Hub, Told};
use crate::config::maintenance;
use crate::config::maintenance::Maintenance;
use crate::config::{MonitorId, Problem};
use crate::domain::maintenance::{Work, announced};
use crate::json;
use crate::probe::{wall_clock, zone_offset};
use crate::web::admin::read_named;
use crate::web::api::problem;

/// The name of the put list, in the store and in positions.
pub(super) const LIST: &str = "maintenance";

impl Hub {
    /// Everything that is announced; read from the store the first time.
    fn maintenance(&self) -> Told<Rc<Vec<Maintenance>>> {
        if let Some(list) = &*self.maintenance.borrow() {
            return Ok(Rc::clone(list));
        }
        let mut list = self.setup.maintenance.clone();
        list.extend(maintenance::read(LIST, &self.put_maintenance()?).0);
        list.retain(|work| zone_offset(work.zone(), wall_clock()).is_some());
        let list = Rc::new(list);
        *self.maintenance.borrow_mut() = Some(Rc::clone(&list));
        Ok(list)
    }

    pub(super) fn put_maintenance(&self) -> Told<Vec<Value>> {
        let text = self.store()?.setting(LIST).map_err(|error| error.to_string())?;
        Ok(text.and_then(|text| read_named(&text, LIST).ok()).unwrap_or_default())
    }

    /// What is under way at `now`, or soon.
    pub(super) fn work(&self, now: UnixMillis) -> Told<Vec<Work>> {
        Ok(announced(&self.maintenance()?, now, |zone, at| zone_offset(zone, at).unwrap_or(0)))
    }

    /// The list that was put, as it was written.
    pub(super) fn get_maintenance(&self) -> Told<Finished> {
        Ok(Finished::ok(written(LIST, self.put_maintenance()?)))
    }

    /// Puts a list in the place of the one before, or says what is wrong with it.
    pub(super) async fn set_maintenance(&self, body: &str) -> Told<Finished> {
        let list = match read_named(body, LIST) {
            Ok(list) => list,
            Err(reason) => return Ok(Finished::refused(400, &reason)),
        };
        let (read, mut problems) = maintenance::read(LIST, &list);
        let (config, roll) = (self.config()?, self.roll()?);
        let watched = |id: &MonitorId| {
            config.monitors.iter().any(|monitor| monitor.id == *id)
                || roll.places.hub_of(id.as_str()).is_some()
        };
        problems.extend(wrong(&read, &self.setup.maintenance, watched));
        if let Some(answer) = self.busy() {
            return Ok(answer);
        }
        let status = if problems.is_empty() { 200 } else { 422 };
        if problems.is_empty() {
            self.store()?.set(LIST, &written(LIST, list)).map_err(|error| error.to_string())?;
            *self.maintenance.borrow_mut() = None;
            self.have_told()?;
            if let Some(answer) = self.tell_others().await? {
                return Ok(answer);
            }
        }
        let body = json::object(|o| {
            o.set("applied", problems.is_empty());
            o.list("problems", |list| problems.iter().for_each(|it| list.object(|o| problem(o, it))));
        });
        Ok(Finished { status, body })
    }
}

/// A list as it is kept, and told.
pub(super) fn written(name: &str, list: Vec<Value>) -> String {
    json::object(|o| o.value(name, &Value::from(list)))
}

/// What the entries of a list cannot know by themselves.
fn wrong(read: &[Maintenance], fixed: &[Maintenance], watched: impl Fn(&MonitorId) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for work in read {
        let mut refuse = |reason| problems.push(Problem { position: format!("{LIST}.{}", work.id), reason });
        if fixed.iter().any(|other| other.id == work.id) {
            refuse("stands in wrangler.toml already; an id stands in one place".to_owned());
        }
        if zone_offset(work.zone(), wall_clock()).is_none() {
            refuse(format!("there is no time zone `{}`; one is Europe/Berlin", work.zone()));
        }
        for id in work.monitors.iter().flatten() {
            if !watched(id) {
                refuse(format!("names `{id}`, which is not watched"));
            }
        }
    }
    problems
}
