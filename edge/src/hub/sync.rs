//! The hub's part of the list: the first hub hands the others theirs, and each takes its own.
//!
//! The first hub has the whole list, and writes it down with the places and with who is to be told before it tells anybody.
//! From then on the list is in force; a hub that does not take its part is told again with every tick.

use std::rc::Rc;

use serde_json::Value;
use worker::Method;

use super::dispatch::Finished;
use super::maintenance::{LIST as MAINTENANCE, written};
use super::{Hub, Told, Turn};
use crate::config::applied::LIST as MONITORS;
use crate::config::{A_HUB, Config};
use crate::domain::engine::Board;
use crate::fleet::address::subject;
use crate::fleet::each;
use crate::fleet::membership::Roll;
use crate::notify::subscriber::LIST as SUBSCRIPTIONS;
use crate::probe::wall_clock;
use crate::view::StatusView;
use crate::web::admin;
use crate::web::admin::read_applied;

/// The names of what is kept: the roll, and the whole list where there is more than one hub.
pub(super) const ROLL: &str = "fleet";
pub(super) const WHOLE: &str = "list";

impl Hub {
    /// What the hub knows of the others; read from the store the first time.
    pub(super) fn roll(&self) -> Told<Rc<Roll>> {
        if let Some(roll) = &*self.roll.borrow() {
            return Ok(Rc::clone(roll));
        }
        let text = self.store()?.setting(ROLL).map_err(|error| error.to_string())?;
        let roll = Rc::new(text.as_deref().map(Roll::read).unwrap_or_default());
        *self.roll.borrow_mut() = Some(Rc::clone(&roll));
        Ok(roll)
    }

    /// The number of the hub whose the question is, where it is not this one's; of a hub that has no share yet its own.
    pub(super) fn elsewhere(&self, path: &str, named: usize) -> Told<Option<usize>> {
        let roll = self.roll()?;
        if roll.number != named {
            return Ok(Some(named));
        }
        let (0, Some(id)) = (roll.number, subject(path)) else { return Ok(None) };
        let fixed = self.setup.config.monitors.iter().any(|monitor| monitor.id.as_str() == id);
        Ok(if fixed { None } else { roll.places.hub_of(id).filter(|hub| *hub != 0) })
    }

    /// The whole list that was applied.
    pub(super) fn whole(&self) -> Told<Vec<Value>> {
        let text = self.store()?.setting(WHOLE).map_err(|error| error.to_string())?;
        match text.filter(|text| !text.is_empty()) {
            Some(text) => admin::read_list(&text),
            None => self.applied(),
        }
    }

    /// Writes a list down with everybody's place, and hands the others theirs. An answer where that is not all done.
    pub(super) async fn put_in_force(&self, list: Vec<Value>, mut roll: Roll) -> Told<Option<Finished>> {
        let own = written(MONITORS, part(&list, &roll, 0));
        let whole = if roll.of > 1 { written(MONITORS, list) } else { String::new() };
        roll.untold = (1..roll.of).collect();
        let settings = vec![(ROLL, roll.write()), (WHOLE, whole)];
        self.store()?.take(own, settings).map_err(|error| error.to_string())?;
        self.forget();
        self.tell_others().await
    }

    /// The answer while the others are being told of something else.
    pub(super) fn busy(&self) -> Option<Finished> {
        let wait = "the other hubs are being told of an earlier change; try again in a moment";
        self.telling.get().then(|| Finished::refused(409, wait))
    }

    /// Notes that the others are to be told.
    pub(super) fn have_told(&self) -> Told<()> {
        let mut roll = Roll::clone(&*self.roll()?);
        roll.untold = (1..roll.of).collect();
        self.keep_roll(roll)
    }

    /// Tells the others. An answer where one of them did not hear.
    pub(super) async fn tell_others(&self) -> Told<Option<Finished>> {
        self.hand_out(usize::MAX).await?;
        let left = &self.roll()?.untold;
        Ok(left.first().map(|first| {
            let detail = format!(
                "it is in force, but {} of the hubs did not hear of it, hub-{first} the first of them; they are told with every tick, and saying it again does no harm",
                left.len()
            );
            Finished::refused(503, &detail)
        }))
    }

    /// Hands those their share who have not taken it yet, so many at most; says how many there were.
    pub(super) async fn hand_out(&self, most: usize) -> Told<usize> {
        let mut roll = Roll::clone(&*self.roll()?);
        let Some(_turn) = Turn::begin(&self.telling).filter(|_| !roll.untold.is_empty()) else {
            return Ok(0);
        };
        let (list, work) = (self.whole()?, self.put_maintenance()?);
        let rest = ["\n", &written(MAINTENANCE, work), "\n", &self.subscriptions()?].concat();
        let (mut told, mut shares) = (Vec::new(), Vec::new());
        for hub in roll.untold.iter().copied().take(most) {
            let share = written(MONITORS, part(&list, &roll, hub)) + &rest;
            told.push(hub);
            shares.push((hub, format!("/share?{hub}-{}", roll.of), Some(share)));
        }
        let count = told.len();
        for (hub, answer) in told.into_iter().zip(each(&self.env, &Method::Put, shares).await) {
            if answer.is_some_and(|(status, _)| status == 200) {
                roll.untold.retain(|other| *other != hub);
            }
        }
        self.keep_roll(roll)?;
        Ok(count)
    }

    fn keep_roll(&self, roll: Roll) -> Told<()> {
        self.store()?.set(ROLL, &roll.write()).map_err(|error| error.to_string())?;
        *self.roll.borrow_mut() = Some(Rc::new(roll));
        Ok(())
    }

    /// Takes a share, `7-25` of the others: which hub this is, and of how many. A line is the monitors, one the work; the others are who
    /// asked to be told.
    pub(super) fn take_share(&self, which: &str, body: &str) -> Told<Finished> {
        let (Some((number, of)), Some((monitors, work))) = (which.split_once('-'), body.split_once('\n'))
        else {
            return Ok(Finished::refused(400, "this is no share"));
        };
        let roll = format!("{number} {of}\n");
        let (work, subscriptions) = work.split_once('\n').unwrap_or((work, ""));
        let settings =
            vec![(ROLL, roll), (MAINTENANCE, work.to_owned()), (SUBSCRIPTIONS, subscriptions.to_owned())];
        self.store()?.take(monitors.to_owned(), settings).map_err(|error| error.to_string())?;
        self.forget();
        Ok(Finished::ok(String::new()))
    }

    /// What the public sees of a hub that does not answer: its monitors, of which nothing is known.
    pub(super) fn stand_in(&self, hub: usize, public: bool) -> Told<StatusView> {
        let fixed = &self.setup.config;
        let list = part(&self.whole()?, &*self.roll()?, hub);
        let mut monitors = read_applied(&list, true, fixed, A_HUB + fixed.monitors.len()).monitors;
        monitors.retain(|monitor| monitor.public || !public);
        let count = monitors.len();
        let mut view = Board::default().view(&Config { monitors, problems: Vec::new() }, wall_clock());
        view.notices.push(format!(
            "A part of the edge that watches {count} of the monitors does not answer: nothing is known of them at the moment."
        ));
        Ok(view)
    }
}

/// The part of a list that is a hub's.
fn part(list: &[Value], roll: &Roll, hub: usize) -> Vec<Value> {
    let mut part = Vec::new();
    for entry in list {
        let its = entry.get("id").and_then(Value::as_str).and_then(|id| roll.places.hub_of(id));
        if its == Some(hub) {
            part.push(entry.clone());
        }
    }
    part
}
