//! Diagnoses the trouble that a tick found: its cause, with the evidence for it.
//!
//! The cause is that of what goes on now. Memory and exits explain why a server is not available, and then stay the cause while that
//! lasts; they do not explain a 404. A cause from before a recovery explains nothing afterwards, except that a server that just crashed
//! is often not available again.

use std::time::Duration;

use heapbeat_shared::{Pressure, UnixMillis};

use crate::domain::check::verdict::CheckVerdict;
use crate::domain::incident::cause::{Cause, forecast_statement};
use crate::domain::incident::tracker::{TickObservation, forecast_opens_incident};
use crate::domain::incident::{CauseChanges, Diagnosis};
use crate::domain::report::last_report::LastReport;
use crate::domain::{Failure, State};

/// How many times the cause may change in an incident, while its severity stays, before changes are recorded at most every
/// [`CAUSE_INTERVAL`]. A target that fails in another way with each probe would cost a written row with each.
const PROMPT_CAUSE_CHANGES: u32 = 5;

/// The shortest time between two changes of the cause beyond the prompt ones.
const CAUSE_INTERVAL: Duration = Duration::from_secs(600);

impl Diagnosis {
    /// The cause is not known.
    pub fn unknown() -> Self {
        Diagnosis { cause: Cause::Unknown, evidence: Vec::new() }
    }

    /// Diagnoses the trouble of `tick`. `self` is the diagnosis of the same trouble before the tick, or unknown.
    #[must_use]
    pub(super) fn followed_by(self, tick: &TickObservation<'_>) -> Self {
        let mut now = self;
        for exit in tick.crashes() {
            let cause = Cause::from_exit(exit.kind, now.cause.is_memory());
            now = Diagnosis { cause: now.cause.or_more_specific(cause), evidence: exit.public_evidence() };
        }
        // After an exit it is the report of another instance.
        if let Some(report) = tick.report() {
            now = now.with_report(report);
        }
        match (now.cause, tick.failure()) {
            (Cause::Failing(before), Some(failure)) if before.is_same_kind(failure) => now,
            (cause, Some(failure)) if !cause.explains(failure) => {
                Diagnosis { cause: Cause::Failing(failure), evidence: Vec::new() }
            }
            _ => now,
        }
    }

    /// Adds what a report says about memory. If it says that there is enough, memory is no cause any more.
    fn with_report(self, report: &LastReport) -> Self {
        let forecast = forecast_statement(report).filter(|_| forecast_opens_incident(report));
        let cause = match (report.pressure >= Pressure::Alert, &forecast) {
            (true, _) => Cause::Memory,
            (false, Some(_)) => Cause::Leak,
            (false, None) if matches!(self.cause, Cause::Memory | Cause::Leak) => {
                return Diagnosis::unknown();
            }
            (false, None) => return self,
        };
        if self.cause.is_memory() {
            return Diagnosis { cause: self.cause.or_more_specific(cause), ..self };
        }
        if self.cause.or_more_specific(cause) != cause {
            return self;
        }
        Diagnosis { cause, evidence: forecast.into_iter().collect() }
    }
}

impl CauseChanges {
    /// Counts a change of the cause at `at`, and returns whether it may be recorded.
    pub(super) fn allow(&mut self, at: UnixMillis) -> bool {
        let allowed = self.count < PROMPT_CAUSE_CHANGES || at.since(self.last) >= CAUSE_INTERVAL;
        if allowed {
            *self = CauseChanges { count: self.count.saturating_add(1), last: at };
        }
        allowed
    }
}

impl TickObservation<'_> {
    /// The failure that explains the state: one that counts for it, not one whose streak is still too short to change it.
    pub(super) fn failure(&self) -> Option<Failure> {
        match (self.state, self.verdict?) {
            (State::Down, CheckVerdict::Failed(failure))
            | (State::Degraded, CheckVerdict::Degraded(failure)) => Some(failure),
            _ => None,
        }
    }
}
