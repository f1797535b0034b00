//! Requests when memory is short: behind a front they wait while a replacement is under way, instead of being refused, and while two workers
//! beside each other would pass the limit.

use std::time::Duration;

use super::{Effect, Machine, Role, WorkerNumber};

/// Longest time until a replacement may begin that counts as under way.
const SOON: Duration = Duration::from_secs(1);

impl Machine {
    /// Handles the ladder's request to refuse a share of new requests because of the memory of a worker.
    pub(super) fn memory_short(
        &mut self,
        number: WorkerNumber,
        share: u16,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let Some(front) = self.policy.front.filter(|_| self.stopping.is_none()) else { return };
        if share > 0 {
            self.replace_instead_of_refusing(number, now, effects);
        }
        // Of several workers the one that is being replaced is spared.
        let replacement = self.worker_with_role(Role::Replacement).map(|it| it.replaces);
        let number = replacement.flatten().unwrap_or(number);
        let under_way = self.replacement_is_under_way(now);
        let crowded = self.is_crowded(now);
        let Some(worker) = self.worker(number).filter(|worker| worker.serves()) else { return };
        // They wait no longer than a request may.
        let patient = worker.held_since.is_none_or(|since| now < since + front.hold);
        let held = (share > 0 && under_way || crowded) && patient;
        if held && worker.held_since.is_none() {
            worker.held_since = Some(now);
            effects.push(Effect::Hold(number));
        }
        if !held {
            self.end_hold(number, effects);
        }
        let shed = if held { 0 } else { share };
        if std::mem::replace(&mut self.shed, shed) != shed || shed > 0 {
            effects.push(Effect::Shed(shed));
        }
    }

    /// Returns the workers that get no new requests because memory is short.
    pub(super) fn held_workers(&self) -> Vec<WorkerNumber> {
        let held = self.workers.iter().filter(|worker| worker.held_since.is_some());
        held.map(|worker| worker.number).collect()
    }

    /// Passes new requests on to a worker again.
    pub(super) fn end_hold(&mut self, number: WorkerNumber, effects: &mut Vec<Effect>) {
        let worker = self.worker(number).filter(|worker| worker.serves());
        if worker.is_some_and(|worker| worker.held_since.take().is_some()) {
            effects.push(Effect::Activate(number));
        }
    }

    /// Whether a replacement is starting, or can be started in a moment.
    fn replacement_is_under_way(&mut self, now: Duration) -> bool {
        let next_at = self.next_replacement_at();
        self.worker_with_role(Role::Replacement).is_some() || (now < next_at && next_at <= now + SOON)
    }
}
