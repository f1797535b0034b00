//! Random timelines, in which some promises hold whatever happens.

use proptest::prelude::*;

use super::*;

/// What happens to a worker: milliseconds until it is ready, if it gets ready, and until it dies after that.
type Life = (u64, bool, u64);

/// A restart: the death before it, whether that worker had been ready, and the start.
struct Restart {
    died: Duration,
    was_ready: bool,
    started: Duration,
}

/// Plays workers with these lives one after the other, with steps only when the machine asks for them.
fn play_lives(policy: &SupervisorPolicy, lives: &[Life], random: u32) -> Vec<Restart> {
    let mut machine = Machine::new(*policy);
    let mut now = Duration::ZERO;
    let mut effects = machine.step(Tick, now, random);
    let mut restarts = Vec::new();
    for (index, (before, was_ready, after)) in lives.iter().enumerate() {
        let number = u32::try_from(index).unwrap() + 1;
        assert!(effects.contains(&Start(number)), "{effects:?}");
        now += Duration::from_millis(*before);
        if *was_ready {
            machine.step(Ready(number), now, random);
            now += Duration::from_millis(*after);
        }
        let died = now;
        effects = machine.step(Exited(number, KILLED), now, random);
        while !effects.contains(&Start(number + 1)) {
            assert!(machine.next_step() > now, "the machine does not spin");
            now = machine.next_step();
            effects = machine.step(Tick, now, random);
        }
        restarts.push(Restart { died, was_ready: *was_ready, started: now });
    }
    restarts
}

proptest! {
    #[test]
    fn restarts_keep_to_the_budget_and_a_worker_that_served_waits_only_for_it(
        lives in proptest::collection::vec((0_u64..3000, any::<bool>(), 0_u64..5000), 1..60),
        per_minute in 1_u32..120,
        random: u32,
    ) {
        let policy = SupervisorPolicy { restarts_per_minute: per_minute, ..SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60) };
        let restarts = play_lives(&policy, &lives, random);
        for (index, restart) in restarts.iter().enumerate() {
            let minute = restart.started..restart.started + secs(60.0);
            let in_minute = restarts[index..].iter().filter(|it| minute.contains(&it.started)).count();
            prop_assert!(in_minute <= per_minute as usize, "{in_minute} of {per_minute}");
            // Half of the budget is there at once, and there were fewer restarts than that.
            if restart.was_ready && index < (per_minute as usize / 2).max(1) {
                prop_assert_eq!(restart.started, restart.died);
            }
        }
    }

    #[test]
    fn workers_that_do_not_get_ready_are_retried_within_the_longest_pause(
        lives in proptest::collection::vec((0_u64..3000, Just(false), Just(0)), 1..30),
        random: u32,
    ) {
        let policy = SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60);
        for restart in play_lives(&policy, &lives, random) {
            prop_assert!(restart.started <= restart.died + policy.max_backoff.mul_f64(1.2));
        }
    }
}
