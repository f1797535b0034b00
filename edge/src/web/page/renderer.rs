//! The functions that templates call: they format instants, durations, shares and messages in the visitor's language.

// askama passes every argument by reference.
#![allow(clippy::trivially_copy_pass_by_ref, clippy::ref_option)]

use heapbeat_shared::{Bytes, ExitKind, Param, Params, Pressure, UnixMillis};

use super::clock::Clock;
use super::headline::Headline;
use super::markup::Markup;
use super::messages::{Argument, Arguments, Messages};
use super::{chart, sparkline};
use crate::domain::incident::Severity;
use crate::domain::{State, instant};
use crate::monitor_config::maintenance::parse_instant;
use crate::view::{
    ComparisonView, ExitView, ForecastView, LatencyHistoryView, MemoryChartView, MemoryDayView, MonitorView,
    Percent, RestartView, TranslationView,
};

/// The most pieces of evidence in one line; the page of the incident and the API have all.
const MAX_EVIDENCE: usize = 3;

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
    pub(super) fn monitored(&self, coverage: &Percent) -> String {
        self.messages.text("monitored", &[("percent", Argument::Text(self.percent(coverage)))])
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

    /// The previous exit with its first pieces of evidence, as a sentence.
    pub(super) fn last_exit(&self, exit: &ExitView) -> Markup {
        let kind = Argument::Text(self.exit(exit.kind, exit.sure));
        let begin =
            self.markup("last-exit", &[("time", Argument::Markup(self.time(&exit.at.0))), ("exit", kind)]);
        let evidence = self.statements(&exit.evidence, &exit.evidence_statements);
        let text = evidence.into_iter().take(MAX_EVIDENCE).fold(begin, |before, next| {
            let pieces = [("before", Argument::Markup(before)), ("next", Argument::Markup(next))];
            self.markup("evidence-and", &pieces)
        });
        self.markup("sentence", &[("text", Argument::Markup(text))])
    }

    /// Statements in the visitor's language.
    pub(super) fn statements(&self, texts: &[String], statements: &[TranslationView]) -> Vec<Markup> {
        let piece = |(index, text): (usize, &String)| match statements.get(index) {
            Some(TranslationView { code, params }) => self.statement(code, params, text),
            None => self.statement("", &Params::new(), text),
        };
        texts.iter().enumerate().map(piece).collect()
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

    /// A statement in the visitor's language; in English, with `lang="en"`, if its code is unknown.
    pub(super) fn statement(&self, code: &str, params: &Params, text: &str) -> Markup {
        let arguments = self.arguments(params, |at| Argument::Markup(self.time(&at)));
        match self.messages.try_markup(&statement_id(code), &arguments) {
            Some(translation) => translation,
            None if self.language() == "en" => Markup::escape(text),
            None => Markup::trusted(format!("<span lang=\"en\">{}</span>", Markup::escape(text))),
        }
    }

    /// A statement as text, for the title of a page.
    pub(super) fn statement_text(&self, code: &str, params: &Params, text: &str) -> String {
        let arguments = self.arguments(params, |at| Argument::Text(self.time_text(at)));
        self.messages.try_text(&statement_id(code), &arguments).unwrap_or_else(|| text.to_owned())
    }

    /// A reason, which has its code in another field.
    pub(super) fn reason(&self, code: &Option<String>, params: &Params, text: &str) -> Markup {
        self.statement(code.as_deref().unwrap_or_default(), params, text)
    }

    /// The values in a statement as arguments of its message. The name of a value says how it is shown (`Params`).
    fn arguments<'p>(
        &self,
        params: &'p Params,
        show_time: impl Fn(UnixMillis) -> Argument,
    ) -> Vec<(&'p str, Argument)> {
        let argument = |(name, value): (&'p String, &'p Param)| {
            let argument = match value {
                Param::Number(bytes) if name.ends_with("_bytes") => {
                    Argument::Text(Bytes(u64::try_from(*bytes).unwrap_or(0)).to_string())
                }
                Param::Number(number) => Argument::Number(*number),
                Param::Text(level) if name == "pressure" || name.ends_with("_pressure") => {
                    Argument::Text(self.pressure_level(level))
                }
                Param::Text(text) => match parse_instant(text).filter(|_| name.ends_with("_time")) {
                    Some(at) => show_time(at),
                    None => Argument::Text(text.clone()),
                },
            };
            (name.as_str(), argument)
        };
        params.iter().map(argument).collect()
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

/// The message of a statement.
fn statement_id(code: &str) -> String {
    ["statement-", code].concat()
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::Statement;
    use heapbeat_shared::statement::catalog::CATALOG;

    use super::super::language::LANGUAGES;
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

    fn plain(text: &impl ToString) -> String {
        text.to_string().replace('\u{a0}', " ")
    }

    #[test]
    fn durations_shares_and_instants_are_formatted() {
        let messages = Messages::load("en");
        let renderer = Renderer::new(&messages, NOW, "");
        let durations = [
            (0, "0 s"),
            (59, "59 s"),
            (3599, "59 min"),
            (3600, "1 h"),
            (11_100, "3 h 5 min"),
            (352_800, "4 d 2 h"),
        ];
        for (seconds, expected) in durations {
            assert_eq!(plain(&renderer.duration(&seconds)), expected);
        }
        let shares = [(100.0, "100 %"), (99.999, "99.99 %"), (99.98, "99.98 %"), (0.0, "0.00 %")];
        for (share, expected) in shares {
            assert_eq!(plain(&renderer.percent(&Percent::cut(share))), expected);
        }
        assert_eq!(plain(&renderer.age(&UnixMillis(NOW.0 - 720_000))), "12 min");
        assert_eq!(plain(&renderer.age(&UnixMillis(NOW.0 + 720_000))), "0 s");
        let time = renderer.time(&UnixMillis(NOW.0 - 720_000));
        assert_eq!(time.as_str(), "<time datetime=\"2026-01-31T11:48:00Z\">11:48 UTC</time>");
        let time = renderer.time(&UnixMillis(NOW.0 - 86_400_000));
        assert_eq!(time.as_str(), "<time datetime=\"2026-01-30T12:00:00Z\">30 Jan 12:00 UTC</time>");
    }

    #[test]
    fn a_share_has_the_decimal_separator_of_the_language() {
        let messages = Messages::load("de");
        let renderer = Renderer::new(&messages, NOW, "");
        assert_eq!(plain(&renderer.percent(&Percent::cut(99.98))), "99,98 %");
    }

    #[test]
    fn a_statement_is_translated_by_its_code_and_english_without_one() {
        let shown = |language: &str, code: &str, params: &Params| {
            let messages = Messages::load(language);
            Renderer::new(&messages, NOW, "").statement(code, params, "<b>").to_string()
        };
        let status = Params::from([("status".to_owned(), Param::Number(503))]);
        assert_eq!(shown("de", "http-status", &status), "HTTP-Status 503");
        assert_eq!(shown("en", "of-a-newer-version", &status), "&#60;b&#62;");
        assert_eq!(shown("fr", "of-a-newer-version", &status), "<span lang=\"en\">&#60;b&#62;</span>");
        // A statement with missing values is shown with its English text.
        assert_eq!(shown("fr", "http-status", &Params::new()), "<span lang=\"en\">&#60;b&#62;</span>");
        let by = Params::from([("by".to_owned(), Param::from("<i>"))]);
        assert_eq!(shown("en", "stop-requested", &by), "shutdown requested by &#60;i&#62;");
        let bytes = Params::from(
            ["before_bytes", "after_bytes"].map(|name| (name.to_owned(), Param::Number(1 << 20))),
        );
        assert_eq!(shown("en", "limit-changed", &bytes), "memory limit changed from 1.0 MB to 1.0 MB");
    }

    #[test]
    fn no_value_of_a_hostile_server_stops_a_page_or_becomes_html() {
        let values = [i64::MIN, -1, 0, 1, i64::MAX].map(Param::Number).into_iter();
        let texts = ["", "<script>", "{ $x }", "\u{0}\u{feff}\u{fffe}", "9999-12-31T23:59:59Z", "-1.5e400"]
            .map(Param::from);
        let values: Vec<_> = values.chain(texts).collect();
        let codes = CATALOG.iter().map(|entry| (entry.code, entry.params));
        let foreign = ["", "x.attribute", "-term", "\u{0}", "state-up"].map(|code| (code, ["x"].as_slice()));
        let codes: Vec<_> = codes.chain(foreign).collect();
        for (language, _) in LANGUAGES {
            let messages = Messages::load(language);
            let renderer = Renderer::new(&messages, NOW, "");
            for (code, names) in &codes {
                for value in &values {
                    let params: Params =
                        names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
                    let html = renderer.statement(code, &params, "<i>").to_string();
                    assert!(!html.contains("<script") && !html.contains("<i>"), "{language} {code}: {html}");
                    let _ = renderer.statement_text(code, &params, "text");
                }
            }
        }
    }

    #[test]
    fn levels_of_pressure_and_instants_in_a_statement_are_in_the_readers_language() {
        let messages = Messages::load("de");
        let renderer = Renderer::new(&messages, NOW, "");
        let shown = |it: &Statement| renderer.statement(&it.code, &it.params, &it.text).to_string();
        let changed = Statement::pressure_changed(Pressure::Calm, Pressure::Purge, Bytes(1 << 20));
        assert_eq!(shown(&changed), "Speicherdruck von normal auf hoch bei 1.0 MB");
        let interrupted = Statement::monitoring_interrupted("2026-01-31T11:48:00Z");
        let time = "<time datetime=\"2026-01-31T11:48:00Z\">11:48 UTC</time>";
        assert!(shown(&interrupted).starts_with(&format!("Überwachung seit {time} unterbrochen")));
    }
}
