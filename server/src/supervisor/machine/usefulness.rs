//! Whether a replacement would help a program whose memory has reached the recycle threshold.
//!
//! A fresh instance helps against growth. It does not help if the program needs that much from its start: the next instance would
//! reach the threshold as well, and replacing it again would only interrupt it. Two signs tell these cases apart:
//!
//! - The instance has not grown much since it was ready.
//! - The instances before it reached the threshold soon after their start, and this one stays where it is instead of growing on.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::{Effect, Machine, Notice, Worker, WorkerNumber};

/// Growth since readiness from which a replacement frees a useful amount, in percent of the limit.
const USEFUL_GROWTH: u64 = 5;

/// The same for the replacement of a replacement.
const USEFUL_GROWTH_AGAIN: u64 = 10;

/// Growth by which an instance that was not replaced shows that it grows on, in percent of the limit; and where requests would be refused
/// until then.
const GROWS_ON: u64 = 2;
const GROWS_ON_REFUSING: u64 = 1;

/// Age below which an instance that has reached the threshold is young.
const YOUNG: Duration = Duration::from_secs(60);

/// Number of young instances replaced in a row from which the next one is watched.
const MAX_YOUNG: u32 = 2;

/// Time that an instance is watched before it is said that it does not grow on.
const WATCHED_FOR: Duration = Duration::from_secs(5);

/// Pause between two replacements of workers that are at the threshold from which requests are refused, doubled with each one that was
/// young: a worker that gets no requests does not show that it grows on.
const BLIND_PAUSE: Duration = Duration::from_secs(10);

/// Share of a limit that memory should not exceed at rest, in percent, and the granularity of a proposed limit.
const COMFORTABLE: u64 = 75;
const LIMIT_STEP: u64 = 16 << 20;

/// An instance whose replacement was refused.
#[derive(Clone, Debug)]
pub(super) struct HeldBack {
    since: Duration,
    memory: Bytes,
    /// Whether it has grown since it was ready, so that it is only watched whether it grows on.
    has_grown: bool,
    /// Why it would have been replaced.
    why: String,
    noted: bool,
}

/// Whether a replacement helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usefulness {
    /// As far as is known.
    Helps,
    /// The instance has grown on while it was watched.
    GrowsOn,
    /// It does not, or that is not known yet.
    Doubtful,
}

/// Returns a share of a limit, in percent.
pub(super) const fn percent(limit: Bytes, share: u64) -> Bytes {
    Bytes(limit.0 / 100 * share)
}

impl Worker {
    /// Records memory, as far as it counts as that of a fresh instance. An instance that has become smaller is judged anew.
    pub(super) fn record_lowest(&mut self, memory: Bytes, limit: Bytes) {
        if self.ready_at.is_none() || memory == Bytes::ZERO {
            return;
        }
        self.lowest = Some(self.lowest.map_or(memory, |lowest| lowest.min(memory)));
        let smaller = percent(limit, USEFUL_GROWTH_AGAIN);
        self.held_back.take_if(|held| memory < held.memory.saturating_sub(smaller));
    }

    fn is_young(&self, now: Duration) -> bool {
        self.ready_at.is_some_and(|at| now < at + YOUNG)
    }
}

impl Machine {
    /// Judges whether a replacement of a worker would help, for which there is this reason. Only programs from outside are judged: a
    /// worker's memory at rest is that of its application, which has other means.
    pub(super) fn judge_replacement(
        &mut self,
        number: WorkerNumber,
        why: &str,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> Usefulness {
        let limit = self.share_of_each(self.policy.memory_limit);
        let judged_from = self.policy.judged_from.map(|from| self.share_of_each(from));
        let Some(judged_from) = judged_from else { return Usefulness::Helps };
        let (again, watched) = (self.young_replaced > 0, self.young_replaced >= MAX_YOUNG);
        let Some(worker) = self.worker(number).filter(|worker| worker.memory >= judged_from) else {
            return Usefulness::Helps;
        };
        let memory = worker.memory;
        let useful = percent(limit, if again { USEFUL_GROWTH_AGAIN } else { USEFUL_GROWTH });
        let has_grown = worker.lowest.is_none_or(|lowest| memory.saturating_sub(lowest) >= useful);
        let watched = worker.held_back.is_some() || (watched && worker.is_young(now));
        if has_grown && !watched {
            return Usefulness::Helps;
        }
        let held = worker.held_back.get_or_insert_with(|| HeldBack {
            since: now,
            memory,
            has_grown,
            why: why.to_owned(),
            noted: false,
        });
        held.has_grown = has_grown;
        if has_grown && memory.saturating_sub(held.memory) >= percent(limit, GROWS_ON) {
            return Usefulness::GrowsOn;
        }
        if !held.noted && (!has_grown || now >= held.since + WATCHED_FOR) {
            held.noted = true;
            let proposed = Bytes((memory.0 / COMFORTABLE * 100).div_ceil(LIMIT_STEP) * LIMIT_STEP);
            effects.push(Effect::Log(Notice::ReplacementUseless { number, memory, limit, proposed }));
        }
        Usefulness::Doubtful
    }

    /// Replaces a worker that is watched whether it grows on, as requests would have to be refused meanwhile: to know more is not worth
    /// that. If it was in vain, the next one has longer.
    pub(super) fn replace_instead_of_refusing(
        &mut self,
        number: WorkerNumber,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let may_be_in_vain = self.may_replace_blindly(now);
        if self.is_replacing() || now < self.next_replacement_at() {
            return;
        }
        let grows_on = percent(self.share_of_each(self.policy.memory_limit), GROWS_ON_REFUSING);
        let Some(worker) = self.worker(number).filter(|worker| worker.serves()) else { return };
        let Some(held) = worker.held_back.as_ref().filter(|held| held.has_grown) else { return };
        let grows_on = worker.memory.saturating_sub(held.memory) >= grows_on;
        let (judged, why) =
            (if grows_on { Usefulness::GrowsOn } else { Usefulness::Helps }, held.why.clone());
        if judged == Usefulness::GrowsOn || may_be_in_vain {
            self.replace_at_threshold(number, judged, why, now, effects);
        }
    }

    /// Returns the share of each worker, of several that serve.
    fn share_of_each(&self, bytes: Bytes) -> Bytes {
        Bytes(bytes.0 / u64::from(self.policy.instances.max(1)))
    }

    /// Whether a worker may be replaced that does not grow on, as it gets only a part of the requests.
    fn may_replace_blindly(&self, now: Duration) -> bool {
        let beyond = self.young_replaced.saturating_sub(MAX_YOUNG);
        let pause = if beyond == 0 { Duration::ZERO } else { BLIND_PAUSE * (1 << (beyond - 1).min(8)) };
        self.replaced_at.is_none_or(|at| now >= at + pause)
    }

    /// Counts how many young workers were replaced in a row, when another one is. One that has grown on shows that the program does, so
    /// that the next ones need not be watched.
    pub(super) fn count_young_replacement(
        &mut self,
        number: WorkerNumber,
        judged: Usefulness,
        now: Duration,
    ) {
        let young = self.worker(number).is_some_and(|worker| worker.is_young(now));
        let again = young && judged != Usefulness::GrowsOn;
        self.young_replaced = if again { self.young_replaced.saturating_add(1) } else { 0 };
    }
}
