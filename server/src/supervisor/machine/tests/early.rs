//! Programs that start slowly and leak: they are replaced while another instance fits beside them.

use super::*;

/// The growth of each instance: MB a second, and the memory from which it is observed.
const BASELINE: u64 = 60;

/// A machine of 512 MB whose first instance is ready after a time.
fn started_after(start: f64) -> Machine {
    let mut machine = machine_behind_front();
    machine.policy.replaces_early = true;
    let events = [(0.0, Tick), (start - 0.1, Heartbeat(1, 1, mb(BASELINE))), (start, Ready(1))];
    play(&mut machine, &[], &events);
    machine
}

/// Lets an instance grow from when it was ready, and returns its memory in MB when the next one was started; `None` if it was not up to
/// `until` MB.
fn grow(
    machine: &mut Machine,
    number: WorkerNumber,
    per_second: u64,
    until: u64,
    leaking: bool,
) -> Option<u64> {
    let from = machine.last_step;
    machine.step(MachineEvent::Leaking(number, leaking), from, MIDDLE);
    (1..)
        .map(|second| (second, BASELINE + second * per_second))
        .take_while(|(_, memory)| *memory <= until)
        .find_map(|(second, memory)| {
            let now = from + Duration::from_secs(second);
            let effects = machine.step(Heartbeat(number, second + 1, mb(memory)), now, MIDDLE);
            effects.contains(&Start(number + 1)).then_some(memory)
        })
}

#[test]
fn a_program_that_is_known_to_leak_is_replaced_while_both_fit() {
    // Start in seconds, growth in MB/s, whether a leak is known, memory when it is replaced. Of 512 MB both may have 460 when the old one
    // has exited, a second after the new one is ready.
    let cases = [
        (5.0, 1, true, Some(393)),
        (5.0, 10, true, Some(330)),
        (20.0, 10, true, Some(190)),
        (5.0, 1, false, None),
        (0.5, 1, true, None),
    ];
    for (start, per_second, leaking, expected) in cases {
        let found = grow(&mut started_after(start), 1, per_second, 470, leaking);
        assert_eq!(found, expected, "{start} s, {per_second} MB/s, {leaking}");
    }
}

#[test]
fn an_instance_that_grows_as_the_one_before_did_leaks() {
    // Growth of the first and of the second instance in MB/s, memory when the second one is replaced.
    for (first, second, expected) in [(10, 10, Some(340)), (10, 6, Some(360)), (10, 30, None), (10, 2, None)]
    {
        let mut machine = started_after(5.0);
        assert_eq!(grow(&mut machine, 1, first, 470, false), None);
        let at = machine.last_step;
        let recycle = RecycleRequested(1, mb(470), "memory".into());
        let effects = machine.step(recycle, at, MIDDLE);
        assert!(effects.contains(&Effect::Drain(1)), "{effects:?}");
        let at = at.as_secs_f64();
        let events = [
            (at + 0.1, MachineEvent::Drained(1)),
            (at + 0.2, Exited(1, ProcessExit::Signal(15))),
            (at + 5.0, Heartbeat(2, 1, mb(BASELINE))),
            (at + 5.2, Ready(2)),
        ];
        play(&mut machine, &[], &events);
        assert_eq!(grow(&mut machine, 2, second, 470, false), expected, "{first} and {second} MB/s");
    }
}

#[test]
fn a_burst_after_the_start_is_not_taken_for_the_leak() {
    let mut machine = started_after(5.0);
    assert_eq!(grow(&mut machine, 1, 6, 470, false), None);
    machine.last_leak = machine.worker(1).and_then(|worker| worker.growth_since_ready(secs(73.0)));
    // 90 MB in the first seconds, and 6 MB/s after that.
    let mut young = started_after(5.0);
    young.last_leak = machine.last_leak;
    let memory = |second: u64| BASELINE + (second * 45).min(90) + second.saturating_sub(2) * 6;
    let replaced = (1..60).find(|second| {
        let now = secs(5.0) + Duration::from_secs(*second);
        let effects = young.step(Heartbeat(1, *second, mb(memory(*second))), now, MIDDLE);
        effects.contains(&Start(2))
    });
    assert_eq!(replaced.map(memory), Some(354));
}

#[test]
fn a_program_of_which_two_never_fit_is_not_replaced_early() {
    let mut machine = machine_behind_front();
    machine.policy.replaces_early = true;
    let events = [
        (0.0, Tick),
        (4.9, Heartbeat(1, 1, mb(230))),
        (5.0, Ready(1)),
        (5.1, MachineEvent::Leaking(1, true)),
    ];
    play(&mut machine, &[], &events);
    for memory in 231_u32..470 {
        let at = 5.0 + f64::from(memory - 230);
        let effects = play(&mut machine, &[], &[(at, Heartbeat(1, memory.into(), mb(memory.into())))]);
        assert_eq!(quiet(effects), [], "{memory}");
    }
}

#[test]
fn a_program_that_gets_no_requests_or_renews_itself_is_not_replaced_early() {
    let mut machine = started_after(5.0);
    machine.policy.replaces_early = false;
    assert_eq!(grow(&mut machine, 1, 1, 470, true), None);
}
