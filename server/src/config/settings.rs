//! The table of settings.

use std::time::Duration;

use heapbeat_shared::Bytes;

use crate::overload::thresholds::Thresholds;

use super::parse;
use super::parse::{FlightPlace, LogFormat, Parsed, Patience};
use super::webhook::webhook_or_off;
use super::{Config, HttpLimits, LogFilter, Metrics, Secrets};

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Name of the environment variable.
    pub variable: &'static str,
    /// Name of the flag, without dashes.
    pub flag: &'static str,
    /// What a value looks like, in one word.
    pub shape: &'static str,
    /// The value when nobody sets one, as one would write it.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub meaning: &'static str,
    /// Its value is shown to nobody: no flag, as every user of the machine can read command lines, and not in errors.
    pub secret: bool,
    /// Parses a value into its field.
    apply: fn(&mut Config, &str) -> Parsed<()>,
}

impl Setting {
    /// Puts `text` into `config`, or says what would be right.
    pub(super) fn apply(&self, config: &mut Config, text: &str) -> Result<(), String> {
        (self.apply)(config, text)
    }
}

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Every setting, in the order in which it is explained.
pub const SETTINGS: &[Setting] = &[
    Setting {
        variable: "PORT",
        flag: "port",
        shape: "PORT",
        default: "8080",
        meaning: "TCP port to listen on; 0 takes a free one, which the log names.",
        secret: false,
        apply: |config, text| parse::port(text).map(|v| config.port = v),
    },
    Setting {
        variable: "HEAPBEAT_HOST",
        flag: "host",
        shape: "ADDRESS",
        default: "any",
        meaning: "Address to listen on; `any` is all of them, IPv4 and IPv6.",
        secret: false,
        apply: |config, text| parse::host(text).map(|v| config.host = v),
    },
    Setting {
        variable: "HEAPBEAT_MEMORY_LIMIT",
        flag: "memory-limit",
        shape: "SIZE",
        default: "auto",
        meaning: "Memory that the process may take. `auto` is the limit of the cgroup, else the machine's memory, but \
                  at most 1024MB. What the kernel enforces is never exceeded, whatever is set here.",
        secret: false,
        apply: |config, text| {
            parse::size_or("auto", text, Bytes::from_mb(16)..=Bytes::from_mb(1 << 24))
                .map(|v| config.memory_limit = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_ALERT_AT",
        flag: "alert-at",
        shape: "MARK",
        default: "78.125%",
        meaning: "Where a warning is logged: a share of the limit or a size.",
        secret: false,
        apply: |config, text| parse::mark(text).map(|v| config.marks.alert = v),
    },
    Setting {
        variable: "HEAPBEAT_PURGE_AT",
        flag: "purge-at",
        shape: "MARK",
        default: "87.8906%",
        meaning: "Where caches shrink and the allocator gives back: a share of the limit or a size.",
        secret: false,
        apply: |config, text| parse::mark(text).map(|v| config.marks.purge = v),
    },
    Setting {
        variable: "HEAPBEAT_RECYCLE_AT",
        flag: "recycle-at",
        shape: "MARK",
        default: "93.75%",
        meaning: "Where a fresh worker is wanted; with nobody to start one, requests begin to be refused: a share of the limit or a size.",
        secret: false,
        apply: |config, text| parse::mark(text).map(|v| config.marks.recycle = v),
    },
    Setting {
        variable: "HEAPBEAT_SHED_AT",
        flag: "shed-at",
        shape: "MARK",
        default: "96.875%",
        meaning: "Where new requests are refused altogether, by priority: a share of the limit or a size.",
        secret: false,
        apply: |config, text| parse::mark(text).map(|v| config.marks.shed = v),
    },
    Setting {
        variable: "HEAPBEAT_OBSERVE_ONLY",
        flag: "observe-only",
        shape: "SWITCH",
        default: "off",
        meaning: "`on`: the guard logs what it would do about memory, and does none of it.",
        secret: false,
        apply: |config, text| parse::switch(text).map(|v| config.observe_only = v),
    },
    Setting {
        variable: "HEAPBEAT_ATTRIBUTION",
        flag: "attribution",
        shape: "SWITCH",
        default: "on",
        meaning: "Whether memory is booked to routes: what their requests allocate and what they hold.",
        secret: false,
        apply: |config, text| parse::switch(text).map(|v| config.attribution = v),
    },
    Setting {
        variable: "HEAPBEAT_REQUEST_BUDGET",
        flag: "request-budget",
        shape: "SIZE",
        default: "off",
        meaning: "Memory that one request may allocate in all, freed or not; one that needs more is ended with 507 instead of \
                  taking the process down. `off`: any amount.",
        secret: false,
        apply: |config, text| {
            parse::size_or("off", text, Bytes(64 << 10)..=Bytes::from_mb(1 << 24))
                .map(|v| config.request_budget = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_SECRET",
        flag: "secret",
        shape: "SECRET",
        default: "off",
        meaning: "What the requests for the whole report on /health are signed with, at least 16 bytes. `off`: there is no \
                  report, everybody gets the public figures.",
        secret: true,
        apply: |config, text| parse::secret_or_off(text).map(|v| config.secrets.current = v),
    },
    Setting {
        variable: "HEAPBEAT_SECRET_PREVIOUS",
        flag: "secret-previous",
        shape: "SECRET",
        default: "off",
        meaning: "Another secret that is believed too: the one before, until everybody who signs has the new one.",
        secret: true,
        apply: |config, text| parse::secret_or_off(text).map(|v| config.secrets.previous = v),
    },
    Setting {
        variable: "HEAPBEAT_HANG_TIMEOUT",
        flag: "hang-timeout",
        shape: "DURATION",
        default: "10s",
        meaning: "A worker in which nothing moves for so long is stopped and started anew.",
        secret: false,
        apply: |config, text| parse::duration(text, SECOND..=HOUR).map(|v| config.hang_timeout = v),
    },
    Setting {
        variable: "HEAPBEAT_FLIGHT_DIR",
        flag: "flight-dir",
        shape: "DIRECTORY",
        default: "auto",
        meaning: "Where the flight recorder is, from which the next instance learns how the last one ended. `auto` is a \
                  directory for this user and port below the system's one for temporary files (with port 0: `off`), \
                  `off` keeps it in memory, where it outlives a worker but not the supervisor.",
        secret: false,
        apply: |config, text| parse::flight(text).map(|v| config.flight = v),
    },
    Setting {
        variable: "HEAPBEAT_UNGUARDED",
        flag: "unguarded",
        shape: "SWITCH",
        default: "off",
        meaning: "`on`: emergency rollback. No supervisor and no ladder; the same backend in one process, with /health.",
        secret: false,
        apply: |config, text| parse::switch(text).map(|v| config.unguarded = v),
    },
    Setting {
        variable: "HEAPBEAT_METRICS",
        flag: "metrics",
        shape: "READERS",
        default: "owner",
        meaning: "Who may read /metrics: `owner`, who signs the request or has the token; `public`, whoever can reach it; \
                  `off`, nobody. What nobody can read is left to the application.",
        secret: false,
        apply: |config, text| parse::readers(text).map(|v| config.metrics.readers = v),
    },
    Setting {
        variable: "HEAPBEAT_METRICS_TOKEN",
        flag: "metrics-token",
        shape: "SECRET",
        default: "off",
        meaning: "What a scraper of /metrics may send as `Authorization: Bearer` instead of a signature, at least 16 bytes.",
        secret: true,
        apply: |config, text| parse::secret_or_off(text).map(|v| config.metrics.token = v),
    },
    Setting {
        variable: "HEAPBEAT_WATCHER_SILENCE",
        flag: "watcher-silence",
        shape: "DURATION",
        default: "auto",
        meaning: "After how long without a signed request for /health the edge is missed, once it has come: a warning, and an \
                  alert. `auto` is three times as long as between its visits, and three minutes at least; `off`: never.",
        secret: false,
        apply: |config, text| {
            parse::patience(text, SECOND..=31 * 24 * HOUR).map(|v| config.watcher_silence = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_ALERT_WEBHOOK",
        flag: "alert-webhook",
        shape: "ADDRESS",
        default: "off",
        meaning: "Where this process itself sends an alert when the edge is missed, and when it is back: a POST of JSON. `off`: \
                  the log is all.",
        secret: true,
        apply: |config, text| webhook_or_off(text).map(|v| config.alert_webhook = v),
    },
    Setting {
        variable: "HEAPBEAT_HEAP_PROFILE",
        flag: "heap-profile",
        shape: "SWITCH",
        default: "off",
        meaning: "`on`: call stacks are taken from the start, so that a signed /debug/heap shows all that is held. Without it \
                  they are taken while somebody asks with ?seconds=30, and what was allocated before is not shown.",
        secret: false,
        apply: |config, text| parse::heap_profile(text).map(|v| config.heap_profile = v),
    },
    Setting {
        variable: "HEAPBEAT_SAMPLE_INTERVAL",
        flag: "sample-interval",
        shape: "DURATION",
        default: "1s",
        meaning: "Time between two samples of memory while it is calm.",
        secret: false,
        apply: |config, text| parse::duration(text, 50 * MILLI..=MINUTE).map(|v| config.sample_interval = v),
    },
    Setting {
        variable: "HEAPBEAT_LOG_INTERVAL",
        flag: "log-interval",
        shape: "DURATION",
        default: "30s",
        meaning: "Time between two lines of memory figures in the log.",
        secret: false,
        apply: |config, text| parse::duration(text, SECOND..=24 * HOUR).map(|v| config.log_interval = v),
    },
    Setting {
        variable: "HEAPBEAT_LOG",
        flag: "log",
        shape: "FILTER",
        default: "info",
        meaning: "Which events are logged: a level, or levels by module such as info,heapbeat::http=debug.",
        secret: false,
        apply: |config, text| text.parse::<LogFilter>().map(|v| config.log = v),
    },
    Setting {
        variable: "HEAPBEAT_LOG_FORMAT",
        flag: "log-format",
        shape: "FORMAT",
        default: "auto",
        meaning: "How the log is written: text, json, or auto for text on a terminal and JSON lines otherwise.",
        secret: false,
        apply: |config, text| text.parse::<LogFormat>().map(|v| config.log_format = v),
    },
    Setting {
        variable: "HEAPBEAT_MAX_BODY",
        flag: "max-body",
        shape: "SIZE",
        default: "2MB",
        meaning: "Largest request body; a larger one is answered with 413.",
        secret: false,
        apply: |config, text| {
            parse::size(text, Bytes(0)..=Bytes::from_mb(1 << 20)).map(|v| config.http.max_body = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_MAX_HEADER",
        flag: "max-header",
        shape: "SIZE",
        default: "16kB",
        meaning: "Largest request head (request line and headers; at most 100 of them); a larger one is answered with \
                  431.",
        secret: false,
        apply: |config, text| {
            parse::size(text, Bytes(1 << 10)..=Bytes::from_mb(1)).map(|v| config.http.max_header = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_HEADER_TIMEOUT",
        flag: "header-timeout",
        shape: "DURATION",
        default: "10s",
        meaning: "Time for a complete request head, from the start of the connection or the head's first byte; then \
                  the connection is closed.",
        secret: false,
        apply: |config, text| {
            parse::duration(text, 10 * MILLI..=HOUR).map(|v| config.http.header_timeout = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_BODY_TIMEOUT",
        flag: "body-timeout",
        shape: "DURATION",
        default: "15s",
        meaning: "Longest wait for the next piece of a request body; then 408.",
        secret: false,
        apply: |config, text| parse::duration(text, 10 * MILLI..=HOUR).map(|v| config.http.body_timeout = v),
    },
    Setting {
        variable: "HEAPBEAT_REQUEST_TIMEOUT",
        flag: "request-timeout",
        shape: "DURATION",
        default: "60s",
        meaning: "Longest time to the beginning of an answer, the request's body included; then 503, and the handler \
                  is dropped. `off` waits for ever.",
        secret: false,
        apply: |config, text| {
            parse::duration_or_off(text, 10 * MILLI..=24 * HOUR).map(|v| config.http.request_timeout = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_IDLE_TIMEOUT",
        flag: "idle-timeout",
        shape: "DURATION",
        default: "120s",
        meaning: "How long a connection may wait for its next request. Longer than the balancer's own, or the balancer \
                  sends requests into a connection that is being closed.",
        secret: false,
        apply: |config, text| {
            parse::duration(text, 10 * MILLI..=24 * HOUR).map(|v| config.http.idle_timeout = v)
        },
    },
    Setting {
        variable: "HEAPBEAT_WRITE_TIMEOUT",
        flag: "write-timeout",
        shape: "DURATION",
        default: "30s",
        meaning: "How long a client may take none of an answer that is ready for it; then the connection is closed.",
        secret: false,
        apply: |config, text| parse::duration(text, 10 * MILLI..=HOUR).map(|v| config.http.write_timeout = v),
    },
    Setting {
        variable: "HEAPBEAT_MAX_CONNECTIONS",
        flag: "max-connections",
        shape: "NUMBER",
        default: "1024",
        meaning: "Connections at the same time. A few more are taken for /health alone; everything else gets 503 on \
                  them, and beyond those, connections wait in the kernel's queue.",
        secret: false,
        apply: |config, text| parse::count(text, 1..=1_000_000).map(|v| config.http.max_connections = v),
    },
    Setting {
        variable: "HEAPBEAT_DRAIN_WINDOW",
        flag: "drain-window",
        shape: "DURATION",
        default: "2s",
        meaning: "After SIGTERM, how long new connections are still taken while /health/ready says 503, so that a \
                  balancer can notice. SIGINT (Ctrl-C) skips it.",
        secret: false,
        apply: |config, text| parse::duration(text, Duration::ZERO..=HOUR).map(|v| config.drain_window = v),
    },
    Setting {
        variable: "HEAPBEAT_DRAIN_TIMEOUT",
        flag: "drain-timeout",
        shape: "DURATION",
        default: "25s",
        meaning: "From the signal to the end, the window included; what is still in flight then is cut. Render kills \
                  after 30 s.",
        secret: false,
        apply: |config, text| parse::duration(text, 10 * MILLI..=24 * HOUR).map(|v| config.drain_timeout = v),
    },
];

/// A configuration to be filled from the table's defaults.
pub(super) fn blank() -> Config {
    Config {
        port: 0,
        host: None,
        memory_limit: None,
        marks: Thresholds::default(),
        observe_only: false,
        attribution: true,
        request_budget: None,
        hang_timeout: SECOND,
        flight: FlightPlace::Auto,
        unguarded: false,
        secrets: Secrets::default(),
        metrics: Metrics::default(),
        watcher_silence: Patience::default(),
        alert_webhook: None,
        heap_profile: false,
        sample_interval: SECOND,
        log_interval: SECOND,
        log: LogFilter(tracing_subscriber::filter::Targets::new()),
        log_format: LogFormat::Auto,
        http: HttpLimits {
            max_body: Bytes::ZERO,
            max_header: Bytes::ZERO,
            header_timeout: SECOND,
            body_timeout: SECOND,
            request_timeout: None,
            idle_timeout: SECOND,
            write_timeout: SECOND,
            max_connections: 1,
        },
        drain_window: Duration::ZERO,
        drain_timeout: SECOND,
    }
}
