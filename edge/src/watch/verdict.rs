//! From an answer to a verdict: what the monitor's conditions make of it.

use heapbeat_shared::{Health, HealthError};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Body, Missed};
use super::standing::Vote;
use super::{Blindness, Failure};
use crate::config::{Kind, Monitor};

/// What one probe says about its monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every condition holds.
    Up,
    /// It serves, but not as well as it should.
    Degraded(Failure),
    /// It does not serve as it should.
    Failed(Failure),
    /// Nobody could look.
    Blind(Blindness),
}

impl Verdict {
    /// What it means for the state; `None` when it means nothing.
    pub fn vote(self) -> Option<Vote> {
        match self {
            Verdict::Up => Some(Vote::Up),
            Verdict::Degraded(_) => Some(Vote::Degraded),
            Verdict::Failed(_) => Some(Vote::Failed),
            Verdict::Blind(_) => None,
        }
    }

    /// The public sentence, where there is something to say.
    pub fn sentence(self) -> Option<String> {
        match self {
            Verdict::Up => None,
            Verdict::Degraded(failure) | Verdict::Failed(failure) => Some(failure.sentence()),
            Verdict::Blind(blindness) => Some(blindness.sentence()),
        }
    }
}

/// A verdict with the figures that the answer carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// How long the answer took, in milliseconds.
    pub latency_ms: Option<u32>,
    /// What `/health` said, where it is that kind of monitor.
    pub health: Option<Health>,
}

/// Judges what a probe of `monitor` brought back.
pub fn judge(monitor: &Monitor, result: &Result<Answer, Missed>) -> Judged {
    let answer = match result {
        Ok(answer) => answer,
        Err(Missed::Failed(failure)) => return without_answer(Verdict::Failed(*failure)),
        Err(Missed::Blind(blindness)) => return without_answer(Verdict::Blind(*blindness)),
    };
    let latency_ms = Some(u32::try_from(answer.latency.as_millis()).unwrap_or(u32::MAX));
    let (verdict, health) = if answer.status == 200 {
        match monitor.kind {
            Kind::Http => (Verdict::Up, None),
            Kind::Heapbeat => match health(&answer.body) {
                Ok(health) => (Verdict::Up, Some(health)),
                Err(failure) => (Verdict::Failed(failure), None),
            },
        }
    } else {
        (Verdict::Failed(Failure::Status(answer.status)), None)
    };
    Judged { verdict, latency_ms, health }
}

fn without_answer(verdict: Verdict) -> Judged {
    Judged { verdict, latency_ms: None, health: None }
}

/// Reads the body as a health answer.
fn health(body: &Body) -> Result<Health, Failure> {
    let bytes = match body {
        Body::Whole(bytes) => bytes.as_slice(),
        Body::Unread => &[],
        Body::TooLarge => return Err(Failure::BodyTooLarge),
    };
    Health::parse(bytes).map_err(|error| match error {
        HealthError::TooLong { .. } => Failure::BodyTooLarge,
        HealthError::Malformed(error) if error.is_data() => Failure::NotHealth,
        HealthError::Malformed(_) => Failure::NotJson,
    })
}
