//! `GET /api/v1/monitors/{id}/days`: the last 90 days in full.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Date, Percent};
use crate::domain::State;
use crate::domain::history::days::Day;

/// One day of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Day")]
pub struct DayView {
    /// The date in UTC.
    pub day: Date,
    /// The worst state of the day.
    pub state: State,
    /// The share of the observed time that was up or degraded; `null` if nothing was observed.
    pub percent: Option<Percent>,
    /// The share of the day that was observed; of today up to now, of the first day since the monitor was first observed.
    pub coverage: Percent,
}

impl From<&Day> for DayView {
    fn from(day: &Day) -> Self {
        DayView {
            day: Date(day.from),
            state: day.state,
            percent: day.percent.map(Percent::cut),
            coverage: Percent::cut(day.coverage),
        }
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;

    #[test]
    fn a_day_is_a_date_a_state_and_shares_that_are_cut() {
        let day = |day: i64, state, percent, coverage| {
            DayView::from(&Day { from: UnixMillis((20_454 + day) * 86_400_000), state, percent, coverage })
        };
        let days = [day(0, State::Down, Some(99.099_99), 100.0), day(1, State::Unobserved, None, 0.0)];
        assert_eq!(
            serde_json::to_string(&days).unwrap(),
            concat!(
                r#"[{"day":"2026-01-01","state":"down","percent":99.099,"coverage":100},"#,
                r#"{"day":"2026-01-02","state":"unobserved","percent":null,"coverage":0}]"#,
            )
        );
    }
}
