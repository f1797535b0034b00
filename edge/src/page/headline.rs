//! One sentence that answers "is it up?".

use heapbeat_shared::UnixMillis;

use super::words;
use crate::instant;
use crate::view::{MonitorView, StatusView};
use crate::watch::State;

/// States that are worth the headline, worst first.
const NEWS: [State; 4] = [State::Down, State::Degraded, State::Waking, State::Maintenance];

/// The sentence, without a full stop.
pub(super) fn headline(view: &StatusView) -> String {
    let monitors = &view.monitors;
    if monitors.is_empty() {
        return "Nothing is watched yet".into();
    }
    for state in NEWS {
        let those: Vec<&MonitorView> = monitors.iter().filter(|monitor| monitor.state == state).collect();
        match those[..] {
            [] => {}
            [one] => return single(one, view.now),
            _ if those.len() == monitors.len() => {
                return format!("All {} are {}", those.len(), phrase(state));
            }
            _ => return format!("{} of {} are {}", those.len(), monitors.len(), phrase(state)),
        }
    }
    match monitors.iter().filter(|monitor| monitor.state == State::Unobserved).count() {
        0 if monitors.len() == 1 => format!("{} is up", monitors[0].name),
        0 => "Everything is up".into(),
        blind if blind == monitors.len() && view.updated.is_none() => "Nothing was observed yet".into(),
        blind if blind == monitors.len() => "Nobody is watching at the moment".into(),
        blind => {
            format!("{} of {} are up, the others were not observed", monitors.len() - blind, monitors.len())
        }
    }
}

fn single(monitor: &MonitorView, now: UnixMillis) -> String {
    let ago = words::span(now.since(monitor.since).as_secs());
    format!(
        "{} is {} since {} ({ago})",
        monitor.name,
        phrase(monitor.state),
        instant::short(monitor.since, now)
    )
}

fn phrase(state: State) -> &'static str {
    match state {
        State::Up => "up",
        State::Degraded => "degraded",
        State::Down => "down",
        State::Waking => "waking up",
        State::Maintenance => "under maintenance",
        State::Unobserved => "not observed",
    }
}
