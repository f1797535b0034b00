//! The last good answers of the hub, for a few seconds of rest and an hour of trouble. Pure.
//!
//! One request of a burst asks; the others take what was there before, or wait for what it brings. Where the hub is slow or
//! fails, what it said last is better than nothing, and says how old it is. Bounded in entries and in bytes; what was never
//! answered goes first, then what has parameters, then what is about one monitor or one incident, so that nobody can push the
//! page out by asking for many things.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;

/// Most answers that are kept.
const MOST: usize = 64;

/// Most bytes of them in all.
const MOST_BYTES: usize = 4 << 20;

/// How long an answer may stand in for a hub that does not answer, in milliseconds.
pub(crate) const LONGEST_MS: i64 = 3_600_000;

/// How long a hub that failed is left alone where there is something to show instead, in milliseconds.
const REST_MS: i64 = 5_000;

/// How long whoever asks may take before another asks too, in milliseconds; longer than it waits for the hub.
const TURN_MS: i64 = 4_000;

/// An answer of the hub's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// What it said.
    pub(crate) body: Rc<str>,
    /// How long ago, in milliseconds.
    pub(crate) age_ms: i64,
}

/// What there is to do about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing: this will do.
    Take(Copy),
    /// Ask the hub, and tell the shelf what came of it.
    Ask,
    /// Somebody is asking.
    Wait,
}

#[derive(Debug)]
struct Slot {
    question: String,
    said: Option<(Rc<str>, UnixMillis)>,
    asked: Option<UnixMillis>,
    /// When the hub failed, where it has not answered since.
    failed: Option<UnixMillis>,
    used: UnixMillis,
}

impl Slot {
    /// Nothing, for a stretch that somebody chose, for one monitor or incident, for everything.
    fn worth(&self) -> u8 {
        match &self.said {
            None => 0,
            Some(_) if self.question.contains('?') => 1,
            Some(_) if self.question.rfind('/') > Some(0) => 2,
            Some(_) => 3,
        }
    }
}

/// The answers.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Vec<Slot>);

impl Shelf {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Shelf(Vec::new())
    }

    /// Looks for an answer that is at most `fresh_ms` old. [`Look::Ask`] is said to one at a time.
    pub(crate) fn look(&mut self, question: &str, fresh_ms: i64, now: UnixMillis) -> Look {
        let slot = self.slot(question, now);
        let copy = slot.said.as_ref().map(|(body, at)| Copy { body: Rc::clone(body), age_ms: age(*at, now) });
        let asking = slot.asked.is_some_and(|at| age(at, now) < TURN_MS);
        let old = copy.as_ref().filter(|copy| copy.age_ms <= LONGEST_MS);
        if let (Some(old), Some(failed)) = (old, slot.failed)
            && fresh_ms > 0
            && (asking || age(failed, now) < REST_MS)
        {
            return Look::Take(old.clone());
        }
        match copy {
            Some(copy) if copy.age_ms < fresh_ms => Look::Take(copy),
            // Whoever asks will bring it; until then the one before is not much older.
            Some(copy) if asking && copy.age_ms < fresh_ms.saturating_add(TURN_MS) => Look::Take(copy),
            _ if asking && fresh_ms > 0 => Look::Wait,
            _ => {
                slot.asked = Some(now);
                Look::Ask
            }
        }
    }

    /// The hub said this.
    pub(crate) fn put(&mut self, question: &str, body: &str, now: UnixMillis) -> Rc<str> {
        let body: Rc<str> = body.into();
        let slot = self.slot(question, now);
        slot.asked = None;
        slot.failed = None;
        slot.said = Some((Rc::clone(&body), now));
        self.make_room(question);
        body
    }

    /// The hub said that there is no such thing.
    pub(crate) fn remove(&mut self, question: &str) {
        if let Some(at) = self.0.iter().position(|slot| slot.question == question) {
            self.0.remove(at);
        }
    }

    /// The hub said nothing: what it said last, where that is not too long ago.
    pub(crate) fn fall_back(&mut self, question: &str, now: UnixMillis) -> Option<Copy> {
        let slot = self.0.iter_mut().find(|slot| slot.question == question)?;
        slot.asked = None;
        slot.failed = Some(now);
        let (body, at) = slot.said.as_ref()?;
        let age_ms = age(*at, now);
        (age_ms <= LONGEST_MS).then(|| Copy { body: Rc::clone(body), age_ms })
    }

    fn slot(&mut self, question: &str, now: UnixMillis) -> &mut Slot {
        let found = self.0.iter().position(|slot| slot.question == question);
        let at = found.unwrap_or_else(|| {
            self.0.push(Slot {
                question: question.to_owned(),
                said: None,
                asked: None,
                failed: None,
                used: now,
            });
            self.make_room(question);
            self.0.len() - 1
        });
        let slot = &mut self.0[at];
        slot.used = now;
        slot
    }

    /// Lets go of what was used longest ago, the least useful first, but not of `keep`, which is the last.
    fn make_room(&mut self, keep: &str) {
        let bytes = |slot: &Slot| slot.question.len() + slot.said.as_ref().map_or(0, |(body, _)| body.len());
        while self.0.len() > MOST || self.0.iter().map(bytes).sum::<usize>() > MOST_BYTES {
            let others = self.0.iter().enumerate().filter(|(_, slot)| slot.question != keep);
            let Some((at, _)) = others.min_by_key(|(_, slot)| (slot.worth(), slot.used.0)) else { return };
            self.0.remove(at);
        }
    }
}

/// Milliseconds since `at`; a clock that went back makes nothing younger than new.
fn age(at: UnixMillis, now: UnixMillis) -> i64 {
    now.0.saturating_sub(at.0).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: i64 = 5_000;

    fn at(ms: i64) -> UnixMillis {
        UnixMillis(1_767_225_600_000 + ms)
    }

    fn take(body: &str, age_ms: i64) -> Look {
        Look::Take(Copy { body: body.into(), age_ms })
    }

    #[test]
    fn a_burst_asks_once() {
        let mut shelf = Shelf::new();
        assert_eq!(shelf.look("/page", FRESH, at(0)), Look::Ask);
        assert_eq!(shelf.look("/page", FRESH, at(10)), Look::Wait);
        assert_eq!(shelf.look("/status", FRESH, at(10)), Look::Ask, "another question");
        shelf.put("/page", "one", at(20));
        assert_eq!(shelf.look("/page", FRESH, at(30)), take("one", 10));
        assert_eq!(shelf.look("/page", FRESH, at(5_019)), take("one", 4_999));
        assert_eq!(shelf.look("/page", FRESH, at(5_020)), Look::Ask, "old");
        assert_eq!(shelf.look("/page", FRESH, at(5_021)), take("one", 5_001), "while somebody asks");
        shelf.put("/page", "two", at(5_030));
        assert_eq!(shelf.look("/page", FRESH, at(5_031)), take("two", 1));
    }

    #[test]
    fn who_asks_and_is_gone_does_not_stop_the_others() {
        let mut shelf = Shelf::new();
        assert_eq!(shelf.look("/page", FRESH, at(0)), Look::Ask);
        assert_eq!(shelf.look("/page", FRESH, at(3_999)), Look::Wait);
        assert_eq!(shelf.look("/page", FRESH, at(4_000)), Look::Ask);
    }

    #[test]
    fn an_hour_of_trouble() {
        let mut shelf = Shelf::new();
        assert_eq!(shelf.fall_back("/page", at(0)), None);
        shelf.put("/page", "one", at(0));
        assert_eq!(shelf.look("/page", FRESH, at(60_000)), Look::Ask);
        let old = Copy { body: "one".into(), age_ms: 60_000 };
        assert_eq!(shelf.fall_back("/page", at(60_000)), Some(old));
        assert_eq!(shelf.look("/page", FRESH, at(64_999)), take("one", 64_999), "the hub has a rest");
        assert_eq!(shelf.look("/page", FRESH, at(65_000)), Look::Ask, "and is asked again");
        assert_eq!(shelf.look("/page", FRESH, at(66_000)), take("one", 66_000), "nobody else waits for that");
        assert!(shelf.fall_back("/page", at(LONGEST_MS)).is_some());
        assert_eq!(shelf.fall_back("/page", at(LONGEST_MS + 1)), None);
        shelf.remove("/page");
        assert_eq!(shelf.fall_back("/page", at(0)), None);
    }

    #[test]
    fn without_rest_everybody_asks() {
        let mut shelf = Shelf::new();
        assert_eq!(shelf.look("/page", 0, at(0)), Look::Ask);
        assert_eq!(shelf.look("/page", 0, at(0)), Look::Ask);
        shelf.put("/page", "one", at(0));
        assert_eq!(shelf.look("/page", 0, at(0)), Look::Ask);
    }

    #[test]
    fn it_is_bounded_and_the_page_stays() {
        let mut shelf = Shelf::new();
        shelf.put("/page", "the page", at(0));
        for n in 0..1_000 {
            let question = format!("/monitors/api/memory?{n}-");
            assert_eq!(shelf.look(&question, FRESH, at(n)), Look::Ask);
            shelf.put(&question, &"x".repeat(100_000), at(n));
            let bytes: usize = shelf.0.iter().filter_map(|slot| Some(slot.said.as_ref()?.0.len())).sum();
            assert!(shelf.0.len() <= MOST && bytes <= MOST_BYTES, "{} of {bytes}", shelf.0.len());
        }
        assert!(shelf.fall_back("/page", at(1_000)).is_some());
        assert!(shelf.fall_back("/monitors/api/memory?999-", at(1_000)).is_some());
        for n in 0..1_000 {
            // Asked of a hub that says nothing, and of one that does.
            let unknown = format!("/monitors/nobody-{n}/now");
            assert_eq!(shelf.look(&unknown, FRESH, at(2_000 + n)), Look::Ask);
            assert_eq!(shelf.fall_back(&unknown, at(2_000 + n)), None);
            shelf.put(&format!("/incidents/api-{n}/page"), "an incident", at(2_000 + n));
            assert!(shelf.0.len() <= MOST);
        }
        assert!(shelf.fall_back("/page", at(3_000)).is_some(), "nobody pushes the page out");
        let huge = "x".repeat(MOST_BYTES + 1);
        assert_eq!(&*shelf.put("/huge", &huge, at(0)), huge, "it is answered");
    }
}
