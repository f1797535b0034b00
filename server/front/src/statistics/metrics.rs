//! The figures of the front as metrics.

use heapbeat_shared::openmetrics::{Exposition, MetricKind};

use super::{FrontStatistics, LATENCY_BUCKETS, OUTCOMES};

impl FrontStatistics {
    /// Adds the figures to a text of metrics.
    pub fn write_metrics(&self, to: &mut Exposition) {
        let mut requests = to.family(
            "heapbeat_front_requests",
            MetricKind::Counter,
            "Requests that ended, by method, path pattern and outcome.",
        );
        for route in &self.routes {
            for (outcome, count) in OUTCOMES.into_iter().zip(route.outcomes).filter(|(_, count)| *count > 0) {
                let labels = [("method", route.method), ("route", &*route.pattern), ("outcome", outcome)];
                requests.sample(&labels, count);
            }
        }
        let mut in_flight = to.family(
            "heapbeat_front_requests_in_flight",
            MetricKind::Gauge,
            "Requests in flight, by method and path pattern.",
        );
        for route in self.routes.iter().filter(|route| route.in_flight > 0) {
            in_flight.sample(&[("method", route.method), ("route", &route.pattern)], route.in_flight);
        }
        let bounds = LATENCY_BUCKETS.map(|bound| bound.as_secs_f64());
        to.family(
            "heapbeat_front_latency_seconds",
            MetricKind::Histogram,
            "Time from the request until the head of its response.",
        )
        .histogram(&[], &bounds, &self.latency, self.latency_sum.as_secs_f64());
        to.family("heapbeat_front_held", MetricKind::Gauge, "Requests that wait for the program.")
            .sample(&[], self.held.now as u64);
        let counters = [
            ("heapbeat_front_held_requests", "Requests that waited for the program.", self.held.total),
            (
                "heapbeat_front_held_refused",
                "Requests that found no room to wait, or waited in vain.",
                self.held.refused,
            ),
            (
                "heapbeat_front_repeated",
                "Requests that were sent again after the program died.",
                self.repeated,
            ),
            (
                "heapbeat_front_failed",
                "Requests that the program did not answer and that could not be repeated.",
                self.failed,
            ),
            (
                "heapbeat_front_rejected",
                "Requests that were refused as malformed or ambiguous.",
                self.rejected,
            ),
            ("heapbeat_front_shed", "Requests that were shed.", self.shed),
        ];
        for (name, help, count) in counters {
            to.family(name, MetricKind::Counter, help).sample(&[], count);
        }
        to.family(
            "heapbeat_front_memory_bytes",
            MetricKind::Gauge,
            "Memory that is reserved for the requests in flight, of --front-memory.",
        )
        .sample(&[], self.memory as u64);
        to.family(
            "heapbeat_front_turns",
            MetricKind::Gauge,
            "Requests that waited for the program and may be with it at the same time; learned.",
        )
        .sample(&[], self.held.turns as u64);
        to.family("heapbeat_front_held_longest_seconds", MetricKind::Gauge, "Longest wait for the program.")
            .sample(&[], self.held.longest.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::openmetrics::Format;

    use super::super::RouteStatistics;
    use super::*;

    #[test]
    fn figures_become_metrics() {
        let route = RouteStatistics {
            method: "GET",
            pattern: "/users/:id".to_owned(),
            in_flight: 2,
            outcomes: [0, 7, 0, 0, 1, 0],
            latency_sum: Duration::from_secs(1),
        };
        let figures = FrontStatistics {
            routes: vec![route],
            latency: [3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1],
            latency_sum: Duration::from_millis(1500),
            repeated: 5,
            ..FrontStatistics::default()
        };
        let mut to = Exposition::new(Format::OpenMetrics);
        figures.write_metrics(&mut to);
        let text = to.finish();
        for line in [
            "heapbeat_front_requests_total{method=\"GET\",route=\"/users/:id\",outcome=\"2xx\"} 7",
            "heapbeat_front_requests_in_flight{method=\"GET\",route=\"/users/:id\"} 2",
            "heapbeat_front_latency_seconds_bucket{le=\"0.001\"} 3",
            "heapbeat_front_latency_seconds_bucket{le=\"0.1\"} 7",
            "heapbeat_front_latency_seconds_bucket{le=\"+Inf\"} 8",
            "heapbeat_front_latency_seconds_sum 1.5",
            "heapbeat_front_latency_seconds_count 8",
            "heapbeat_front_repeated_total 5",
            "heapbeat_front_held 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("outcome=\"1xx\""), "{text}");
    }
}
