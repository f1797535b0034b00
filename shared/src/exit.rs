//! How an instance ended, and how that is known.
//!
//! An ending is told with its evidence and with whether the evidence decides. Where it does not, the kind is
//! [`ExitKind::Unknown`]: a wrong cause costs whoever is on call more than none. How facts become an ending is in
//! [`classify()`].

mod classify;

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::cursor::InstanceId;
use crate::event::cut;
use crate::pressure::Pressure;
use crate::sample::Sample;
use crate::units::UnixMillis;

pub use classify::{ExitClassification, ExitFacts, OomCount, ProcessExit, StopReason, classify};

/// Most sentences of evidence.
pub const MAX_EVIDENCE: usize = 12;

/// Most routes whose requests in flight are told.
pub const MAX_IN_FLIGHT: usize = 16;

/// Most bytes of a panic's backtrace.
pub const MAX_BACKTRACE: usize = 4096;

/// How an instance ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum ExitKind {
    /// It was asked to.
    #[n(0)]
    Stop,
    /// It was asked to, and another version followed.
    #[n(1)]
    Deploy,
    /// The guard replaced it.
    #[n(2)]
    Recycle,
    /// The kernel killed it for want of memory.
    #[n(3)]
    OomKill,
    /// A panic outside of any request.
    #[n(4)]
    Panic,
    /// Another signal or exit code.
    #[n(5)]
    Crash,
    /// It lived but did nothing any more, and was stopped for it.
    #[n(6)]
    Hang,
    /// It vanished together with its machine.
    #[n(7)]
    Platform,
    /// It was idle and the platform put it to sleep. Only who asks from outside can tell.
    #[n(8)]
    SpinDown,
    /// The evidence does not decide, or a newer version wrote a kind that this one does not know.
    #[default]
    #[serde(other)]
    #[n(9)]
    Unknown,
}

/// Everything that is told of an exit. All text is bounded; see [`Exit::bounded`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// What it was.
    pub kind: ExitKind,
    /// Whether the evidence decides.
    pub sure: bool,
    /// When it ended; when the last sign of life was, if nobody saw it end.
    pub at: UnixMillis,
    /// Sentences, strongest first.
    pub evidence: Vec<String>,
    /// Which run it was, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// Which build it was; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<UnixMillis>,
    /// Its last sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Sample>,
    /// Where memory stood on the ladder at that sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pressure: Option<Pressure>,
    /// Requests that were inside it, by route, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// What the panic said and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
    /// The panic's call stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
    /// What of the recorder could not be read, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// Requests of one route that had not been answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// Method and matched path.
    pub route: String,
    /// How many.
    pub requests: u32,
}

impl ExitKind {
    /// Every kind.
    pub const ALL: [ExitKind; 10] = [
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
    ];

    /// The word on the wire and in logs.
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
        }
    }

    /// What happened, as a part of a sentence: "the last instance …".
    pub const fn phrase(self) -> &'static str {
        match self {
            ExitKind::Stop => "stopped as it was asked to",
            ExitKind::Deploy => "made room for another version",
            ExitKind::Recycle => "was replaced by the guard",
            ExitKind::OomKill => "was killed by the kernel for want of memory",
            ExitKind::Panic => "panicked",
            ExitKind::Crash => "crashed",
            ExitKind::Hang => "hung and was stopped",
            ExitKind::Platform => "vanished with its machine",
            ExitKind::SpinDown => "was put to sleep",
            ExitKind::Unknown => "ended, and it is not known why",
        }
    }

    /// Whether nobody asked for it.
    pub const fn is_failure(self) -> bool {
        !matches!(self, ExitKind::Stop | ExitKind::Deploy | ExitKind::Recycle | ExitKind::SpinDown)
    }
}

impl Exit {
    /// The same as the instance after it sees it: a stop that another version follows was a deploy.
    #[must_use]
    pub fn before(mut self, version: &str) -> Self {
        if self.kind == ExitKind::Stop && !self.version.is_empty() && self.version != version {
            self.kind = ExitKind::Deploy;
            self.evidence.push(cut(&format!("version {version} followed")));
        }
        self
    }

    /// The same within its bounds, for what came from elsewhere.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.evidence.truncate(MAX_EVIDENCE);
        self.in_flight.truncate(MAX_IN_FLIGHT);
        let texts = self.evidence.iter_mut().chain(self.in_flight.iter_mut().map(|it| &mut it.route));
        for text in texts.chain([&mut self.version]).chain(&mut self.panic).chain(&mut self.lost) {
            *text = cut(text);
        }
        if let Some(stack) = &mut self.backtrace {
            stack.truncate(stack.floor_char_boundary(MAX_BACKTRACE));
        }
        self
    }
}

impl fmt::Display for Exit {
    /// One line: what it was, how sure that is, and why.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sureness = if self.sure || self.kind == ExitKind::Unknown { "" } else { ", probably" };
        write!(f, "{}{sureness}", self.kind.phrase())?;
        if !self.evidence.is_empty() {
            write!(f, ": {}", self.evidence.join("; "))?;
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
    fn the_word_is_the_same_in_logs_and_on_the_wire() {
        for kind in ExitKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!(serde_json::from_str::<ExitKind>("\"a newer one\"").unwrap(), ExitKind::Unknown);
    }

    #[test]
    fn what_is_not_known_is_not_on_the_wire() {
        let exit = Exit {
            kind: ExitKind::Crash,
            sure: true,
            at: UnixMillis(7),
            evidence: vec!["exit code 3".into()],
            ..Exit::default()
        };
        let json = r#"{"kind":"crash","sure":true,"at":7,"evidence":["exit code 3"]}"#;
        assert_eq!(serde_json::to_string(&exit).unwrap(), json);
        assert_eq!(serde_json::from_str::<Exit>(&json).unwrap(), exit);
    }

    #[test]
    fn a_strangers_ending_is_cut_to_size() {
        let long = "é".repeat(5000);
        let exit = Exit {
            evidence: vec![long.clone(); 40],
            version: long.clone(),
            panic: Some(long.clone()),
            backtrace: Some(long.clone()),
            in_flight: vec![InFlight { route: long, requests: 1 }; 40],
            ..Exit::default()
        }
        .bounded();
        assert_eq!((exit.evidence.len(), exit.in_flight.len()), (12, 16));
        assert!(exit.evidence.iter().chain([&exit.version]).all(|text| text.len() <= 300));
        assert_eq!(exit.backtrace.unwrap().len(), 4096);
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
    fn people_read_one_line() {
        let exit = Exit {
            kind: ExitKind::OomKill,
            sure: false,
            evidence: vec!["ended by SIGKILL".into(), "memory was full".into()],
            in_flight: vec![
                InFlight { route: "GET /a".into(), requests: 3 },
                InFlight { route: "GET /b".into(), requests: 1 },
            ],
            ..Exit::default()
        };
        assert_eq!(
            exit.to_string(),
            "was killed by the kernel for want of memory, probably: ended by SIGKILL; memory was full; \
             in flight: 3 x GET /a, 1 x GET /b"
        );
    }
}
