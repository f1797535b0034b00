//! The functions that templates call: they format instants, durations, shares and messages in the visitor's language.

// askama passes every argument by reference.
#![allow(clippy::trivially_copy_pass_by_ref, clippy::ref_option)]

mod statements;

use heapbeat_shared::{Bytes, ExitKind, Pressure, UnixMillis};

use super::clock::Clock;
use super::headline::Headline;
use super::markup::Markup;
use super::messages::{Argument, Arguments, Messages};
use super::{chart, sparkline};
use crate::domain::incident::Severity;
use crate::domain::incident::phase::PhaseState;
use crate::domain::{State, instant};
use crate::view::{
    ComparisonView, ForecastView, LatencyHistoryView, MemoryChartView, MemoryDayView, MonitorView, Percent,
    RestartView, StateDurationView, TrafficView, UptimeView,
};

/// Formats the values of one page.
#[derive(Debug)]
pub(super) struct Renderer<'a> {
    messages: &'a Messages,
    /// The time of the page's values.
    now: UnixMillis,
    /// `?lang=de` if the visitor chose the language, else empty; it is appended to links to other pages.
    pub(super) query: &'a str,
    clock: Clock,
}

impl<'a> Renderer<'a> {
    /// Builds a renderer for a page with values of `now`.
    pub(super) fn new(messages: &'a Messages, now: UnixMillis, query: &'a str) -> Self {
        Renderer { messages, now, query, clock: Clock::new(messages.language()) }
    }

    /// The language as a BCP 47 tag.
    pub(super) const fn language(&self) -> &'static str {
        self.messages.language()
    }

    /// A message without arguments.
    pub(super) fn text(&self, id: &str) -> String {
        self.messages.text(id, &[])
    }

    /// Returns a message of a family, whose name is a prefix and a word: `state-` and `up`.
    fn family_text(&self, prefix: &str, word: &str) -> String {
        self.text(&[prefix, &word.replace('_', "-")].concat())
    }

    fn markup(&self, id: &str, arguments: Arguments<'_>) -> Markup {
        self.messages.markup(id, arguments)
    }

    pub(super) fn state(&self, state: &State) -> String {
        self.family_text("state-", state.as_str())
    }

    /// The name of the worst state of a day. It says nothing of how much was down: a second is an outage as well, and the share beside it
    /// says how much.
    pub(super) fn day_state(&self, state: &State) -> String {
        if *state == State::Down { self.text("day-down") } else { self.state(state) }
    }

    pub(super) fn severity(&self, severity: &Severity) -> String {
        self.family_text("severity-", severity.as_str())
    }

    pub(super) fn pressure(&self, pressure: &Pressure) -> String {
        self.pressure_level(pressure.as_str())
    }

    /// The name of a level of memory pressure; the word itself if it is unknown.
    fn pressure_level(&self, level: &str) -> String {
        let id = ["pressure-", level].concat();
        if self.messages.has(&id) { self.text(&id) } else { level.to_owned() }
    }

    /// The name of a region that probes run in; the word itself if it is unknown.
    pub(super) fn region(&self, region: &str) -> String {
        let id = ["region-", region].concat();
        if self.messages.has(&id) { self.text(&id) } else { region.to_owned() }
    }

    /// The exit of an instance, with "probably" unless the evidence is conclusive.
    fn exit(&self, kind: ExitKind, sure: bool) -> String {
        let exit = self.family_text("exit-", kind.as_str());
        if sure || kind == ExitKind::Unknown {
            return exit;
        }
        self.messages.text("probably", &[("exit", Argument::Text(exit))])
    }

    /// An instant as a `<time>` element.
    pub(super) fn time(&self, at: &UnixMillis) -> Markup {
        Markup::trusted(format!(
            "<time datetime=\"{}\">{}</time>",
            instant::rfc3339(*at),
            self.time_text(*at)
        ))
    }

    /// An instant as text.
    pub(super) fn time_text(&self, at: UnixMillis) -> String {
        format!("{} UTC", self.clock.short(at, self.now))
    }

    /// An instant under a chart, without the time zone, which the script changes.
    pub(super) fn axis_time(&self, at: UnixMillis) -> String {
        self.clock.short(at, self.now)
    }

    pub(super) fn date(&self, at: &UnixMillis) -> String {
        self.clock.day(*at)
    }

    /// A duration in its largest unit or two: `3 h 5 min`.
    pub(super) fn duration(&self, seconds: &u64) -> String {
        let units = ["s", "min", "h", "d"].map(|unit| (unit, self.family_text("unit-", unit)));
        let name = |unit: &'static str| {
            units.iter().find(|(known, _)| *known == unit).map_or(unit, |(_, name)| name.as_str())
        };
        instant::format_duration(*seconds, name, '\u{a0}')
    }

    /// How long an incident was in each of its states: ` (34 min)` if it only had the severity that is shown beside it, or else
    /// ` (Outage 3 min, Degraded performance 20 min)`.
    pub(super) fn durations(&self, list: &[StateDurationView], severity: &Severity) -> String {
        match list {
            [] => String::new(),
            [only] if only.state == PhaseState::from(*severity) => {
                format!(" ({})", self.duration(&only.seconds))
            }
            several => {
                let part = |it: &StateDurationView| {
                    format!("{}\u{a0}{}", self.phase_state(it.state), self.duration(&it.seconds))
                };
                format!(" ({})", several.iter().map(part).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn phase_state(&self, state: PhaseState) -> String {
        let family = if state.is_trouble() { "severity-" } else { "state-" };
        self.family_text(family, state.as_str())
    }

    /// The time since an instant.
    pub(super) fn age(&self, at: &UnixMillis) -> String {
        self.duration(&self.now.since(*at).as_secs())
    }

    /// A share with two decimals, cut rather than rounded: 99.996 % is not 100 %.
    pub(super) fn percent(&self, share: &Percent) -> String {
        if share.value() >= 100.0 {
            return "100\u{a0}%".to_owned();
        }
        // The epsilon compensates for binary fractions: 99.98 is stored as slightly less.
        let cut = ((share.value() + 1e-9) * 100.0).floor() / 100.0;
        format!("{cut:.2}\u{a0}%").replace('.', &self.text("decimal-separator"))
    }

    /// The share of the time that was monitored.
    pub(super) fn monitored_share(&self, coverage: &Percent) -> String {
        self.messages.text("monitored", &[("percent", Argument::Text(self.percent(coverage)))])
    }

    /// The share of a window that was monitored; of a younger monitor, since when.
    pub(super) fn monitored(&self, uptime: &UptimeView) -> Markup {
        let percent = Argument::Text(self.percent(&uptime.coverage));
        match &uptime.since {
            None => self.markup("monitored", &[("percent", percent)]),
            Some(since) => {
                let time = Argument::Markup(self.time(&since.0));
                self.markup("monitored-since", &[("percent", percent), ("time", time)])
            }
        }
    }

    pub(super) fn since(&self, at: &UnixMillis) -> Markup {
        self.markup("since", &[("time", Argument::Markup(self.time(at)))])
    }

    pub(super) fn since_for(&self, at: &UnixMillis) -> Markup {
        let duration = Argument::Text(self.age(at));
        self.markup("since-for", &[("time", Argument::Markup(self.time(at))), ("duration", duration)])
    }

    pub(super) fn last_check(&self, at: &UnixMillis) -> Markup {
        self.markup("last-check", &[("time", Argument::Markup(self.time(at)))])
    }

    /// The note that the values are old, as the hub does not respond.
    pub(super) fn stale(&self, seconds: &u64) -> String {
        self.messages.text("stale", &[("duration", Argument::Text(self.duration(seconds)))])
    }

    pub(super) fn headline(&self, headline: &Headline<'_>) -> Markup {
        self.markup(headline.message, &headline.arguments(|at| Argument::Markup(self.time(&at))))
    }

    pub(super) fn headline_text(&self, headline: &Headline<'_>) -> String {
        self.messages.text(headline.message, &headline.arguments(|at| Argument::Text(self.time_text(at))))
    }

    pub(super) fn of_limit(&self, megabytes: &u64) -> String {
        self.messages.text("of-limit", &[("limit", Argument::Text(megabytes.to_string()))])
    }

    pub(super) fn restart_count(&self, monitor: &MonitorView) -> String {
        let count = i64::try_from(monitor.restarts.len()).unwrap_or(i64::MAX);
        self.messages.text("restart-count", &[("count", Argument::Number(count))])
    }

    pub(super) fn caused_by(&self, monitor: &str) -> String {
        self.messages.text("caused-by", &[("monitor", Argument::Text(monitor.to_owned()))])
    }

    /// The progress of an incident: investigating, acknowledged or resolved.
    pub(super) fn progress(&self, is_closed: bool, acknowledged: &bool) -> String {
        self.text(match (is_closed, *acknowledged) {
            (true, _) => "resolved",
            (false, true) => "acknowledged",
            (false, false) => "investigating",
        })
    }

    /// The exit of the instance before a restart; "restart" if it is unknown.
    pub(super) fn restart(&self, restart: &RestartView) -> String {
        restart.kind.map_or_else(|| self.text("restart"), |kind| self.exit(kind, restart.sure))
    }

    /// The time at which memory reaches its limit; `None` without a forecast.
    pub(super) fn forecast(&self, forecast: &ForecastView) -> Option<Markup> {
        let time = |at: Option<crate::view::Timestamp>| Some(Argument::Markup(self.time(&at?.0)));
        let rate = Bytes(u64::try_from(forecast.bytes_per_hour.unwrap_or(0)).unwrap_or(0)).to_megabytes().0;
        Some(self.markup(
            "forecast",
            &[
                ("rate", Argument::Text(rate.to_string())),
                ("time", time(forecast.reaches_limit)?),
                ("earliest", time(forecast.earliest)?),
                ("latest", time(forecast.latest)?),
            ],
        ))
    }

    pub(super) fn version_comparison(&self, compared: &ComparisonView) -> String {
        self.messages.text(
            "version-comparison",
            &[
                ("now", Argument::Text(compared.now.to_megabytes().0.to_string())),
                ("before", Argument::Text(compared.before.to_megabytes().0.to_string())),
                ("age", Argument::Text(self.duration(&compared.age_seconds))),
            ],
        )
    }

    pub(super) fn top_route(&self, route: &str) -> String {
        self.messages.text("top-route", &[("route", Argument::Text(route.to_owned()))])
    }

    /// The requests to a program now.
    pub(super) fn traffic_now(&self, traffic: &TrafficView) -> String {
        let number = |count: u64| Argument::Number(i64::try_from(count).unwrap_or(i64::MAX));
        let arguments = [
            ("now", number(traffic.in_flight)),
            ("waiting", number(traffic.waiting)),
            ("failed", number(traffic.failed)),
        ];
        self.messages.text("requests-now", &arguments)
    }

    /// The label of the ninety bars for screen readers.
    pub(super) fn bars_label(&self, monitor: &MonitorView) -> String {
        let count = |which: fn(State) -> bool| {
            let of = |letter: &char| State::ALL.iter().any(|it| it.letter() == *letter && which(*it));
            Argument::Number(i64::try_from(monitor.days.chars().filter(of).count()).unwrap_or(0))
        };
        let good = count(|state| matches!(state, State::Up | State::Maintenance));
        let unobserved = count(|state| state == State::Unobserved);
        let trouble = count(State::is_trouble);
        self.messages.text("bars-label", &[("good", good), ("trouble", trouble), ("unobserved", unobserved)])
    }

    #[expect(clippy::unused_self, reason = "templates call methods of the renderer")]
    pub(super) fn icon(&self, state: &State) -> Markup {
        sparkline::icon(*state)
    }

    pub(super) fn day_bars(&self, monitor: &MonitorView) -> Markup {
        sparkline::day_bars(monitor, self.now, self.query, |at| self.date(&at))
    }

    #[expect(clippy::unused_self, reason = "templates call methods of the renderer")]
    pub(super) fn latency_sparkline(&self, monitor: &MonitorView) -> Markup {
        sparkline::draw(monitor.latencies.iter().map(|ms| ms.map(f64::from)), None)
    }

    #[expect(clippy::unused_self, reason = "templates call methods of the renderer")]
    pub(super) fn memory_sparkline(&self, day: &MemoryDayView) -> Markup {
        sparkline::draw(
            day.peaks.iter().map(|mb| mb.map(|mb| mb as f64)),
            day.limit.map(|limit| limit.0 as f64),
        )
    }

    pub(super) fn memory_chart(&self, memory: &MemoryChartView) -> Markup {
        chart::memory(memory).map(|chart| chart.draw(self)).unwrap_or_default()
    }

    pub(super) fn latency_chart(&self, latency: &LatencyHistoryView) -> Markup {
        chart::latency(latency).map(|chart| chart.draw(self)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
