//! When monitors are not watched: stretches in which some of them are not asked, and those in which the edge gets no ticks at all.

use fastrand::Rng;

use crate::script::{JOB, MINUTE, MONITORS, MonitorTick, Place, Skip};

/// The mean time between two stretches in which monitors are not asked, and between two without ticks, in minutes.
const SKIP_EVERY: f64 = 1500.0;
const AWAY_EVERY: f64 = 8000.0;

/// What keeps monitors from being watched. Its random numbers are its own, so that all else in a week is the same without it.
pub(super) struct Gaps {
    rng: Rng,
    /// The time between two ticks, in minutes.
    step: f64,
    place: Place,
    has_none: bool,
    away_until: i64,
    stretches: [Option<Stretch>; MONITORS],
}

/// Why and until when a monitor is not asked.
#[derive(Clone, Copy)]
struct Stretch {
    until: i64,
    skip: Skip,
    /// It is asked nevertheless in one of so many ticks.
    asked_in: Option<u8>,
}

impl Gaps {
    pub(super) fn new(seed: u64, step: i64, place: Place) -> Gaps {
        Gaps {
            rng: Rng::with_seed(seed ^ 0x6761_7073),
            step: (step / MINUTE) as f64,
            place,
            // Half of the weeks there are for everything else.
            has_none: place == Place::Workerd && seed.is_multiple_of(2),
            away_until: i64::MIN,
            stretches: [None; MONITORS],
        }
    }

    fn happens(&mut self, mean: f64) -> bool {
        self.rng.f64() * mean < self.step
    }

    /// Goes on to the tick at `at`. Returns whether the edge gets it.
    pub(super) fn step(&mut self, at: i64, monitors: &mut [MonitorTick; MONITORS]) -> bool {
        if self.has_none {
            return true;
        }
        if at > self.away_until && self.happens(AWAY_EVERY) {
            self.away_until = at + self.rng.i64(2..150) * MINUTE;
        }
        if self.happens(SKIP_EVERY) {
            self.begin_stretches(at);
        }
        for (monitor, stretch) in self.stretches.iter_mut().enumerate() {
            stretch.take_if(|it| at > it.until);
            let skip = stretch.filter(|it| it.asked_in.is_none_or(|ticks| self.rng.u8(..ticks) > 0));
            // A job reports by itself.
            monitors[monitor].skipped = skip.filter(|_| monitor != JOB).map(|it| it.skip);
        }
        at > self.away_until
    }

    /// Some or all monitors are not asked from `at` on, each for a time of its own or all for the same.
    fn begin_stretches(&mut self, at: i64) {
        let (are_all, end_together) = (self.rng.u8(..3) == 0, self.rng.bool());
        let longest = [15, 45, 240][self.rng.usize(..3)];
        let skip = [Skip::NoRoom, Skip::NoTime, Skip::Secret][self.rng.usize(..3)];
        let asked_in = (self.rng.u8(..4) == 0).then(|| self.rng.u8(2..12));
        // There a monitor is not asked because the list names a secret that is not set.
        let is_native = self.place == Place::Process;
        let (skip, asked_in) = if is_native { (skip, asked_in) } else { (Skip::Secret, None) };
        let together = at + self.rng.i64(2..longest) * MINUTE;
        for stretch in &mut self.stretches {
            if are_all || self.rng.u8(..3) == 0 {
                let own = at + self.rng.i64(2..longest) * MINUTE;
                *stretch = Some(Stretch { until: if end_together { together } else { own }, skip, asked_in });
            }
        }
    }
}
