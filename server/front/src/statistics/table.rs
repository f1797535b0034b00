//! The table of routes, bounded: at most 200 pairs of method and pattern, then `other`.
//!
//! A scanner that tries thousands of paths would fill the table with paths that do not exist. So a route whose requests have all
//! been refused (4xx) gives its place back, and its counts go to `other`. Where the program answers everything, a name that comes to a
//! full table gets the place of the rarest route, with the rarest route's weight (the algorithm Space-Saving): routes that are in use stay
//! or come back with their next requests, whatever a stranger has filled the table with before.

use std::collections::HashMap;
use std::time::Duration;

use http::StatusCode;

use super::{LATENCY_BUCKETS, RouteName, RouteStatistics};

/// Most patterns that have a label of their own.
const MAX_ROUTES: usize = 200;

const OTHER: &str = "other";

#[derive(Debug, Default)]
pub(super) struct RouteTable {
    slots: Vec<Slot>,
    free: Vec<usize>,
    by_name: HashMap<(&'static str, String), usize>,
    named: usize,
    requests: u64,
    pub(super) latency: [u64; 13],
    pub(super) latency_sum: Duration,
}

#[derive(Debug, Default)]
struct Slot {
    figures: RouteStatistics,
    /// Whether a request of it had an answer other than 4xx.
    exists: bool,
    /// Requests, with those of the routes that had the place before.
    weight: u64,
    /// The number of its last request.
    last: u64,
}

impl RouteTable {
    /// Begins a request, and returns its slot.
    pub(super) fn begin(&mut self, method: &'static str, pattern: String) -> usize {
        let slot = self.slot(method, pattern);
        self.requests += 1;
        let entry = &mut self.slots[slot];
        entry.figures.in_flight += 1;
        entry.weight += 1;
        entry.last = self.requests;
        slot
    }

    /// Ends a request; without an answer, its client went away.
    pub(super) fn end(&mut self, slot: usize, answered: Option<(StatusCode, Duration)>) {
        let entry = &mut self.slots[slot];
        entry.figures.in_flight -= 1;
        let outcome = match answered {
            Some((status, _)) => usize::from(status.as_u16() / 100).clamp(1, 5) - 1,
            None => 5,
        };
        entry.figures.outcomes[outcome] += 1;
        entry.exists |= answered.is_some_and(|(status, _)| !status.is_client_error());
        if let Some((_, latency)) = answered {
            entry.figures.latency_sum += latency;
            self.latency_sum += latency;
            let bucket = LATENCY_BUCKETS.iter().position(|bound| latency <= *bound);
            self.latency[bucket.unwrap_or(LATENCY_BUCKETS.len())] += 1;
        }
        self.remove_if_missing(slot);
    }

    /// Returns method and pattern of a slot.
    pub(super) fn name(&self, slot: usize) -> RouteName {
        let figures = &self.slots[slot].figures;
        (figures.method, figures.pattern.clone())
    }

    fn slot(&mut self, method: &'static str, pattern: String) -> usize {
        let name = (method, pattern);
        if let Some(slot) = self.by_name.get(&name) {
            return *slot;
        }
        let mut weight = 0;
        if self.named >= MAX_ROUTES && name.1 != OTHER {
            let Some(rarest) = self.rarest() else { return self.slot(method, OTHER.to_owned()) };
            weight = self.slots[rarest].weight;
            self.remove(rarest);
        }
        self.named += usize::from(name.1 != OTHER);
        let figures = RouteStatistics { method, pattern: name.1.clone(), ..RouteStatistics::default() };
        let entry = Slot { figures, exists: name.1 == OTHER, weight, last: 0 };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot] = entry;
            slot
        } else {
            self.slots.push(entry);
            self.slots.len() - 1
        };
        self.by_name.insert(name, slot);
        slot
    }

    fn remove_if_missing(&mut self, slot: usize) {
        let entry = &self.slots[slot];
        if !entry.exists && entry.figures.in_flight == 0 {
            self.remove(slot);
        }
    }

    /// Returns the slot of the route with the fewest requests that has none in flight; among equals that of the longest silence.
    fn rarest(&self) -> Option<usize> {
        let named = self.by_name.iter().filter(|((_, pattern), _)| pattern != OTHER).map(|(_, slot)| *slot);
        let idle = named.filter(|slot| self.slots[*slot].figures.in_flight == 0);
        idle.min_by_key(|slot| (self.slots[*slot].weight, self.slots[*slot].last))
    }

    /// Takes the place of a route away; its counts go to `other`.
    fn remove(&mut self, slot: usize) {
        let figures = std::mem::take(&mut self.slots[slot]).figures;
        self.by_name.remove(&(figures.method, figures.pattern));
        self.free.push(slot);
        self.named -= 1;
        let other = self.slot(figures.method, OTHER.to_owned());
        let sum = &mut self.slots[other].figures;
        for (sum, count) in sum.outcomes.iter_mut().zip(figures.outcomes) {
            *sum += count;
        }
        sum.latency_sum += figures.latency_sum;
    }

    /// Returns all routes, ordered by name.
    pub(super) fn routes(&self) -> Vec<RouteStatistics> {
        let mut routes: Vec<RouteStatistics> =
            self.by_name.values().map(|slot| self.slots[*slot].figures.clone()).collect();
        routes.sort_by(|a, b| (&a.pattern, a.method).cmp(&(&b.pattern, b.method)));
        routes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_micros(700);

    #[test]
    fn routes_are_counted_by_method_pattern_and_outcome() {
        let mut table = RouteTable::default();
        let first = table.begin("GET", "/a".to_owned());
        let second = table.begin("GET", "/a".to_owned());
        let third = table.begin("POST", "/a".to_owned());
        assert_eq!((first, second == third), (second, false));
        table.end(first, Some((StatusCode::OK, FAST)));
        table.end(third, None);
        let routes = table.routes();
        assert_eq!(
            (routes[0].method, routes[0].in_flight, routes[0].outcomes),
            ("GET", 1, [0, 1, 0, 0, 0, 0])
        );
        assert_eq!((table.latency[0], table.latency_sum), (1, FAST));
        // The client of the only POST went away, so nothing shows that the route exists.
        assert_eq!((routes[1].pattern.as_str(), routes[1].outcomes), ("other", [0, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn a_scanner_cannot_fill_the_table() {
        let mut table = RouteTable::default();
        for number in 0..1000 {
            let slot = table.begin("GET", format!("/wp-{number}"));
            table.end(slot, Some((StatusCode::NOT_FOUND, FAST)));
        }
        let real = table.begin("GET", "/real".to_owned());
        table.end(real, Some((StatusCode::OK, FAST)));
        let routes = table.routes();
        let names: Vec<&str> = routes.iter().map(|route| route.pattern.as_str()).collect();
        assert_eq!(names, ["/real", "other"]);
        assert_eq!((routes[1].outcomes[3], table.slots.len()), (1000, 2));
    }

    #[test]
    fn routes_beyond_the_limit_are_other() {
        let mut table = RouteTable::default();
        for number in 0..300 {
            for method in ["GET", "POST"] {
                let slot = table.begin(method, format!("/{number}x"));
                table.end(slot, Some((StatusCode::OK, Duration::from_secs(60))));
            }
        }
        let routes = table.routes();
        assert_eq!(routes.len(), MAX_ROUTES + 2);
        let other: u64 =
            routes.iter().filter(|route| route.pattern == OTHER).map(|route| route.outcomes[1]).sum();
        assert_eq!((other, table.latency[12]), (600 - MAX_ROUTES as u64, 600));
    }

    fn names(table: &RouteTable) -> Vec<String> {
        table.routes().into_iter().map(|route| route.pattern).collect()
    }

    #[test]
    fn a_stranger_who_fills_the_table_does_not_keep_real_routes_out() {
        let mut table = RouteTable::default();
        let mut request = |path: String| {
            let slot = table.begin("GET", path);
            table.end(slot, Some((StatusCode::OK, FAST)));
        };
        request("/before".to_owned());
        request("/before".to_owned());
        // A program that answers every path, and somebody who asks for each of many ten times.
        for number in 0..MAX_ROUTES * 3 {
            request(format!("/buy-now/{number}x"));
            if number % 50 == 0 {
                request("/before".to_owned());
            }
        }
        for _ in 0..10 {
            for number in 0..MAX_ROUTES {
                request(format!("/again/{number}x"));
            }
            request("/before".to_owned());
        }
        // Forty routes that are used by turns, although all the others had more requests.
        for _ in 0..2 {
            for number in 0..40 {
                request(format!("/real/{number}x"));
            }
        }
        let names = names(&table);
        assert!(names.iter().any(|name| name == "/before"), "a route in use stays");
        assert_eq!(names.iter().filter(|name| name.starts_with("/real/")).count(), 40);
        assert_eq!(names.len(), MAX_ROUTES + 1);
        let all: u64 = table.routes().iter().map(|route| route.outcomes[1]).sum();
        assert_eq!(all, table.latency[0], "no request is lost");
    }

    #[test]
    fn refusals_give_no_name_and_routes_in_flight_keep_theirs() {
        let mut table = RouteTable::default();
        for (number, status) in [401, 403, 405, 404].into_iter().enumerate() {
            let slot = table.begin("GET", format!("/refused{number}x"));
            table.end(slot, Some((StatusCode::from_u16(status).unwrap(), FAST)));
        }
        assert_eq!(names(&table), [OTHER]);
        let slots: Vec<usize> =
            (0..MAX_ROUTES).map(|number| table.begin("GET", format!("/{number}x"))).collect();
        let late = table.begin("GET", "/late".to_owned());
        assert_eq!(table.name(late).1, OTHER, "nothing can give way");
        table.end(slots[0], Some((StatusCode::INTERNAL_SERVER_ERROR, FAST)));
        let next = table.begin("GET", "/next".to_owned());
        assert_eq!(table.name(next).1, "/next");
    }
}
