//! The status of a guarded program, and the side port that serves it: `/health`, `/metrics`, `/exits`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use heapbeat_shared::{Bytes, Exit, Health, HealthMemory, InstanceId, Sample, Status, UnixMillis};

use super::agent_link::{AgentLink, AgentNotice};
use super::external::{MonitoredProcess, ProgramMonitor};
use super::fallback_responder;
use super::machine::{MachineEvent, WorkerNumber};
use super::mini_http::{MiniHttpServer, path, response};
use super::process::WorkerProcess;
use crate::flight_recorder;
use crate::flight_recorder::RecordingHeader;
use crate::overload::ladder::ReplacementStatus;

/// Number of exits that are kept.
const MAX_EXITS: usize = 16;

/// `Retry-After` while the program does not run, in seconds.
const RETRY_SECONDS: u64 = 5;

/// The status of a guarded program.
pub(super) struct ExternalStatus {
    monitor: ProgramMonitor,
    limit: Bytes,
    pub(super) listeners: Vec<TcpListener>,
    pub(super) clients: MiniHttpServer,
    starts: u64,
    exits: VecDeque<Exit>,
    counts: BTreeMap<&'static str, u64>,
    /// Age of the running process; `None` while there is none.
    age: Option<Duration>,
}

impl ExternalStatus {
    /// Creates the status, served on `listeners`.
    pub(super) fn new(monitor: ProgramMonitor, limit: Bytes, listeners: Vec<TcpListener>) -> Self {
        ExternalStatus {
            monitor,
            limit,
            listeners,
            clients: MiniHttpServer::default(),
            starts: 0,
            exits: VecDeque::new(),
            counts: BTreeMap::new(),
            age: None,
        }
    }

    /// Adds the last exit of an earlier supervisor, which is listed but not counted.
    pub(super) fn set_last_exit(&mut self, last: Option<&Exit>) {
        self.exits.extend(last.cloned());
    }

    /// Counts a start, and opens a flight recorder on behalf of the program, so that its exit can be explained as a worker's.
    pub(super) fn record_start(&mut self, live: &mut WorkerProcess, wall: UnixMillis) {
        self.starts += 1;
        let Some(path) = &live.flight else { return };
        let id = getrandom::u64().unwrap_or_else(|_| u64::from(live.number));
        let head = RecordingHeader {
            instance: InstanceId(id),
            version: String::new(),
            started: wall,
            boot: flight_recorder::boot_id(),
        };
        match flight_recorder::open_recorder(path, &head) {
            Ok(recorder) => live.recorder = Some(recorder),
            Err(error) => {
                tracing::warn!(
                    "no flight recorder: {error}; an exit of the program will have no evidence besides its exit status"
                );
            }
        }
    }

    /// Measures all running processes.
    pub(super) fn measure(
        &mut self,
        live: &[WorkerProcess],
        families: &BTreeMap<WorkerNumber, Vec<u32>>,
        ready: impl Fn(WorkerNumber) -> Option<bool>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
        wall: UnixMillis,
    ) -> Vec<MachineEvent> {
        let running = live.iter().filter(|it| !it.stop.has_exited());
        let subjects = running.map(|it| MonitoredProcess {
            number: it.number,
            pid: it.pid,
            age: now.duration_since(it.since),
            ready: ready(it.number),
            family: families.get(&it.number).map_or(&[], Vec::as_slice),
        });
        let subjects: Vec<MonitoredProcess<'_>> = subjects.collect();
        self.age = subjects.iter().map(|it| it.age).max();
        let events = self.monitor.measure(&subjects, agents, now);
        for event in &events {
            let MachineEvent::Heartbeat(number, _, memory) = *event else { continue };
            let recorder = live.iter().find(|it| it.number == number).and_then(|it| it.recorder.as_ref());
            if let Some(recorder) = recorder {
                let sample = Sample { at: wall, rss: memory, working_set: memory, ..Sample::default() };
                recorder.sample_alone(&sample, self.monitor.pressure, self.limit);
            }
        }
        events
    }

    /// Notes whether a replacement of an instance could take over.
    pub(super) fn set_replacement_status(&mut self, number: WorkerNumber, status: ReplacementStatus) {
        self.monitor.replacement_status = (number, status);
    }

    /// Returns the share of new requests to refuse, in thousandths.
    pub(super) fn shed_share(&self) -> u16 {
        self.monitor.shed.thousandths()
    }

    /// Records what an agent reported.
    pub(super) fn record_notice(&mut self, notice: &AgentNotice, now: Instant) {
        self.monitor.record_notice(notice, now);
    }

    pub(super) fn record_exit(&mut self, exit: &Exit) {
        *self.counts.entry(exit.kind.as_str()).or_default() += 1;
        self.exits.push_back(exit.clone());
        if self.exits.len() > MAX_EXITS {
            self.exits.pop_front();
        }
    }

    pub(super) fn serve(&mut self, now: Instant) {
        let mut clients = std::mem::take(&mut self.clients);
        clients.serve(&self.listeners, now, |request| self.respond(request));
        self.clients = clients;
    }

    fn respond(&self, request: &[u8]) -> String {
        match path(request) {
            b"/health" | b"/health/live" | b"/health/ready" => match self.age {
                Some(age) => {
                    let body = String::from_utf8(self.health(age).to_json()).unwrap_or_default();
                    response(request, "200 OK", "application/json", "", &body)
                }
                None => fallback_responder::unavailable(request, "the program is not running", RETRY_SECONDS),
            },
            b"/metrics" => {
                response(request, "200 OK", "text/plain; version=0.0.4; charset=utf-8", "", &self.metrics())
            }
            b"/exits" => {
                let body = serde_json::to_string(&self.exits).unwrap_or_default();
                response(request, "200 OK", "application/json", "", &body)
            }
            _ => {
                let body = r#"{"title":"Not Found","status":404,"detail":"the endpoints are /health, /metrics and /exits"}"#;
                response(request, "404 Not Found", "application/problem+json", "", body)
            }
        }
    }

    /// The heap is that of the runtime, if there is an agent; from outside it is not known, and all memory is `external`.
    fn health(&self, age: Duration) -> Health {
        let rss = self.monitor.memory.to_megabytes();
        let megabytes = |bytes: Option<Bytes>| bytes.unwrap_or_default().to_megabytes();
        let memory = match &self.monitor.heap {
            Some(heap) => HealthMemory {
                rss,
                heap_used: megabytes(heap.used),
                heap_total: megabytes(heap.total),
                external: megabytes(heap.external),
            },
            None => HealthMemory { rss, external: rss, ..HealthMemory::default() },
        };
        let status: Status = self.monitor.pressure.status();
        Health { status, memory, uptime: age.as_secs() }
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        let mut write_metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let one = |value| [(String::new(), value)];
        write_metric(
            "heapbeat_tree_memory_bytes",
            "gauge",
            "Proportional set size of the program and all processes that it started.",
            &one(self.monitor.memory.0),
        );
        write_metric(
            "heapbeat_memory_limit_bytes",
            "gauge",
            "Memory limit of the program.",
            &one(self.limit.0),
        );
        let level = self.monitor.pressure as u64;
        write_metric(
            "heapbeat_pressure",
            "gauge",
            "0 calm, 1 alert, 2 purge, 3 recycle, 4 shed.",
            &one(level),
        );
        write_metric("heapbeat_starts_total", "counter", "Starts of the program.", &one(self.starts));
        let exits: Vec<(String, u64)> =
            self.counts.iter().map(|(kind, count)| (format!("{{kind=\"{kind}\"}}"), *count)).collect();
        write_metric("heapbeat_exits_total", "counter", "Exits of the program, by kind.", &exits);
        text
    }
}
