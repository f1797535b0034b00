//! The requests that a copy of the program has not finished, by route.
//!
//! The guard asks right after a copy has died, perhaps before its connections have failed one after the other. So those that are in flight
//! count as well as those that are known to have failed.

use crate::statistics::{RouteKey, RouteName};

/// Routes of failed requests that are remembered. Those in flight are bounded by the table of routes.
const MAX_FAILED: usize = 32;

/// The requests of a copy.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    /// By route, at most one entry for each that has a place in the table of routes.
    in_flight: Vec<(RouteKey, u64)>,
    failed: Vec<(RouteName, u64)>,
}

impl OpenRequests {
    pub(crate) fn begin(&mut self, route: &RouteKey) {
        match self.in_flight.iter_mut().find(|(known, _)| known.is(route)) {
            Some((_, count)) => *count += 1,
            None => self.in_flight.push((route.clone(), 1)),
        }
    }

    pub(crate) fn end(&mut self, route: &RouteKey) {
        let Some(index) = self.in_flight.iter().position(|(known, _)| known.is(route)) else { return };
        self.in_flight[index].1 -= 1;
        if self.in_flight[index].1 == 0 {
            self.in_flight.swap_remove(index);
        }
    }

    /// Ends a request that the copy did not finish.
    pub(crate) fn fail(&mut self, route: &RouteKey) {
        self.end(route);
        add(&mut self.failed, route.name(), 1, MAX_FAILED);
    }

    /// Returns the requests that failed or are in flight.
    pub(crate) fn unfinished(&self) -> Vec<(RouteName, u64)> {
        let mut unfinished = self.failed.clone();
        for (route, count) in &self.in_flight {
            add(&mut unfinished, route.name(), *count, usize::MAX);
        }
        unfinished
    }
}

/// Adds to the count of a route, of which there are at most `most`.
fn add(routes: &mut Vec<(RouteName, u64)>, name: RouteName, count: u64, most: usize) {
    if let Some((_, sum)) = routes.iter_mut().find(|(known, _)| *known == name) {
        *sum += count;
    } else if routes.len() < most {
        routes.push((name, count));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Method;
    use tokio::time::Instant;

    use super::*;
    use crate::statistics::StatisticsRecorder;

    #[test]
    fn requests_in_flight_and_failed_ones_are_unfinished_and_each_counts_once() {
        let recorder = Arc::new(StatisticsRecorder::default());
        let tickets: Vec<_> =
            ["/a", "/b"].iter().map(|path| recorder.begin(&Method::GET, path, Instant::now())).collect();
        let (a, b) = (tickets[0].route(), tickets[1].route());
        let mut requests = OpenRequests::default();
        for route in [&a, &a, &a, &b] {
            requests.begin(route);
        }
        let named = |a: u64, b: u64| {
            let all = [("GET", "/a", a), ("GET", "/b", b)].into_iter().filter(|(.., count)| *count > 0);
            all.map(|(method, path, count)| ((method, path.to_owned()), count)).collect::<Vec<_>>()
        };
        assert_eq!(requests.unfinished(), named(3, 1));
        requests.end(&b);
        requests.end(&a);
        assert_eq!(requests.unfinished(), named(2, 0));
        requests.fail(&a);
        assert_eq!(requests.unfinished(), named(2, 0), "one failed, one in flight");
        requests.end(&a);
        assert_eq!(requests.unfinished(), named(1, 0));
    }

    #[test]
    fn many_routes_hide_none_that_is_in_flight() {
        let recorder = Arc::new(StatisticsRecorder::default());
        let begin = |path: &str| recorder.begin(&Method::GET, path, Instant::now());
        let mut requests = OpenRequests::default();
        let names = ('a'..='h').flat_map(|one| ('a'..='h').map(move |two| format!("/{one}{two}")));
        let others: Vec<_> = names.map(|name| begin(&name)).collect();
        for other in &others {
            requests.begin(&other.route());
            requests.fail(&other.route());
        }
        let last = begin("/last");
        requests.begin(&last.route());
        let unfinished = requests.unfinished();
        assert_eq!(unfinished.len(), MAX_FAILED + 1);
        assert!(unfinished.contains(&(("GET", "/last".to_owned()), 1)), "{unfinished:?}");
    }
}
