//! Makes a script of random numbers.

use fastrand::Rng;

use super::world::World;
use super::{DAY, HOUR, JOB, MINUTE, MONITORS, MonitorPlan, Place, SERVER, START, Script};

impl Script {
    /// The script of a seed with `ticks` ticks; a whole week without a number.
    pub(crate) fn new(seed: u64, place: Place, ticks: Option<usize>) -> Script {
        let mut rng = Rng::with_seed(seed);
        let steps: &[i64] = if place == Place::Process { &[1, 2, 5] } else { &[1, 5] };
        let step = steps[rng.usize(..steps.len())] * MINUTE;
        let length = usize::try_from(7 * DAY / step).unwrap_or_default();
        let length = match place {
            Place::Process => length,
            // A week of minutes would take ten minutes there.
            Place::Workerd => length.min(2016),
        };
        let count = ticks.unwrap_or(length);
        let mut script = Script {
            place,
            step,
            monitors: random_monitors(&mut rng),
            reminders: [None, Some(HOUR), Some(4 * HOUR), None],
            quiet: [None, Some((22, 7)), None, None],
            job_interval: rng.bool().then_some(30 * MINUTE),
            has_starts: rng.bool(),
            exits: Vec::new(),
            ticks: Vec::with_capacity(count),
        };
        let mut world = World::new(&mut rng, &script, place, seed);
        for number in 1..=count {
            let at = START + i64::try_from(number).unwrap_or_default() * step;
            world.step(&mut rng, at, &mut script.exits);
            script.ticks.push(world.tick().clone());
        }
        script
    }
}

fn random_monitors(rng: &mut Rng) -> [MonitorPlan; MONITORS] {
    let often = rng.u8(..3);
    std::array::from_fn(|monitor| MonitorPlan {
        failure_threshold: if monitor == JOB { 1 } else { [1, 1, 2, 3][rng.usize(..4)] },
        success_threshold: if monitor == JOB { 1 } else { [1, 1, 1, 2][rng.usize(..4)] },
        depends_on: (monitor > 0 && rng.u8(..4) < often).then(|| rng.usize(..monitor.min(SERVER))),
    })
}
