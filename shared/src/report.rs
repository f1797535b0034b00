//! The signed report: the response to `GET /health?after=<cursor>` with a valid signature.
//!
//! The report begins with the fields of the public body, so that its parsers accept it, and contains everything since the
//! cursor, so that an edge that missed an hour of ticks needs one request. Lists are bounded where they are written ([`MAX_EVENTS`],
//! [`MAX_ROUTES`]) and again where they are read.

mod top_route;

use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, InstanceId};
use crate::event::{Event, cut};
use crate::exit::Exit;
use crate::forecast::Assessment;
use crate::health::{Health, HealthMemory, Status};
use crate::pressure::Pressure;
use crate::sample::Sample;
use crate::series;
use crate::series::{Series, SeriesError};
use crate::units::{Bytes, UnixMillis};

pub use top_route::{TopRoute, describe_top_route, top_route};

/// Size limit of a report that [`Report::parse`] accepts, in bytes. A full hour of samples takes about 30 kB.
pub const MAX_REPORT: usize = 256 * 1024;

/// Beginning of the `User-Agent` of `heapbeat check-memory`. A server does not count its requests as those of the edge.
pub const CHECK_MEMORY_USER_AGENT: &str = "heapbeat-check-memory/";

/// Most events in a report.
pub const MAX_EVENTS: usize = 64;

/// Most routes in a report: those that grow fastest.
pub const MAX_ROUTES: usize = 20;

/// Most exits in [`EarlierInstances::exits`].
pub const MAX_EARLIER_EXITS: usize = 8;

/// Maximum number of functions in a report.
pub const MAX_FUNCTIONS: usize = 10;

/// Most instances in [`Report::instances`].
pub const MAX_INSTANCES: usize = 64;

/// Most sources in [`Report::unavailable_sources`].
pub const MAX_UNAVAILABLE_SOURCES: usize = 32;

/// The signed report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The same as in the public body.
    pub status: Status,
    /// The same as in the public body.
    pub memory: HealthMemory,
    /// The same as in the public body: whole seconds since the process started.
    pub uptime: u64,
    /// The instance: this run of the process.
    pub instance: InstanceId,
    /// The build that runs: a commit or a version.
    pub version: String,
    /// The time at which the process started.
    pub started: UnixMillis,
    /// The server's clock when the report was written.
    pub now: UnixMillis,
    /// The memory limit in force.
    pub limit: Limit,
    /// The pressure level.
    pub pressure: PressureState,
    /// The last sample; [`Sample::is_absent`] while this instance starts and the one before it is shown: status, memory and uptime are
    /// then those of that one.
    pub latest: Sample,
    /// Figures of the process and its machine besides memory.
    pub system: System,
    /// The recent events, oldest first.
    pub events: Vec<Event>,
    /// Memory by route, fastest growing first.
    pub routes: Vec<RouteReport>,
    /// The functions of a guarded program whose live memory grows, fastest first, while memory is above the alert threshold or leaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionReport>,
    /// The leak forecast.
    pub forecast: Assessment,
    /// The samples after the requested cursor.
    pub samples: Block,
    /// The sources of figures that this machine does not have.
    pub unavailable_sources: Vec<String>,
    /// The exit of the instance that served before this one; absent while that one still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_exit: Option<Exit>,
    /// The other instances before this one.
    #[serde(default, skip_serializing_if = "EarlierInstances::is_empty")]
    pub earlier: EarlierInstances,
    /// The samples after the requested cursor, if it belongs to an earlier instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_samples: Option<LastSamples>,
    /// The instances of a guarded program that run, if there are several, in the order of their starts. The figures of the report are those
    /// of the instances that serve, together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceReport>,
    /// The requests that passed through the front of a guarded program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// One of several instances of a guarded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance.
    pub instance: InstanceId,
    /// Its number since the guard started, from 1, as the log has it.
    pub number: u32,
    /// When it started.
    pub started: UnixMillis,
    /// Its memory.
    pub memory: Bytes,
    /// Whether it gets new requests; otherwise it starts or drains.
    pub serves: bool,
}

/// Requests to a guarded program, all instances together, since the guard started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests in flight, those that wait for the program included.
    pub in_flight: u64,
    /// Requests that wait for the program.
    pub waiting: u64,
    /// Requests that ended, however they ended.
    pub requests: u64,
    /// Requests that the program did not answer and that could not be repeated.
    pub failed: u64,
    /// Requests that were shed because of memory pressure.
    pub shed: u64,
    /// Median time until the head of the response within the last minutes, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p50_ms: Option<f64>,
    /// 99th percentile of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p99_ms: Option<f64>,
    /// By method and path pattern, at most [`MAX_ROUTES`]: those with requests in flight first, then those with most requests.
    pub routes: Vec<RouteTraffic>,
}

/// Requests of one method and path pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteTraffic {
    /// Method and path pattern, such as `GET /users/:id`.
    pub route: String,
    /// Requests in flight.
    pub in_flight: u64,
    /// Requests that ended.
    pub requests: u64,
    /// Requests that ended, by the class of their status: 1xx, 2xx, 3xx, 4xx, 5xx. The rest ended without an answer.
    pub statuses: [u64; 5],
    /// Mean time until the head of the response, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_mean_ms: Option<f64>,
}

impl RouteTraffic {
    /// Returns the requests that ended with a status of 500 or more.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.statuses[4]
    }
}

/// The instances before this one, as far as [`Report::previous_exit`] does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlierInstances {
    /// The number of earlier instances that still run: they finish their requests, and their exits are reported later.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub running: u32,
    /// Their exits without call stacks, in the order in which they became known, at most [`MAX_EARLIER_EXITS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<Exit>,
}

/// A memory limit and its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The limit.
    pub bytes: Bytes,
    /// The source of the limit, in words.
    pub origin: String,
}

/// The pressure level and the time it was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PressureState {
    /// The level.
    pub level: Pressure,
    /// The time at which the level was entered.
    pub since: UnixMillis,
    /// The share of new requests that are refused, in thousandths.
    pub shed: u16,
}

/// Figures besides memory; one that the machine does not have is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// Threads of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u64>,
    /// Open file descriptors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// CPU seconds used since the start, user and system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Anonymous part of the resident set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anon: Option<Bytes>,
    /// File and shared part of the resident set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Bytes>,
    /// Memory of the process that is swapped out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<Bytes>,
    /// Highest resident set so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<Bytes>,
    /// jemalloc's mapped extents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heap_mapped: Option<Bytes>,
    /// Address space that jemalloc keeps without memory behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heap_retained: Option<Bytes>,
    /// jemalloc's own bookkeeping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heap_metadata: Option<Bytes>,
    /// Memory charged to the cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_usage: Option<Bytes>,
    /// Memory of the cgroup that is swapped out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_swap: Option<Bytes>,
    /// Number of times that the cgroup was throttled at `memory.high`; version 1 does not count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_high: Option<u64>,
    /// Number of times that the cgroup was about to exceed its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_max: Option<u64>,
    /// Number of times that nothing could be reclaimed at the limit; version 1 does not count them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_oom: Option<u64>,
    /// OOM kills in the cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
    /// Share of the last ten seconds in which some task of the cgroup waited for memory, in percent (`some avg10` of PSI).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_stall_percent: Option<f64>,
    /// Share in which all tasks of the cgroup waited (`full avg10`), in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_stall_full_percent: Option<f64>,
    /// Share of the last ten seconds in which some task of the machine waited for memory, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_stall_percent: Option<f64>,
    /// Share in which all tasks of the machine waited, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_stall_full_percent: Option<f64>,
    /// The largest delay of a task of the async runtime within the last minute, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_delay_ms: Option<u64>,
}

/// Memory of one route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteReport {
    /// Method and matched path, such as `POST /upload`.
    pub route: String,
    /// Number of finished requests since the start.
    pub requests: u64,
    /// The recent request rate, per second.
    pub requests_per_second: f64,
    /// Mean bytes allocated per request.
    pub allocated_mean: Bytes,
    /// 99th percentile of the bytes allocated per request.
    pub allocated_p99: Bytes,
    /// Estimated bytes that the route holds now.
    pub live: Bytes,
    /// One standard error of `live`.
    pub live_error: Bytes,
    /// Growth of `live` in bytes per minute; absent until there is enough data.
    pub growth_per_minute: Option<f64>,
    /// One standard error of the growth.
    pub growth_error: Option<f64>,
}

/// A function of a guarded program whose live memory grows, as the agent in its process found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionReport {
    /// The function's name.
    pub function: String,
    /// Path of its file; empty for code of the runtime itself.
    pub file: String,
    /// Line in that file, from 1; 0 if unknown.
    pub line: u32,
    /// Live bytes that it allocated.
    pub live: Bytes,
    /// By how much they grew.
    pub growth: Bytes,
    /// Time over which they grew, in milliseconds.
    pub duration_ms: u64,
}

impl FunctionReport {
    /// Returns the function with the last part of its file's path and its line, such as `listOrders (orders.js:12)`.
    #[must_use]
    pub fn place(&self) -> String {
        let file = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        if file.is_empty() {
            return self.function.clone();
        }
        format!("{} ({file}:{})", self.function, self.line)
    }
}

/// Encoded samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Sequence number of the first sample; without samples, that of the next one.
    pub first: u64,
    /// Number of samples.
    pub count: u64,
    /// Number of samples that left the ring before they were requested: a gap right before `first`.
    pub dropped: u64,
    /// The samples as [`series`] encodes them, in base 64.
    #[serde(with = "base64")]
    pub data: Vec<u8>,
}

/// The last samples of an earlier instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSamples {
    /// The instance.
    pub instance: InstanceId,
    /// The samples.
    pub samples: Block,
}

/// The reason why a body is not a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The body is larger than [`MAX_REPORT`].
    #[error("the report has {0} bytes; at most {MAX_REPORT} are allowed")]
    TooLong(usize),
    /// The body is not JSON, or does not have the fields of a report.
    #[error("the body is not a report: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The samples cannot be decoded.
    #[error(transparent)]
    Samples(#[from] SeriesError),
    /// The counts contradict the samples.
    #[error("the report says {said} samples from {first}, the block has {has} from {has_first}")]
    Contradiction {
        /// Samples announced.
        said: u64,
        /// First sequence number announced.
        first: u64,
        /// Samples in the block.
        has: u64,
        /// First sequence number in the block.
        has_first: u64,
    },
    /// There are more events or routes than allowed.
    #[error("the report has {0} {1}; at most {2} are allowed")]
    TooMany(usize, &'static str, usize),
}

impl Report {
    /// Serializes the report as compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers, texts and fixed words always serialize")
    }

    /// Parses an untrusted report and decodes its samples. Everything is bounded and unknown fields are ignored. The samples of
    /// an earlier instance stay encoded; [`Block::series`] decodes them.
    pub fn parse(body: &[u8]) -> Result<(Self, Series), ReportError> {
        if body.len() > MAX_REPORT {
            return Err(ReportError::TooLong(body.len()));
        }
        let mut report: Report = serde_json::from_slice(body)?;
        report.previous_exit = report.previous_exit.map(Exit::bounded);
        report.earlier.exits.truncate(MAX_EARLIER_EXITS);
        report.earlier.exits =
            std::mem::take(&mut report.earlier.exits).into_iter().map(Exit::bounded).collect();
        if report.events.len() > MAX_EVENTS {
            return Err(ReportError::TooMany(report.events.len(), "events", MAX_EVENTS));
        }
        if report.routes.len() > MAX_ROUTES {
            return Err(ReportError::TooMany(report.routes.len(), "routes", MAX_ROUTES));
        }
        if let Some(traffic) = &mut report.traffic {
            traffic.routes.truncate(MAX_ROUTES);
        }
        if report.instances.len() > MAX_INSTANCES {
            return Err(ReportError::TooMany(report.instances.len(), "instances", MAX_INSTANCES));
        }
        report.bound_texts();
        let series = report.samples.series()?;
        Ok((report, series))
    }

    /// Cuts every text to its bound. The edge stores some of them with every tick, in a row of limited size.
    fn bound_texts(&mut self) {
        self.unavailable_sources.truncate(MAX_UNAVAILABLE_SOURCES);
        self.functions.truncate(MAX_FUNCTIONS);
        for function in &mut self.functions {
            function.function = cut(&function.function);
            function.file = cut(&function.file);
        }
        self.events = std::mem::take(&mut self.events).into_iter().map(Event::bounded).collect();
        let routes = self.routes.iter_mut().map(|route| &mut route.route);
        let traffic = self.traffic.iter_mut().flat_map(|traffic| &mut traffic.routes);
        let routes = routes.chain(traffic.map(|route| &mut route.route));
        for text in
            routes.chain(&mut self.unavailable_sources).chain([&mut self.version, &mut self.limit.origin])
        {
            *text = cut(text);
        }
    }

    /// Returns the public part.
    pub fn health(&self) -> Health {
        Health { status: self.status, memory: self.memory, uptime: self.uptime }
    }

    /// Returns the cursor for the next request; `None` while this instance has no sample.
    pub fn cursor(&self) -> Option<Cursor> {
        let next = self.samples.first.saturating_add(self.samples.count);
        next.checked_sub(1).map(|sequence| Cursor { instance: self.instance, sequence })
    }
}

impl EarlierInstances {
    /// Whether nothing is known of earlier instances.
    pub fn is_empty(&self) -> bool {
        *self == EarlierInstances::default()
    }
}

/// Whether a count is left out of the report; `serde` passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Block {
    /// Encodes consecutive samples, before which `dropped` are missing.
    pub fn of(series: &Series, dropped: u64) -> Self {
        let Series { first, samples } = series;
        Block { first: *first, count: samples.len() as u64, dropped, data: series::encode(*first, samples) }
    }

    /// Decodes the samples of an untrusted block and checks them against its counts.
    pub fn series(&self) -> Result<Series, ReportError> {
        let series = series::decode(&self.data)?;
        let (has, has_first) = (series.samples.len() as u64, series.first);
        if (self.count, self.first) != (has, has_first) {
            return Err(ReportError::Contradiction { said: self.count, first: self.first, has, has_first });
        }
        Ok(series)
    }
}

/// Serializes bytes as a JSON string in base 64.
mod base64 {
    use base64ct::{Base64, Encoding as _};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64::encode_string(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Base64::decode_vec(&String::deserialize(deserializer)?)
            .map_err(|_| D::Error::custom("invalid base 64"))
    }
}

#[cfg(test)]
mod tests;
