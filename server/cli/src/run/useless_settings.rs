//! Settings that have no effect on a guarded program: a user who sets one expects an effect, so each is named in the log.

use std::net::IpAddr;

use heapbeat::config::{Config, SETTINGS};

use super::front_args::FrontKind;

/// What decides which settings have an effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunMode {
    pub(super) kind: FrontKind,
    /// Whether heapbeat opens a socket for the program (`--listen`).
    pub(super) passes_socket: bool,
    /// Where heapbeat's own endpoints are besides the public port.
    pub(super) side_port: Option<(IpAddr, u16)>,
}

/// Returns why a setting has no effect on a guarded program in this mode; `None` if it has one.
fn reason(variable: &str, mode: RunMode) -> Option<&'static str> {
    let has_front = mode.kind != FrontKind::Off;
    match variable {
        "HEAPBEAT_OBSERVE_ONLY" => Some("the program is replaced at HEAPBEAT_RECYCLE_AT all the same"),
        "HEAPBEAT_UNGUARDED" => {
            Some("to run the program without heapbeat, leave `heapbeat run --` away before it")
        }
        "HEAPBEAT_HANG_TIMEOUT" => Some("the option is --hang-timeout"),
        "HEAPBEAT_ATTRIBUTION" | "HEAPBEAT_REQUEST_BUDGET" => {
            Some("it is not known which memory of another program a request needs")
        }
        "HEAPBEAT_HEAP_PROFILE" => Some("the agent decides when it records call stacks"),
        "HEAPBEAT_SAMPLE_INTERVAL" => {
            Some("a program is measured every second, and more often as memory gets short")
        }
        "HEAPBEAT_REQUEST_TIMEOUT" => Some("the program decides how long it works on a request"),
        "HEAPBEAT_MAX_BODY"
        | "HEAPBEAT_MAX_HEADER"
        | "HEAPBEAT_HEADER_TIMEOUT"
        | "HEAPBEAT_BODY_TIMEOUT"
        | "HEAPBEAT_IDLE_TIMEOUT"
        | "HEAPBEAT_WRITE_TIMEOUT"
        | "HEAPBEAT_MAX_CONNECTIONS" => Some(
            "docs/any-program.md has the bounds of the front, which are fixed but for --client-rate and --front-memory",
        ),
        "HEAPBEAT_DRAIN_WINDOW" if !has_front => Some("without the front, heapbeat accepts no connections"),
        "HEAPBEAT_HOST" if !has_front && !mode.passes_socket && mode.side_port.is_none() => {
            Some("heapbeat opens no port")
        }
        "HEAPBEAT_SECRET"
        | "HEAPBEAT_SECRET_PREVIOUS"
        | "HEAPBEAT_HOSTS"
        | "HEAPBEAT_METRICS"
        | "HEAPBEAT_METRICS_TOKEN"
        | "HEAPBEAT_EDGE_TIMEOUT"
        | "HEAPBEAT_ALERT_WEBHOOK"
            if mode.kind != FrontKind::Http && mode.side_port.is_none() =>
        {
            Some("heapbeat answers no requests with --side-port off")
        }
        // `PORT` without a front is the program's.
        _ => None,
    }
}

/// Logs a warning for each setting that the environment has and that does nothing.
pub(super) fn warn_of_useless_settings(mode: RunMode) {
    for (variable, why) in useless_settings(mode, |name| std::env::var(name).ok()) {
        tracing::warn!("{variable} has no effect with `heapbeat run`: {why}");
    }
}

/// Returns each setting that is set and has no effect, and why. A value that is the default does no harm.
fn useless_settings(
    mode: RunMode,
    value_of: impl Fn(&str) -> Option<String>,
) -> Vec<(&'static str, &'static str)> {
    let is_set = |variable: &str| {
        let only_this = |name: &str| if name == variable { value_of(name) } else { None };
        Config::read(|_| None, only_this).is_ok_and(|config| config != Config::default())
    };
    let useless =
        SETTINGS.iter().filter_map(|setting| Some((setting.variable, reason(setting.variable, mode)?)));
    useless.filter(|(variable, _)| is_set(variable)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SIDE_PORT: Option<(IpAddr, u16)> = Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 8090));

    /// The modes: the default one, `--front tcp`, the same without endpoints, `--listen`, `--front off`, and that without endpoints.
    const MODES: [RunMode; 6] = [
        mode(FrontKind::Http, false, None),
        mode(FrontKind::Tcp, false, SIDE_PORT),
        mode(FrontKind::Tcp, false, None),
        mode(FrontKind::Off, true, SIDE_PORT),
        mode(FrontKind::Off, false, SIDE_PORT),
        mode(FrontKind::Off, false, None),
    ];

    const fn mode(kind: FrontKind, passes_socket: bool, side_port: Option<(IpAddr, u16)>) -> RunMode {
        RunMode { kind, passes_socket, side_port }
    }

    /// In which of [`MODES`] a setting has an effect: every setting of the table has a row, so that a new one is decided on.
    #[test]
    fn each_setting_has_an_effect_on_a_guarded_program_or_is_warned_of() {
        let rows = [
            // In every mode. Without a front, `PORT` reaches the program.
            ("PORT", "9000", "yyyyyy"),
            ("HEAPBEAT_MEMORY_LIMIT", "64MB", "yyyyyy"),
            ("HEAPBEAT_ALERT_AT", "50%", "yyyyyy"),
            ("HEAPBEAT_PURGE_AT", "80%", "yyyyyy"),
            ("HEAPBEAT_RECYCLE_AT", "90%", "yyyyyy"),
            ("HEAPBEAT_SHED_AT", "99%", "yyyyyy"),
            ("HEAPBEAT_RESTARTS_PER_MINUTE", "9", "yyyyyy"),
            ("HEAPBEAT_FLIGHT_DIR", "/tmp/flight", "yyyyyy"),
            ("HEAPBEAT_LOG_INTERVAL", "9s", "yyyyyy"),
            ("HEAPBEAT_LOG", "debug", "yyyyyy"),
            ("HEAPBEAT_LOG_FORMAT", "json", "yyyyyy"),
            ("HEAPBEAT_DRAIN_TIMEOUT", "9s", "yyyyyy"),
            // Where heapbeat listens, and where it answers requests.
            ("HEAPBEAT_HOST", "127.0.0.1", "yyyyy-"),
            ("HEAPBEAT_DRAIN_WINDOW", "0s", "yyy---"),
            ("HEAPBEAT_SECRET", "0123456789abcdef0123", "yy-yy-"),
            ("HEAPBEAT_SECRET_PREVIOUS", "0123456789abcdef0123", "yy-yy-"),
            ("HEAPBEAT_HOSTS", "api.example.com", "yy-yy-"),
            ("HEAPBEAT_METRICS", "public", "yy-yy-"),
            ("HEAPBEAT_METRICS_TOKEN", "0123456789abcdef0123", "yy-yy-"),
            ("HEAPBEAT_EDGE_TIMEOUT", "9s", "yy-yy-"),
            ("HEAPBEAT_ALERT_WEBHOOK", "https://example.com/hook", "yy-yy-"),
            // In none.
            ("HEAPBEAT_OBSERVE_ONLY", "on", "------"),
            ("HEAPBEAT_ATTRIBUTION", "off", "------"),
            ("HEAPBEAT_REQUEST_BUDGET", "9MB", "------"),
            ("HEAPBEAT_HANG_TIMEOUT", "9s", "------"),
            ("HEAPBEAT_UNGUARDED", "on", "------"),
            ("HEAPBEAT_HEAP_PROFILE", "on", "------"),
            ("HEAPBEAT_SAMPLE_INTERVAL", "9s", "------"),
            ("HEAPBEAT_MAX_BODY", "9MB", "------"),
            ("HEAPBEAT_MAX_HEADER", "9kB", "------"),
            ("HEAPBEAT_HEADER_TIMEOUT", "9s", "------"),
            ("HEAPBEAT_BODY_TIMEOUT", "9s", "------"),
            ("HEAPBEAT_REQUEST_TIMEOUT", "9s", "------"),
            ("HEAPBEAT_IDLE_TIMEOUT", "9s", "------"),
            ("HEAPBEAT_WRITE_TIMEOUT", "9s", "------"),
            ("HEAPBEAT_MAX_CONNECTIONS", "9", "------"),
        ];
        let mut named: Vec<&str> = rows.iter().map(|(variable, ..)| *variable).collect();
        let mut all: Vec<&str> = SETTINGS.iter().map(|setting| setting.variable).collect();
        named.sort_unstable();
        all.sort_unstable();
        assert_eq!(named, all);
        for (variable, value, expected) in rows {
            let value_of = |name: &str| (name == variable).then(|| value.to_owned());
            let found: String = MODES
                .iter()
                .map(|mode| if useless_settings(*mode, value_of).is_empty() { 'y' } else { '-' })
                .collect();
            assert_eq!(found, expected, "{variable}");
        }
    }

    #[test]
    fn a_value_that_is_the_default_is_not_warned_of() {
        let set = [
            ("HEAPBEAT_OBSERVE_ONLY", "off"),
            ("HEAPBEAT_MAX_BODY", "2048kB"),
            ("HEAPBEAT_HANG_TIMEOUT", ""),
        ];
        let value_of =
            |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(useless_settings(MODES[0], value_of), []);
    }
}
