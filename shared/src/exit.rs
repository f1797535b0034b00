//! The exit of an instance, with its evidence.
//!
//! An exit carries its evidence and whether the evidence is conclusive. If it is not, the kind is [`ExitKind::Unknown`], as a
//! wrong cause costs the on-call more than none. [`classify()`] turns facts into an exit.

mod classify;
mod evidence;

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::cursor::InstanceId;
use crate::event::cut;
use crate::pressure::Pressure;
use crate::sample::Sample;
use crate::statement::Statement;
use crate::units::UnixMillis;

pub use classify::{
    ExitClassification, ExitFacts, OomCount, ProcessExit, RuntimeOutOfMemory, StopReason, SupervisorKill,
    classify,
};
pub use evidence::Evidence;

/// Most sentences of evidence.
pub const MAX_EVIDENCE: usize = 12;

/// Most routes in [`Exit::in_flight`].
pub const MAX_IN_FLIGHT: usize = 16;

/// Most bytes of a panic's backtrace.
pub const MAX_BACKTRACE: usize = 4096;

/// Most bytes of the end of standard error.
pub const MAX_STDERR_TAIL: usize = 4096;

/// The kind of an exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum ExitKind {
    /// The instance was requested to stop.
    #[n(0)]
    Stop,
    /// The instance was requested to stop, and another version followed.
    #[n(1)]
    Deploy,
    /// The guard replaced the instance.
    #[n(2)]
    Recycle,
    /// The kernel killed the instance: out of memory.
    #[n(3)]
    OomKill,
    /// A panic outside of any request.
    #[n(4)]
    Panic,
    /// Another signal or exit code.
    #[n(5)]
    Crash,
    /// The instance stopped responding and was killed.
    #[n(6)]
    Hang,
    /// The instance vanished together with its machine.
    #[n(7)]
    Platform,
    /// The platform stopped the instance because it was idle, which only an outside observer knows.
    #[n(8)]
    SpinDown,
    /// The runtime of the instance (V8, the JVM, Go, …) ran out of memory and ended it.
    #[n(10)]
    OutOfMemory,
    /// The program ended by itself, and without an error.
    #[n(11)]
    Finish,
    /// The evidence is inconclusive, or a newer version wrote a kind that this one does not know.
    #[default]
    #[serde(other)]
    #[n(9)]
    Unknown,
}

/// The exit of an instance. Every text is bounded by [`Exit::bounded`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// The kind.
    pub kind: ExitKind,
    /// Whether the evidence is conclusive.
    pub sure: bool,
    /// The time of the exit; if it was not observed, the time of the last sign of life.
    pub at: UnixMillis,
    /// The evidence, strongest first.
    pub evidence: Vec<Statement>,
    /// The instance, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// The version of the instance; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The time at which the instance started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<UnixMillis>,
    /// The last sample of the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Sample>,
    /// The pressure level at that sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// The requests in flight by route, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// The message and location of the panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
    /// The panic's call stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
    /// The last lines that a guarded program wrote to standard error, without secrets. It may still hold what is not for
    /// everybody: only the operator gets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr_tail: Option<String>,
    /// The part of the flight recorder that could not be read, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// The unanswered requests of one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Method and matched path.
    pub route: String,
    /// The number of requests.
    pub requests: u32,
}

impl ExitKind {
    /// Every kind.
    pub const ALL: [ExitKind; 12] = [
        ExitKind::Stop,
        ExitKind::Deploy,
        ExitKind::Recycle,
        ExitKind::OomKill,
        ExitKind::Panic,
        ExitKind::Crash,
        ExitKind::Hang,
        ExitKind::Platform,
        ExitKind::SpinDown,
        ExitKind::Unknown,
        ExitKind::OutOfMemory,
        ExitKind::Finish,
    ];

    /// Returns the name on the wire and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ExitKind::Stop => "stop",
            ExitKind::Deploy => "deploy",
            ExitKind::Recycle => "recycle",
            ExitKind::OomKill => "oom_kill",
            ExitKind::Panic => "panic",
            ExitKind::Crash => "crash",
            ExitKind::Hang => "hang",
            ExitKind::Platform => "platform",
            ExitKind::SpinDown => "spin_down",
            ExitKind::Unknown => "unknown",
            ExitKind::OutOfMemory => "out_of_memory",
            ExitKind::Finish => "finish",
        }
    }

    /// Returns the kind as the end of a sentence that begins with "the last instance".
    pub const fn phrase(self) -> &'static str {
        match self {
            ExitKind::Stop => "was stopped on request",
            ExitKind::Deploy => "was replaced by another version",
            ExitKind::Recycle => "was recycled by heapbeat",
            ExitKind::OomKill => "ran out of memory and was killed by the kernel (OOM)",
            ExitKind::Panic => "panicked",
            ExitKind::Crash => "crashed",
            ExitKind::Hang => "hung and was stopped",
            ExitKind::Platform => "disappeared with its host",
            ExitKind::SpinDown => "was suspended while idle",
            ExitKind::Unknown => "exited for an unknown reason",
            ExitKind::OutOfMemory => "ran out of memory and was ended by its runtime",
            ExitKind::Finish => "finished by itself",
        }
    }

    /// Returns the statement that names the exit as the cause of an incident.
    pub fn statement(self) -> Statement {
        match self {
            ExitKind::Stop => Statement::instance_stop(),
            ExitKind::Deploy => Statement::instance_deploy(),
            ExitKind::Recycle => Statement::instance_recycle(),
            ExitKind::OomKill => Statement::instance_oom_kill(),
            ExitKind::Panic => Statement::instance_panic(),
            ExitKind::Crash => Statement::instance_crash(),
            ExitKind::Hang => Statement::instance_hang(),
            ExitKind::Platform => Statement::instance_platform(),
            ExitKind::SpinDown => Statement::instance_spin_down(),
            ExitKind::Unknown => Statement::instance_unknown(),
            ExitKind::OutOfMemory => Statement::instance_out_of_memory(),
            ExitKind::Finish => Statement::instance_finish(),
        }
    }

    /// Returns whether the exit was not requested.
    pub const fn is_failure(self) -> bool {
        !matches!(
            self,
            ExitKind::Stop | ExitKind::Deploy | ExitKind::Recycle | ExitKind::SpinDown | ExitKind::Finish
        )
    }
}

impl Exit {
    /// Reclassifies a stop as a deploy if the next instance has another `version`.
    #[must_use]
    pub fn before(mut self, version: &str) -> Self {
        if self.kind == ExitKind::Stop && !self.version.is_empty() && self.version != version {
            self.kind = ExitKind::Deploy;
            self.evidence.push(Evidence::VersionFollowed(version.to_owned()).statement());
        }
        self
    }

    /// Returns the evidence that strangers may read: with the number of requests in flight, but without their routes.
    pub fn public_evidence(&self) -> Vec<Statement> {
        let requests = self.in_flight.iter().map(|it| u64::from(it.requests)).sum();
        let in_flight = (requests > 0).then(|| Statement::requests_in_flight(requests));
        self.evidence.iter().cloned().chain(in_flight).collect()
    }

    /// Returns the evidence in one line of English.
    pub fn evidence_text(&self) -> String {
        let texts: Vec<_> = self.evidence.iter().map(|piece| piece.text.as_str()).collect();
        texts.join("; ")
    }

    /// Cuts every list and text of an untrusted exit to its bounds.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.evidence.truncate(MAX_EVIDENCE);
        self.in_flight.truncate(MAX_IN_FLIGHT);
        self.evidence = self.evidence.into_iter().map(Statement::bounded).collect();
        let texts = self.in_flight.iter_mut().map(|it| &mut it.route);
        for text in texts.chain([&mut self.version]).chain(&mut self.panic).chain(&mut self.unreadable) {
            *text = cut(text);
        }
        if let Some(stack) = &mut self.backtrace {
            stack.truncate(stack.floor_char_boundary(MAX_BACKTRACE));
        }
        if let Some(tail) = &mut self.stderr_tail {
            tail.truncate(tail.floor_char_boundary(MAX_STDERR_TAIL));
        }
        self
    }
}

impl fmt::Display for Exit {
    /// Formats one line: the kind, its certainty, and the evidence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sureness = if self.sure || self.kind == ExitKind::Unknown { "" } else { ", probably" };
        write!(f, "{}{sureness}", self.kind.phrase())?;
        if !self.evidence.is_empty() {
            write!(f, ": {}", self.evidence_text())?;
        }
        for (index, it) in self.in_flight.iter().enumerate() {
            let before = if index == 0 { "; in flight: " } else { ", " };
            write!(f, "{before}{} x {}", it.requests, it.route)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_names_match_the_wire() {
        for kind in ExitKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(serde_json::from_str::<ExitKind>("\"a newer one\"").unwrap(), ExitKind::Unknown);
    }

    #[test]
    fn unknown_fields_are_not_serialized() {
        let exit = Exit {
            kind: ExitKind::Crash,
            sure: true,
            at: UnixMillis(7),
            evidence: vec![Evidence::Process(ProcessExit::Code(3)).statement()],
            ..Exit::default()
        };
        let json = concat!(
            r#"{"kind":"crash","sure":true,"at":7,"evidence":[{"code":"exited-with-code","#,
            r#""params":{"exit_code":3},"text":"it exited with code 3"}]}"#
        );
        assert_eq!(serde_json::to_string(&exit).unwrap(), json);
        assert_eq!(serde_json::from_str::<Exit>(json).unwrap(), exit);
    }

    #[test]
    fn an_untrusted_exit_is_cut_to_its_bounds() {
        let long = "é".repeat(5000);
        let exit = Exit {
            evidence: vec![Statement::untranslated(long.clone()); 40],
            version: long.clone(),
            panic: Some(long.clone()),
            backtrace: Some(long.clone()),
            stderr_tail: Some(long.clone()),
            in_flight: vec![InFlight { route: long, requests: 1 }; 40],
            ..Exit::default()
        }
        .bounded();
        assert_eq!((exit.evidence.len(), exit.in_flight.len()), (12, 16));
        assert!(exit.evidence.iter().map(|it| &it.text).chain([&exit.version]).all(|text| text.len() <= 300));
        assert_eq!(exit.backtrace.unwrap().len(), 4096);
        assert_eq!(exit.stderr_tail.unwrap().len(), 4096);
    }

    #[test]
    fn strangers_learn_how_many_requests_were_in_flight_but_not_their_routes() {
        let in_flight = |requests| InFlight { route: "GET /secret".into(), requests };
        let exit = Exit {
            evidence: vec![Evidence::NoOomKill.statement()],
            in_flight: vec![in_flight(2), in_flight(1)],
            ..Exit::default()
        };
        let texts: Vec<String> = exit.public_evidence().into_iter().map(|piece| piece.text).collect();
        assert_eq!(texts, ["the kernel counted no OOM kill", "requests in flight when it ended: 3"]);
        assert!(Exit::default().public_evidence().is_empty());
    }

    #[test]
    fn a_stop_before_another_version_is_a_deploy() {
        let cases = [
            (ExitKind::Stop, "1", "2", ExitKind::Deploy),
            (ExitKind::Stop, "1", "1", ExitKind::Stop),
            (ExitKind::Stop, "", "1", ExitKind::Stop),
            (ExitKind::Crash, "1", "2", ExitKind::Crash),
            (ExitKind::Recycle, "1", "2", ExitKind::Recycle),
        ];
        for (kind, version, next, expected) in cases {
            let exit = Exit { kind, version: version.into(), ..Exit::default() };
            assert_eq!(exit.before(next).kind, expected, "{kind:?} {version} {next}");
        }
    }

    #[test]
    fn an_exit_is_displayed_in_one_line() {
        let exit = Exit {
            kind: ExitKind::OomKill,
            sure: false,
            evidence: vec![
                Evidence::Process(ProcessExit::Signal(9)).statement(),
                Evidence::MemoryWhenLastSeen(99).statement(),
            ],
            in_flight: vec![
                InFlight { route: "GET /a".into(), requests: 3 },
                InFlight { route: "GET /b".into(), requests: 1 },
            ],
            ..Exit::default()
        };
        assert_eq!(
            exit.to_string(),
            "ran out of memory and was killed by the kernel (OOM), probably: it was terminated by SIGKILL; \
             memory was at 99 % of the limit when last seen; in flight: 3 x GET /a, 1 x GET /b"
        );
    }
}
