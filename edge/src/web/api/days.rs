//! `GET /api/v1/monitors/{id}/days`: the last 90 days in full. `days` of `/api/v1/status` has a letter for each of them.

use crate::domain::history::days::Day;
use crate::domain::instant::rfc3339;
use crate::json;
use crate::json::Object;

/// The body: a list of days, oldest first; the last is today, as far as it has gone. Percentages are cut, not rounded.
pub fn days_json(days: &[Day]) -> String {
    json::list(|list| {
        for it in days {
            list.object(|o| day(o, it));
        }
    })
}

/// One day.
pub(super) fn day(o: &mut Object<'_>, Day { from, state, percent, coverage }: &Day) {
    // The date of an instant at midnight.
    let from = rfc3339(*from);
    o.set("day", from.split('T').next());
    o.set("state", state.as_str());
    super::shares(o, *percent, *coverage);
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;
    use crate::domain::State;

    #[test]
    fn a_day_is_a_date_a_state_and_shares_that_are_cut() {
        let day = |day: i64, state, percent, coverage| Day {
            from: UnixMillis((20_454 + day) * 86_400_000),
            state,
            percent,
            coverage,
        };
        let body =
            days_json(&[day(0, State::Down, Some(99.099_99), 100.0), day(1, State::Unobserved, None, 0.0)]);
        assert_eq!(
            body,
            concat!(
                r#"[{"day":"2026-01-01","state":"down","percent":99.099,"coverage":100},"#,
                r#"{"day":"2026-01-02","state":"unobserved","percent":null,"coverage":0}]"#,
            )
        );
    }
}
