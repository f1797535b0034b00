//! One monitor, as a type that holds only valid values; its settings depend on its kind.

use std::num::NonZeroU16;
use std::time::Duration;

use super::{HttpUrl, MonitorId, SecretName, TcpAddress};
use crate::condition::{Condition, Placeholder};
use crate::schedule::Schedule;

/// One thing to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Its id, unique.
    pub id: MonitorId,
    /// Its name for people; the id where none is given.
    pub name: String,
    /// What is asked, and where.
    pub target: Target,
    /// How often.
    pub interval: Duration,
    /// How long one probe may take, redirects and body included.
    pub timeout: Duration,
    /// Further tries within one probe, while there is time left, before a failure counts.
    pub retries: u8,
    /// What has to hold for it to be up.
    pub conditions: Vec<Condition>,
    /// What has to hold, besides, for it not to be degraded.
    pub degraded: Vec<Condition>,
    /// Verdicts in a row before the state changes.
    pub thresholds: Thresholds,
    /// The heading it stands under.
    pub group: Option<String>,
    /// Monitors that this one depends on: while one of them has an incident, no alert is sent for this one.
    pub depends_on: Vec<MonitorId>,
    /// From where it is asked besides, of [`super::REGIONS`].
    pub regions: Vec<&'static str>,
    /// The alert channels; `None` is all of them.
    pub alerts: Option<Vec<MonitorId>>,
    /// Whether the monitor is public; otherwise only the owner sees it.
    pub public: bool,
}

/// What a monitor is, without what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body of `GET /health`.
    Heapbeat,
    /// Anything that speaks HTTP.
    Http,
    /// Anything that takes a connection.
    Tcp,
    /// A job that sends heartbeats.
    Heartbeat,
}

/// What is asked, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `GET` of a heapbeat server's `/health`.
    Heapbeat {
        /// Where.
        url: HttpUrl,
        /// The Worker secret that the server shares with us; [`super::DEFAULT_SECRET`] where none is named.
        secret: Option<SecretName>,
        /// Whether anybody may know which route makes memory grow.
        public_routes: bool,
    },
    /// A request.
    Http(Box<HttpCheck>),
    /// A connection, without a byte.
    Tcp(TcpAddress),
    /// No request is made: the job calls `POST /api/v1/heartbeats/{id}`.
    Heartbeat(Heartbeat),
}

/// A request, and what to make of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// Where.
    pub url: HttpUrl,
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE` or `OPTIONS`.
    pub method: &'static str,
    /// What is sent besides what every probe says of itself.
    pub headers: Vec<Header>,
    /// What is sent as the body.
    pub body: Option<String>,
    /// Whether redirects are followed; else a redirect is the answer.
    pub follow_redirects: bool,
    /// Longest body that is read, in bytes, where a condition asks about it.
    pub max_body: usize,
}

/// A header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, as written.
    pub name: String,
    /// Its value, or where it is.
    pub value: HeaderValue,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// It stands in the configuration.
    Plain(String),
    /// What a Worker secret holds, behind `prefix` (such as `Bearer `).
    Secret {
        /// The secret's name.
        name: SecretName,
        /// What stands before it.
        prefix: String,
    },
}

/// What a job promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When it runs.
    pub rhythm: Rhythm,
    /// How late it may be.
    pub grace: Duration,
    /// Longest time of one run, for a job that reports its start; unlimited where it is not set.
    pub longest_run: Option<Duration>,
}

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the last time.
    Every(Duration),
    /// When a cron expression says so.
    Cron(Schedule),
}

/// Verdicts in a row that it takes to change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures in a row before `down`.
    pub failure: NonZeroU16,
    /// Successes in a row before `down` is over.
    pub success: NonZeroU16,
}

impl Monitor {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.target {
            Target::Heapbeat { .. } => Kind::Heapbeat,
            Target::Http(_) => Kind::Http,
            Target::Tcp(_) => Kind::Tcp,
            Target::Heartbeat(_) => Kind::Heartbeat,
        }
    }

    /// Whether anybody may know which route makes memory grow.
    pub fn shows_routes(&self) -> bool {
        matches!(self.target, Target::Heapbeat { public_routes: true, .. })
    }

    /// Whether anybody wants to see the body of its answers.
    pub fn reads_body(&self) -> bool {
        let mut conditions = self.conditions.iter().chain(&self.degraded);
        self.kind() == Kind::Heapbeat || conditions.any(|condition| condition.asks_about(Placeholder::Body))
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Heapbeat, Kind::Http, Kind::Tcp, Kind::Heartbeat];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Heapbeat => "heapbeat",
            Kind::Http => "http",
            Kind::Tcp => "tcp",
            Kind::Heartbeat => "heartbeat",
        }
    }
}
