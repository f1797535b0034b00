//! Whether a replacement would help a program whose memory has reached the recycle threshold.
//!
//! A fresh instance helps against growth. It does not help if the program needs that much from its start: the next instance would
//! reach the threshold as well, and replacing it again would only interrupt it. Two signs tell these cases apart:
//!
//! - The instance has not grown much since it was ready.
//! - The instances before it reached the threshold soon after their start, and this one stays where it is instead of growing on.

use std::time::Duration;

use heapbeat_shared::Bytes;

use super::{Effect, Machine, Notice, Worker};

/// Growth since readiness from which a replacement frees a useful amount, in percent of the limit.
const USEFUL_GROWTH: u64 = 5;

/// The same for the replacement of a replacement.
const USEFUL_GROWTH_AGAIN: u64 = 10;

/// Growth by which an instance that was not replaced shows that it grows on, in percent of the limit.
const GROWS_ON: u64 = 2;

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
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldBack {
    since: Duration,
    memory: Bytes,
    noted: bool,
}

const fn percent(limit: Bytes, share: u64) -> Bytes {
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
        self.held_back = self.held_back.filter(|held| memory >= held.memory.saturating_sub(smaller));
    }

    fn is_young(&self, now: Duration) -> bool {
        self.ready_at.is_some_and(|at| now < at + YOUNG)
    }
}

impl Machine {
    /// Whether a replacement of the serving worker would help. Only programs from outside are judged: a worker's memory at rest is
    /// that of its application, which has other means.
    pub(super) fn replacement_helps(
        &mut self,
        number: u32,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> bool {
        // Of several workers each has its share.
        let share = |bytes: Bytes| Bytes(bytes.0 / u64::from(self.policy.instances.max(1)));
        let limit = share(self.policy.memory_limit);
        let Some(judged_from) = self.policy.judged_from.map(share) else { return true };
        let (again, watched) = (self.young_replaced > 0, self.young_replaced >= MAX_YOUNG);
        let is_refusing = self.shed > 0 && self.may_replace_blindly(now);
        let Some(worker) = self.worker(number).filter(|worker| worker.memory >= judged_from) else {
            return true;
        };
        let memory = worker.memory;
        let useful = percent(limit, if again { USEFUL_GROWTH_AGAIN } else { USEFUL_GROWTH });
        let has_grown = worker.lowest.is_none_or(|lowest| memory.saturating_sub(lowest) >= useful);
        let watched = worker.held_back.is_some() || (watched && worker.is_young(now));
        if has_grown && !watched {
            return true;
        }
        let held = worker.held_back.get_or_insert(HeldBack { since: now, memory, noted: false });
        if has_grown && (is_refusing || memory.saturating_sub(held.memory) >= percent(limit, GROWS_ON)) {
            return true;
        }
        if !held.noted && (!has_grown || now >= held.since + WATCHED_FOR) {
            held.noted = true;
            let proposed = Bytes((memory.0 / COMFORTABLE * 100).div_ceil(LIMIT_STEP) * LIMIT_STEP);
            effects.push(Effect::Log(Notice::ReplacementUseless { number, memory, limit, proposed }));
        }
        false
    }

    /// Whether a worker may be replaced that does not grow on, as it gets only a part of the requests.
    fn may_replace_blindly(&self, now: Duration) -> bool {
        let beyond = self.young_replaced.saturating_sub(MAX_YOUNG);
        let pause = if beyond == 0 { Duration::ZERO } else { BLIND_PAUSE * (1 << (beyond - 1).min(8)) };
        self.replaced_at.is_none_or(|at| now >= at + pause)
    }

    /// Counts how many young workers were replaced in a row, when another one is.
    pub(super) fn count_young_replacement(&mut self, number: u32, now: Duration) {
        let young = self.worker(number).is_some_and(|worker| worker.is_young(now));
        self.young_replaced = if young { self.young_replaced.saturating_add(1) } else { 0 };
    }
}
