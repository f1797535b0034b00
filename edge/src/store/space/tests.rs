//! A store in memory, of which as much is deleted as it takes.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::HistoryPart::{
    HourPeaks, Incidents, Latencies, Ledgers, MinutePeaks, OldStates, Probes, Recordings,
};
use super::*;

const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

/// A store that has the same number of bytes of each part for each day.
struct FakeStore {
    samples: RefCell<BTreeMap<String, u64>>,
    /// The bytes of each part by the age in days.
    parts: RefCell<BTreeMap<(HistoryPart, u64), u64>>,
    /// What must stay, whatever happens.
    kept: u64,
    deletions: RefCell<usize>,
}

impl FakeStore {
    fn new(samples: &[(&str, u64)], day: u64, oldest: u64) -> Self {
        let parts = ORDER.into_iter().flat_map(|(part, _)| (0..oldest).map(move |age| ((part, age), day)));
        FakeStore {
            samples: RefCell::new(samples.iter().map(|(id, bytes)| ((*id).to_owned(), *bytes)).collect()),
            parts: RefCell::new(parts.collect()),
            kept: 1000,
            deletions: RefCell::new(0),
        }
    }

    /// Returns the age in days of the oldest of each part that is left.
    fn oldest_days(&self) -> BTreeMap<HistoryPart, u64> {
        let parts = self.parts.borrow();
        parts.keys().fold(BTreeMap::new(), |mut oldest, (part, age)| {
            oldest.entry(*part).and_modify(|known: &mut u64| *known = (*known).max(*age)).or_insert(*age);
            oldest
        })
    }
}

/// The instant of what is so many days old.
fn instant(age: u64) -> UnixMillis {
    NOW.minus(days(age)).minus(Duration::from_secs(1))
}

impl History for FakeStore {
    fn size(&self) -> u64 {
        self.kept + self.samples.borrow().values().sum::<u64>() + self.parts.borrow().values().sum::<u64>()
    }

    fn delete_samples(&self) -> Result<Option<String>, StoreError> {
        let mut samples = self.samples.borrow_mut();
        let most = samples.iter().max_by_key(|(_, bytes)| **bytes).map(|(id, _)| id.clone());
        Ok(most.inspect(|id| {
            samples.remove(id);
        }))
    }

    fn oldest(&self, part: HistoryPart, limit: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let parts = self.parts.borrow();
        Ok(parts
            .keys()
            .filter(|(it, age)| *it == part && instant(*age) < limit)
            .map(|(_, age)| instant(*age))
            .min())
    }

    fn delete(&self, part: HistoryPart, until: UnixMillis) -> Result<(), StoreError> {
        *self.deletions.borrow_mut() += 1;
        self.parts.borrow_mut().retain(|(it, age), _| *it != part || instant(*age) >= until);
        Ok(())
    }
}

#[test]
fn all_hubs_together_stay_within_the_plan() {
    for hubs in [1, 2, 45] {
        assert!(max_bytes(hubs) * hubs as u64 <= MAX_BYTES, "{hubs}");
    }
    assert_eq!(max_bytes(0), MAX_BYTES);
}

#[test]
fn samples_by_the_second_go_first_and_those_of_the_monitor_that_has_most() {
    let store = FakeStore::new(&[("a", 5_000_000), ("b", 150_000_000), ("c", 5_000_000)], 10, 3);
    let deleted = make_room(&store, 12_000_000, NOW).unwrap();
    assert_eq!(deleted.samples, ["b"]);
    let deleted = make_room(&store, 0, NOW).unwrap();
    assert_eq!(deleted.samples, ["a", "c"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>());
    assert!(store.oldest_days().iter().all(|(part, age)| *part == HistoryPart::OldStates || *age == 2));
}

#[test]
fn without_samples_the_oldest_of_what_is_worth_least_goes_first() {
    // 4 MB of each part for each day, and 130 days.
    let store = FakeStore::new(&[], 4_000_000, 130);
    let mut order: Vec<HistoryPart> = Vec::new();
    let mut rounds = 0;
    loop {
        let before = (store.size(), *store.deletions.borrow());
        let deleted = make_room(&store, 0, NOW).unwrap();
        if deleted.is_empty() {
            break;
        }
        rounds += 1;
        assert!(*store.deletions.borrow() - before.1 <= MAX_DELETIONS, "round {rounds}");
        assert!(store.size() + ROUND_BYTES <= before.0 || store.size() < 30_000_000, "round {rounds}");
        for part in deleted.parts.keys() {
            if !order.contains(part) {
                order.push(*part);
            }
        }
    }
    assert_eq!(order, [OldStates, Latencies, HourPeaks, MinutePeaks, Recordings, Incidents, Probes, Ledgers]);
    // The last day is left of what explains it, and the rest is what a store cannot do without.
    let expected = [
        (OldStates, 0),
        (Latencies, 0),
        (MinutePeaks, 0),
        (HourPeaks, 0),
        (Recordings, 0),
        (Incidents, 1),
        (Ledgers, 0),
    ];
    let mut left = store.oldest_days();
    left.remove(&Probes);
    assert_eq!(left, BTreeMap::from(expected));
    assert!((50..500).contains(&rounds), "{rounds}");
}

#[test]
fn a_part_that_cannot_be_deleted_does_not_keep_the_next_one() {
    struct Stuck(FakeStore);
    impl History for Stuck {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn delete_samples(&self) -> Result<Option<String>, StoreError> {
            Ok(None)
        }
        fn oldest(&self, part: HistoryPart, limit: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
            self.0.oldest(part, limit)
        }
        fn delete(&self, part: HistoryPart, until: UnixMillis) -> Result<(), StoreError> {
            if part == HistoryPart::Latencies { Ok(()) } else { self.0.delete(part, until) }
        }
    }
    let store = Stuck(FakeStore::new(&[], 4_000_000, 100));
    for _ in 0..20 {
        make_room(&store, 0, NOW).unwrap();
    }
    let oldest = store.0.oldest_days();
    assert!(oldest[&HistoryPart::Latencies] == 99 && oldest[&HistoryPart::HourPeaks] < 99, "{oldest:?}");
}

#[test]
fn what_pages_show_stays_while_there_is_anything_older() {
    let store = FakeStore::new(&[], 1000, 800);
    // The round of a store with little history deletes as much as it may; here the bound of deletions ends it.
    make_room(&store, 0, NOW).unwrap();
    let oldest = store.oldest_days();
    assert_eq!(oldest[&HistoryPart::Ledgers], 799);
    assert_eq!(oldest[&HistoryPart::MinutePeaks], 799);
    assert!(oldest[&HistoryPart::Latencies] >= 92, "{oldest:?}");
}

#[test]
fn nothing_is_sought_for_some_hours_after_nothing_was_found() {
    let later = |hours: u64| NOW.plus(Duration::from_secs(3600 * hours));
    assert!(!is_exhausted(None, NOW));
    assert!(is_exhausted(Some(NOW), NOW) && is_exhausted(Some(NOW), later(2)));
    assert!(!is_exhausted(Some(NOW), later(3)) && !is_exhausted(Some(later(1)), NOW));
}
