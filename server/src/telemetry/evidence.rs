//! What is said with an alert: whether it leaks, when the limit is reached, and who grows.

use std::fmt;
use std::time::Duration;

use heapbeat_forecast::Assessment;
use heapbeat_shared::report::{RouteReport, top_route};

use super::Telemetry;
use crate::sampling::Reading;

/// Most routes that an alert names.
const NAMED: usize = 3;

/// Everything that explains a reading.
#[derive(Clone, Debug)]
pub(crate) struct AlertEvidence {
    pub(crate) forecast: Assessment,
    /// When the limit is reached at the pace of the last seconds, if that is soon.
    pub(crate) soon: Option<Duration>,
    /// Fastest growing first.
    routes: Vec<RouteReport>,
}

impl Telemetry {
    /// Puts it together; takes a millisecond or so.
    pub(crate) fn evidence(&self, reading: &Reading, soon: Option<Duration>) -> AlertEvidence {
        AlertEvidence { forecast: self.forecast(reading), soon, routes: self.routes() }
    }
}

impl AlertEvidence {
    /// Those that grow beyond their error: `POST /upload +48.0 MB/min`.
    pub(crate) fn growing(&self) -> Vec<String> {
        let sure = self.routes.iter().filter_map(|route| {
            let growth = route.growth_per_minute?;
            (growth > 2.0 * route.growth_error?)
                .then(|| format!("{} +{:.1} MB/min", route.route, growth / 1_048_576.0))
        });
        sure.take(NAMED).collect()
    }
}

impl fmt::Display for AlertEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.soon {
            Some(soon) => {
                let (seconds, limit) = (soon.as_secs_f64(), self.forecast.limit);
                write!(
                    f,
                    "at the pace of the last seconds it reaches {limit} in {seconds:.0} s. {}",
                    self.forecast
                )?;
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
    fn an_alert_says_when_and_who() {
        let evidence = |soon, routes| AlertEvidence {
            forecast: Forecaster::new().assess(Bytes::from_mb(200)),
            soon,
            routes,
        };
        let unknown = "No verdict on memory: not enough was seen yet.";
        let cases = [
            (evidence(None, vec![]), unknown.to_owned()),
            (
                evidence(
                    Some(Duration::from_millis(6400)),
                    vec![route("POST /upload", 1200.0), route("GET /", 1.0)],
                ),
                format!(
                    "at the pace of the last seconds it reaches 200.0 MB in 6 s. {unknown} POST /upload keeps 2.0 MB a \
                     request; 100 % of the growth."
                ),
            ),
            (
                evidence(None, ["a", "b", "c", "d"].map(|name| route(name, 9.0)).into()),
                format!("{unknown} Growing: a +9.0 MB/min, b +9.0 MB/min, c +9.0 MB/min."),
            ),
        ];
        for (evidence, told) in cases {
            assert_eq!(evidence.to_string(), told);
        }
    }
}
