//! One monitor, as a type that holds only valid values. Its settings depend on its kind.

use std::num::NonZeroU16;
use std::time::Duration;

use super::{DnsQuery, HttpUrl, MonitorId, SecretName, TcpAddress, registered_domain};
use crate::condition::{Condition, Placeholder};
use crate::schedule::Schedule;

/// A monitored target, with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// The id, unique.
    pub id: MonitorId,
    /// The displayed name; the id if none is given.
    pub name: String,
    /// The target of the probes.
    pub target: Target,
    /// Time between two probes.
    pub interval: Duration,
    /// Longest time of one probe, with redirects and body.
    pub timeout: Duration,
    /// Retries within one probe, as long as its timeout allows, before a failure counts.
    pub retries: u8,
    /// Conditions that must hold for the state `up`.
    pub conditions: Vec<Condition>,
    /// Conditions that must hold as well, or the state is `degraded`.
    pub degraded: Vec<Condition>,
    /// Consecutive results that change the state.
    pub thresholds: CheckThresholds,
    /// The group on the status page.
    pub group: Option<String>,
    /// Monitors that this one depends on: while one of them has an incident, no alert is sent for this one.
    pub depends_on: Vec<MonitorId>,
    /// Additional regions that it is probed from, of [`super::REGIONS`].
    pub regions: Vec<&'static str>,
    /// The alert channels; `None` means all.
    pub alerts: Option<Vec<MonitorId>>,
    /// Whether the monitor is public; otherwise only the owner sees it.
    pub public: bool,
}

/// The kind of a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorKind {
    /// A heapbeat server: `GET /health`.
    Heapbeat,
    /// Any HTTP server.
    Http,
    /// Any server that accepts TCP connections.
    Tcp,
    /// A name, looked up by DNS.
    Dns,
    /// A job that sends heartbeats.
    Heartbeat,
}

/// The target of the probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `GET` of a heapbeat server's `/health`.
    Heapbeat {
        /// The address.
        url: HttpUrl,
        /// The Worker secret with the server's `HEAPBEAT_SECRET`; [`super::DEFAULT_SECRET`] if none is named.
        secret: Option<SecretName>,
        /// Whether the route that makes memory grow is public.
        public_routes: bool,
    },
    /// An HTTP request.
    Http(Box<HttpCheck>),
    /// A TCP connection; nothing is sent.
    Tcp(TcpAddress),
    /// A DNS query, asked by HTTPS.
    Dns(DnsQuery),
    /// No request is made: the job calls `POST /api/v1/heartbeats/{id}`.
    Heartbeat(Heartbeat),
}

/// An HTTP request, and how its response is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// The address.
    pub url: HttpUrl,
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`.
    pub method: &'static str,
    /// Headers besides those of every probe.
    pub headers: Vec<Header>,
    /// The request body.
    pub body: Option<String>,
    /// Whether redirects are followed; otherwise a redirect is the response.
    pub follow_redirects: bool,
    /// Most bytes of the response body that are read, if a condition uses the body.
    pub max_body: usize,
}

/// A header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name, as written.
    pub name: String,
    /// The value.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// A value from the configuration.
    Literal(String),
    /// The value of a Worker secret after `prefix`, such as `Bearer `.
    Secret {
        /// The name of the secret.
        name: SecretName,
        /// Text before the value of the secret.
        prefix: String,
    },
}

/// The expected heartbeats of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When the job runs.
    pub schedule: HeartbeatSchedule,
    /// How late a heartbeat may be.
    pub grace: Duration,
    /// Longest time of one run, for a job that reports its start; `None` is unlimited.
    pub max_runtime: Option<Duration>,
}

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeartbeatSchedule {
    /// This long after the previous heartbeat.
    Every(Duration),
    /// At the times of a cron expression.
    Cron(Schedule),
}

/// Consecutive results that change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckThresholds {
    /// Consecutive failures before `down`.
    pub failure: NonZeroU16,
    /// Consecutive successes before `up`.
    pub success: NonZeroU16,
}

impl Monitor {
    /// Returns the kind.
    pub fn kind(&self) -> MonitorKind {
        match self.target {
            Target::Heapbeat { .. } => MonitorKind::Heapbeat,
            Target::Http(_) => MonitorKind::Http,
            Target::Tcp(_) => MonitorKind::Tcp,
            Target::Dns(_) => MonitorKind::Dns,
            Target::Heartbeat(_) => MonitorKind::Heartbeat,
        }
    }

    /// Returns the Worker secrets that the configuration names.
    pub fn secrets(&self) -> Vec<&SecretName> {
        fn of_header(header: &Header) -> Option<&SecretName> {
            match &header.value {
                HeaderValue::Secret { name, .. } => Some(name),
                HeaderValue::Literal(_) => None,
            }
        }
        match &self.target {
            Target::Heapbeat { secret, .. } => secret.iter().collect(),
            Target::Http(check) => check.headers.iter().filter_map(of_header).collect(),
            Target::Tcp(_) | Target::Dns(_) | Target::Heartbeat(_) => Vec::new(),
        }
    }

    /// Returns whether the route that makes memory grow is public.
    pub fn shows_routes(&self) -> bool {
        matches!(self.target, Target::Heapbeat { public_routes: true, .. })
    }

    /// Returns the names of the headers that conditions ask for, in lower case, with duplicates.
    pub fn observed_headers(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().chain(&self.degraded).flat_map(Condition::headers)
    }

    /// Returns the registered domain of the target, if it has one.
    pub fn domain(&self) -> Option<String> {
        let host = match &self.target {
            Target::Heapbeat { url, .. } => url.host(),
            Target::Http(check) => check.url.host(),
            Target::Tcp(address) => address.host(),
            Target::Dns(query) => &query.name,
            Target::Heartbeat(_) => return None,
        };
        registered_domain(host)
    }

    /// Returns the registered domain of the target if conditions ask when it expires.
    pub fn observed_domain(&self) -> Option<String> {
        let mut conditions = self.conditions.iter().chain(&self.degraded);
        conditions
            .any(|condition| condition.uses(Placeholder::DomainExpiration))
            .then(|| self.domain())
            .flatten()
    }

    /// Returns whether the response body is needed: by a condition, or as the target is a heapbeat server.
    pub fn reads_body(&self) -> bool {
        let mut conditions = self.conditions.iter().chain(&self.degraded);
        self.kind() == MonitorKind::Heapbeat || conditions.any(|condition| condition.uses(Placeholder::Body))
    }
}

impl MonitorKind {
    /// Every kind.
    pub const ALL: [MonitorKind; 5] = [
        MonitorKind::Heapbeat,
        MonitorKind::Http,
        MonitorKind::Tcp,
        MonitorKind::Dns,
        MonitorKind::Heartbeat,
    ];

    /// Returns the name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            MonitorKind::Heapbeat => "heapbeat",
            MonitorKind::Http => "http",
            MonitorKind::Tcp => "tcp",
            MonitorKind::Dns => "dns",
            MonitorKind::Heartbeat => "heartbeat",
        }
    }
}
