//! The headline of the status page: the overall status in one sentence.

use heapbeat_shared::UnixMillis;

use super::messages::Argument;
use crate::domain::State;
use crate::view::MonitorView;

/// The states that become the headline, worst first, each with its messages if one, some or all monitors have it.
const NOTEWORTHY_STATES: [(State, [&str; 3]); 4] = [
    (State::Down, ["headline-down", "headline-partial-outage", "headline-major-outage"]),
    (State::Degraded, ["headline-degraded", "headline-degraded-some", "headline-degraded-all"]),
    (State::Waking, ["headline-starting", "headline-starting-some", "headline-starting-all"]),
    (State::Maintenance, ["headline-maintenance", "headline-maintenance-some", "headline-maintenance-all"]),
];

/// The message of a headline and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Headline<'a> {
    /// The name of the message.
    pub(super) message: &'static str,
    /// The name of the monitor, if the headline is about one; else empty.
    name: &'a str,
    count: usize,
    total: usize,
    /// When monitoring was interrupted, if that is the headline.
    interrupted: Option<UnixMillis>,
    /// The beginning of the state, if the headline is about one monitor; it is shown under the headline.
    pub(super) since: Option<UnixMillis>,
}

impl<'a> Headline<'a> {
    /// Builds the headline of these monitors. `checked` says whether there was a check yet.
    pub(super) fn new(monitors: &'a [MonitorView], checked: bool) -> Self {
        let total = monitors.len();
        let of = |message: &'static str, count| Headline {
            message,
            name: "",
            count,
            total,
            interrupted: None,
            since: None,
        };
        if total == 0 {
            return of("headline-empty", 0);
        }
        for (state, [one_is, some_are, all_are]) in NOTEWORTHY_STATES {
            let those: Vec<_> = monitors.iter().filter(|it| it.state == state).collect();
            match those[..] {
                [] => {}
                [one] => return Headline { name: &one.name, since: Some(one.since.0), ..of(one_is, 1) },
                [..] if those.len() == total => return of(all_are, total),
                [..] => return of(some_are, those.len()),
            }
        }
        let unobserved = monitors.iter().filter(|it| it.state == State::Unobserved).count();
        match unobserved {
            0 => Headline { name: &monitors[0].name, ..of("headline-up", total) },
            all if all == total && !checked => of("headline-waiting", 0),
            all if all == total => Headline {
                interrupted: monitors.iter().map(|it| it.since.0).max(),
                ..of("headline-interrupted", 0)
            },
            _ => of("headline-no-data-some", total - unobserved),
        }
    }

    /// Returns the arguments of the message. `time` formats an instant.
    pub(super) fn arguments(&self, time: impl Fn(UnixMillis) -> Argument) -> Vec<(&'static str, Argument)> {
        let number = |count: usize| Argument::Number(i64::try_from(count).unwrap_or(i64::MAX));
        let mut arguments = vec![
            ("name", Argument::Text(self.name.to_owned())),
            ("count", number(self.count)),
            ("total", number(self.total)),
        ];
        arguments.extend(self.interrupted.map(|at| ("time", time(at))));
        arguments
    }
}
