//! The table of settings. The default of each setting is here and nowhere else: [`Config::default`] reads it from the table.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::host_names::{HostNames, host_names};
use super::parse::{self, EdgeTimeout, FlightDirectory, LogFormat, Parsed};
use super::thresholds::{HYSTERESIS, Threshold, Thresholds};
use super::webhook::webhook_or_off;
use super::{Config, HttpLimits, LogFilter, MetricsConfig, Secrets};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Name of the environment variable.
    pub variable: &'static str,
    /// Name of the flag, without dashes.
    pub flag: &'static str,
    /// Placeholder for a value in help texts, such as `SIZE`.
    pub value_name: &'static str,
    /// The value that holds when none is given, as text.
    pub default: &'static str,
    /// What the setting does, in one to three sentences.
    pub help: &'static str,
    /// Whether the value is a secret: it is not accepted as a flag, as every user of the machine can read command lines, and not
    /// shown in errors.
    pub secret: bool,
    /// Parses a value into its field, or returns what is expected instead.
    read: fn(&mut Config, &str) -> Parsed<()>,
}

impl Setting {
    /// Parses `text` into its field of `config`, or returns what is expected instead.
    pub(super) fn apply(&self, config: &mut Config, text: &str) -> Parsed<()> {
        (self.read)(config, text)
    }
}

/// A row of the table: variable, flag, placeholder, default, help, parser.
const fn setting(
    [variable, flag, value_name, default]: [&'static str; 4],
    help: &'static str,
    read: fn(&mut Config, &str) -> Parsed<()>,
) -> Setting {
    Setting { variable, flag, value_name, default, help, secret: false, read }
}

/// A row for a secret, which is off by default.
const fn secret(
    [variable, flag, value_name]: [&'static str; 3],
    help: &'static str,
    read: fn(&mut Config, &str) -> Parsed<()>,
) -> Setting {
    Setting { variable, flag, value_name, default: "off", help, secret: true, read }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// All settings, in the order in which the documentation explains them.
pub const SETTINGS: &[Setting] = &[
    setting(
        ["PORT", "port", "PORT", "8080"],
        "TCP port to listen on. With 0 the system chooses a free one, which the log names.",
        |config, text| parse::port(text).map(|v| config.port = v),
    ),
    setting(
        ["HEAPBEAT_HOST", "host", "ADDRESS", "any"],
        "Address to listen on. `any` is all addresses, IPv4 and IPv6.",
        |config, text| parse::host(text).map(|v| config.host = v),
    ),
    setting(
        ["HEAPBEAT_MEMORY_LIMIT", "memory-limit", "SIZE", "auto"],
        "Memory limit of the process. `auto` is the limit of the cgroup, else the memory of the machine, but at most 1024MB. A \
         limit that the kernel enforces is never exceeded, whatever is set here.",
        |config, text| {
            let range = Bytes::from_mb(16)..=Bytes::from_mb(1 << 24);
            parse::size_or("auto", text, range).map(|v| config.memory_limit = v)
        },
    ),
    setting(
        ["HEAPBEAT_ALERT_AT", "alert-at", "THRESHOLD", "78.125%"],
        "Memory at which a warning is logged, as a share of the limit or a size.",
        |config, text| parse::threshold(text).map(|v| config.thresholds.alert = v),
    ),
    setting(
        ["HEAPBEAT_PURGE_AT", "purge-at", "THRESHOLD", "87.8906%"],
        "Memory at which caches shrink and the allocator returns unused memory, as a share of the limit or a size.",
        |config, text| parse::threshold(text).map(|v| config.thresholds.purge = v),
    ),
    setting(
        ["HEAPBEAT_RECYCLE_AT", "recycle-at", "THRESHOLD", "93.75%"],
        "Memory at which a replacement worker takes over from the running one, as a share of the limit or a size. Without a \
         supervisor, the server begins to refuse requests here.",
        |config, text| parse::threshold(text).map(|v| config.thresholds.recycle = v),
    ),
    setting(
        ["HEAPBEAT_SHED_AT", "shed-at", "THRESHOLD", "96.875%"],
        "Memory at which new requests are refused by priority, as a share of the limit or a size.",
        |config, text| parse::threshold(text).map(|v| config.thresholds.shed = v),
    ),
    setting(
        ["HEAPBEAT_OBSERVE_ONLY", "observe-only", "SWITCH", "off"],
        "`on`: the guard logs what it would do about memory, and does nothing.",
        |config, text| parse::switch(text).map(|v| config.observe_only = v),
    ),
    setting(
        ["HEAPBEAT_ATTRIBUTION", "attribution", "SWITCH", "on"],
        "Attributes memory to routes: allocations of their requests, and live bytes.",
        |config, text| parse::switch(text).map(|v| config.attribution = v),
    ),
    setting(
        ["HEAPBEAT_REQUEST_BUDGET", "request-budget", "SIZE", "off"],
        "Memory that one request may allocate in total, freed or not. A request that needs more fails with 507. `off`: any \
         amount.",
        |config, text| {
            let range = Bytes(64 << 10)..=Bytes::from_mb(1 << 24);
            parse::size_or("off", text, range).map(|v| config.request_budget = v)
        },
    ),
    secret(
        ["HEAPBEAT_SECRET", "secret", "SECRET"],
        "Secret that requests for the full report of /health are signed with, at least 16 bytes. `off`: there is no report, and \
         all clients get only the public part.",
        |config, text| parse::secret_or_off(text).map(|v| config.secrets.current = v),
    ),
    secret(
        ["HEAPBEAT_SECRET_PREVIOUS", "secret-previous", "SECRET"],
        "Previous secret, which is accepted in addition during rotation.",
        |config, text| parse::secret_or_off(text).map(|v| config.secrets.previous = v),
    ),
    setting(
        ["HEAPBEAT_HOSTS", "hosts", "NAMES", "auto"],
        "Names by which clients reach this server, such as api.example.com,http://10.0.0.5:8080: a signed request has to name one of \
         them. `auto`: the names that Render, Fly, Railway, Koyeb, Heroku and others give by variables; `learn`: the name in the first \
         signed request after a start. localhost and addresses of loopback are always among them.",
        |config, text| host_names(text).map(|v| config.hosts = v),
    ),
    setting(
        ["HEAPBEAT_HANG_TIMEOUT", "hang-timeout", "DURATION", "10s"],
        "Time without a heartbeat after which a worker counts as hung, is killed, and is replaced.",
        |config, text| parse::duration(text, SECOND..=HOUR).map(|v| config.hang_timeout = v),
    ),
    setting(
        ["HEAPBEAT_RESTARTS_PER_MINUTE", "restarts-per-minute", "NUMBER", "60"],
        "Restarts after failures in any minute. Half of them may follow each other at once, the others are spread evenly over \
         the minute.",
        |config, text| {
            parse::count(text, 1..=6000).map(|v| config.restarts_per_minute = u32::try_from(v).unwrap_or(1))
        },
    ),
    setting(
        ["HEAPBEAT_FLIGHT_DIR", "flight-dir", "DIRECTORY", "auto"],
        "Directory of the flight recorder, from which the next instance learns how the last one exited. `auto` is a directory \
         for this port in `XDG_RUNTIME_DIR`, or for this user and port in the system's directory for temporary files (with port 0: `off`). `off` keeps the recorder in \
         memory, where it outlives a worker but not the supervisor.",
        |config, text| parse::flight_directory(text).map(|v| config.flight = v),
    ),
    setting(
        ["HEAPBEAT_UNGUARDED", "unguarded", "SWITCH", "off"],
        "`on`: emergency rollback. Runs the same backend in one process without supervisor and guard; serves only /health.",
        |config, text| parse::switch(text).map(|v| config.unguarded = v),
    ),
    setting(
        ["HEAPBEAT_METRICS", "metrics", "ACCESS", "owner"],
        "Who may read /metrics. `owner`: requests with a signature or the token; `public`: all requests. With `off`, /metrics is \
         routed to the application.",
        |config, text| parse::metrics_access(text).map(|v| config.metrics.access = v),
    ),
    secret(
        ["HEAPBEAT_METRICS_TOKEN", "metrics-token", "SECRET"],
        "Token that a scraper of /metrics may send as `Authorization: Bearer` instead of a signature, at least 16 bytes.",
        |config, text| parse::secret_or_off(text).map(|v| config.metrics.token = v),
    ),
    setting(
        ["HEAPBEAT_EDGE_TIMEOUT", "edge-timeout", "DURATION", "auto"],
        "Time without a signed request for /health after which the server logs a warning and sends an alert. `auto` is three \
         times the usual interval, and at least three minutes; `off`: never.",
        |config, text| parse::edge_timeout(text, SECOND..=31 * DAY).map(|v| config.edge_timeout = v),
    ),
    secret(
        ["HEAPBEAT_ALERT_WEBHOOK", "alert-webhook", "URL"],
        "Webhook that the server itself alerts when the probes of the edge stop, and when they resume: a POST of JSON. `off`: \
         log only.",
        |config, text| webhook_or_off(text).map(|v| config.alert_webhook = v),
    ),
    setting(
        ["HEAPBEAT_HEAP_PROFILE", "heap-profile", "SWITCH", "off"],
        "`on`: records call stacks from the start, so that a signed /debug/heap shows all live memory. Otherwise they are \
         recorded during a request with ?seconds=30, and earlier allocations are not shown.",
        |config, text| parse::heap_profile(text).map(|v| config.heap_profile = v),
    ),
    setting(
        ["HEAPBEAT_SAMPLE_INTERVAL", "sample-interval", "DURATION", "1s"],
        "Time between two samples of memory while pressure is calm.",
        |config, text| parse::duration(text, 50 * MILLISECOND..=MINUTE).map(|v| config.sample_interval = v),
    ),
    setting(
        ["HEAPBEAT_LOG_INTERVAL", "log-interval", "DURATION", "30s"],
        "Time between two log lines with memory metrics.",
        |config, text| parse::duration(text, SECOND..=DAY).map(|v| config.log_interval = v),
    ),
    setting(
        ["HEAPBEAT_LOG", "log", "FILTER", "info"],
        "Events that are logged: a level, or levels by module such as info,heapbeat::http=debug.",
        |config, text| text.parse::<LogFilter>().map(|v| config.log = v),
    ),
    setting(
        ["HEAPBEAT_LOG_FORMAT", "log-format", "FORMAT", "auto"],
        "Format of the log: text, json, or auto for text on a terminal and JSON lines otherwise.",
        |config, text| text.parse::<LogFormat>().map(|v| config.log_format = v),
    ),
    setting(
        ["HEAPBEAT_MAX_BODY", "max-body", "SIZE", "2MB"],
        "Largest request body. A larger one gets 413.",
        |config, text| {
            parse::size(text, Bytes(0)..=Bytes::from_mb(1 << 20)).map(|v| config.http.max_body = v)
        },
    ),
    setting(
        ["HEAPBEAT_MAX_HEADER", "max-header", "SIZE", "16kB"],
        "Largest request head (the request line and at most 100 headers). A larger one gets 431.",
        |config, text| {
            parse::size(text, Bytes(1 << 10)..=Bytes::from_mb(1)).map(|v| config.http.max_header = v)
        },
    ),
    setting(
        ["HEAPBEAT_HEADER_TIMEOUT", "header-timeout", "DURATION", "10s"],
        "Time for a complete request head, from the start of the connection or the first byte of the head. Then the connection \
         is closed.",
        |config, text| parse::duration(text, 10 * MILLISECOND..=HOUR).map(|v| config.http.header_timeout = v),
    ),
    setting(
        ["HEAPBEAT_BODY_TIMEOUT", "body-timeout", "DURATION", "15s"],
        "Longest wait for the next part of a request body. Then the client gets 408.",
        |config, text| parse::duration(text, 10 * MILLISECOND..=HOUR).map(|v| config.http.body_timeout = v),
    ),
    setting(
        ["HEAPBEAT_REQUEST_TIMEOUT", "request-timeout", "DURATION", "60s"],
        "Longest time until the response begins, including the time for the request body. Then the client gets 503, and the \
         handler is cancelled. `off` waits without limit.",
        |config, text| {
            parse::duration_or_off(text, 10 * MILLISECOND..=DAY).map(|v| config.http.request_timeout = v)
        },
    ),
    setting(
        ["HEAPBEAT_IDLE_TIMEOUT", "idle-timeout", "DURATION", "120s"],
        "Longest time that a connection waits for its next request. It should be longer than the load balancer's own timeout, or \
         the balancer sends requests into connections that are being closed.",
        |config, text| parse::duration(text, 10 * MILLISECOND..=DAY).map(|v| config.http.idle_timeout = v),
    ),
    setting(
        ["HEAPBEAT_WRITE_TIMEOUT", "write-timeout", "DURATION", "30s"],
        "Longest time that a client may accept no part of a response, and from which it has to take 1 kB a second on average. Then the \
         connection is closed.",
        |config, text| parse::duration(text, 10 * MILLISECOND..=HOUR).map(|v| config.http.write_timeout = v),
    ),
    setting(
        ["HEAPBEAT_MAX_CONNECTIONS", "max-connections", "NUMBER", "1024"],
        "Connections at the same time. A few more are accepted for /health alone, other requests on them get 503; beyond those, \
         connections wait in the kernel's queue.",
        |config, text| parse::count(text, 1..=1_000_000).map(|v| config.http.max_connections = v),
    ),
    setting(
        ["HEAPBEAT_DRAIN_WINDOW", "drain-window", "DURATION", "2s"],
        "Time after SIGTERM during which new connections are still accepted while /health/ready says 503, so that a load \
         balancer can notice. SIGINT (Ctrl-C) skips it.",
        |config, text| parse::duration(text, Duration::ZERO..=HOUR).map(|v| config.drain_window = v),
    ),
    setting(
        ["HEAPBEAT_DRAIN_TIMEOUT", "drain-timeout", "DURATION", "25s"],
        "Time from the signal to the exit, the window included. Requests that are still in flight then are cut off. Render kills \
         after 30 s.",
        |config, text| parse::duration(text, 10 * MILLISECOND..=DAY).map(|v| config.drain_timeout = v),
    ),
];

/// A configuration that the defaults of the table are read into.
pub(super) fn unset() -> Config {
    Config {
        port: 0,
        host: None,
        memory_limit: None,
        thresholds: Thresholds {
            alert: Threshold::Share(0),
            purge: Threshold::Share(0),
            recycle: Threshold::Share(0),
            shed: Threshold::Share(0),
            hysteresis: HYSTERESIS,
        },
        observe_only: false,
        attribution: true,
        request_budget: None,
        hang_timeout: SECOND,
        restarts_per_minute: 1,
        flight: FlightDirectory::Auto,
        unguarded: false,
        secrets: Secrets::default(),
        hosts: HostNames::Auto,
        metrics: MetricsConfig::default(),
        edge_timeout: EdgeTimeout::default(),
        alert_webhook: None,
        heap_profile: false,
        sample_interval: SECOND,
        log_interval: SECOND,
        log: LogFilter::default(),
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
