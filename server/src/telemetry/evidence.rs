//! The evidence of an alert: whether memory leaks, when it reaches the limit, and which routes grow.

use std::fmt;
use std::time::Duration;

use heapbeat_forecast::Assessment;
use heapbeat_shared::report::{RouteReport, top_route};

use super::Telemetry;
use crate::sampling::Reading;

/// Maximum number of routes that an alert names.
const MAX_NAMED_ROUTES: usize = 3;

/// The evidence for a reading.
#[derive(Clone, Debug)]
pub(crate) struct AlertEvidence {
    pub(crate) forecast: Assessment,
    /// Time until the limit is reached at the current growth, if that is soon.
    pub(crate) reaches_limit_in: Option<Duration>,
    /// Fastest growing first.
    routes: Vec<RouteReport>,
}

impl Telemetry {
    /// Collects the evidence, which takes about a millisecond.
    pub(crate) fn evidence(&self, reading: &Reading, reaches_limit_in: Option<Duration>) -> AlertEvidence {
        // Above the limit there is nothing left to reach.
        let reaches_limit_in = reaches_limit_in.filter(|_| reading.working_set() < reading.limit.bytes);
        AlertEvidence { forecast: self.forecast(reading), reaches_limit_in, routes: self.routes() }
    }
}

impl AlertEvidence {
    /// Describes the routes whose growth exceeds their error, as in `POST /upload +48.0 MB/min`.
    pub(crate) fn growing(&self) -> Vec<String> {
        let sure = self.routes.iter().filter_map(|route| {
            let growth = route.growth_per_minute?;
            (growth > 2.0 * route.growth_error?)
                .then(|| format!("{} +{:.1} MB/min", route.route, growth / 1_048_576.0))
        });
        sure.take(MAX_NAMED_ROUTES).collect()
    }
}

impl fmt::Display for AlertEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reaches_limit_in {
            Some(reaches_limit_in) => {
                let (seconds, limit) = (reaches_limit_in.as_secs_f64(), self.forecast.limit);
                write!(f, "at the current growth it reaches {limit} in {seconds:.0} s. {}", self.forecast)?;
            }
            None => write!(f, "{}", self.forecast)?,
        }
        match top_route(&self.routes) {
            Some(top_route) => write!(f, " {top_route}."),
            None if self.growing().is_empty() => Ok(()),
            None => write!(f, " Growing: {}.", self.growing().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_forecast::Forecaster;
    use heapbeat_shared::Bytes;

    use super::*;

    fn route(name: &str, growth_mb: f64) -> RouteReport {
        RouteReport {
            route: name.into(),
            requests_per_second: 10.0,
            growth_per_minute: Some(growth_mb * 1_048_576.0),
            growth_error: Some(1_048_576.0),
            ..RouteReport::default()
        }
    }

    #[test]
    fn an_alert_names_the_time_to_the_limit_and_the_growing_routes() {
        let evidence = |reaches_limit_in, routes| AlertEvidence {
            forecast: Forecaster::new().assess(Bytes::from_mb(200)),
            reaches_limit_in,
            routes,
        };
        let unknown = "No verdict on memory: not enough data yet to distinguish a leak from a warm-up.";
        let cases = [
            (evidence(None, vec![]), unknown.to_owned()),
            (
                evidence(
                    Some(Duration::from_millis(6400)),
                    vec![route("POST /upload", 1200.0), route("GET /", 1.0)],
                ),
                format!(
                    "at the current growth it reaches 200.0 MB in 6 s. {unknown} POST /upload keeps 2.0 MB a \
                     request; 100 % of the growth."
                ),
            ),
            (
                evidence(None, ["a", "b", "c", "d"].map(|name| route(name, 9.0)).into()),
                format!("{unknown} Growing: a +9.0 MB/min, b +9.0 MB/min, c +9.0 MB/min."),
            ),
        ];
        for (evidence, report) in cases {
            assert_eq!(evidence.to_string(), report);
        }
    }
}
