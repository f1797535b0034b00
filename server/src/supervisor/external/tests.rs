use heapbeat_forecast::Verdict;

use super::fast_leak::GrowthSoFar;
use super::*;
use crate::config::Config;
use crate::supervisor::agent_link::PurgeReport;
use crate::supervisor::agent_link::fake::{FakeAgents, function, heap};
use crate::supervisor::machine::MachineEvent;

const MB: u64 = 1 << 20;

fn guarded(limit: Bytes) -> ExternalProgram {
    ExternalProgram {
        command: vec!["node".into()],
        limit,
        thresholds: Config::default().thresholds,
        shrink: ShrinkMethod::None,
        recycle_signal: None,
        ready_after: Duration::from_secs(3),
        takes_requests: true,
        stop_signal: 15,
        instances: 1,
        single: false,
        hold: Duration::from_secs(30),
        ready_timeout: Duration::from_secs(60),
        stderr_tail: true,
        open_files: None,
    }
}

/// An instance that serves alone.
struct Instance {
    number: WorkerNumber,
    pid: u32,
    age: Duration,
    memory: Bytes,
}

impl Instance {
    fn serving<'a>(&self, family: &'a [u32]) -> Serving<'a> {
        let instance = MonitoredProcess {
            number: self.number,
            pid: Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap(),
            age: self.age,
            ready: Some(true),
            serves: true,
            family,
        };
        Serving { instances: vec![instance], memory: self.memory }
    }

    /// Judges the instance once, and returns the function that is named.
    fn judge(
        &self,
        monitor: &mut ProgramMonitor,
        agents: &mut FakeAgents,
        now: Instant,
    ) -> Option<EventKind> {
        let family = [self.pid];
        let serving = self.serving(&family);
        monitor.follow_change(&serving, now);
        monitor.observe_heaps(&serving, Some(agents), now);
        monitor.apply_ladder(&serving, Some(agents), now);
        monitor.heap_monitor.name_function(now)
    }
}

fn agents_of(pid: u32) -> FakeAgents {
    FakeAgents { growing: vec![function(pid, "listOrders", "/app/orders.js")], ..FakeAgents::default() }
}

#[test]
fn a_leak_is_told_and_named_once_even_if_the_program_is_replaced_before_it_reaches_a_threshold() {
    let mut monitor = ProgramMonitor::new(guarded(Bytes(4096 * MB)), None).unwrap();
    let start = monitor.epoch;
    for (number, pid) in [(1, 7), (2, 8)] {
        let began = start + Duration::from_secs(1000 * u64::from(number));
        let mut agents = agents_of(pid);
        let mut told_at = None;
        for second in 0..900_u64 {
            let now = began + Duration::from_secs(second);
            agents.heaps = vec![heap(pid, 50 + second, 4096, now)];
            let (age, memory) = (Duration::from_secs(second), Bytes((100 + second) * MB));
            let named = Instance { number, pid, age, memory }.judge(&mut monitor, &mut agents, now);
            assert_eq!(monitor.pressure, Pressure::Calm, "{second}");
            if named.is_some() {
                assert_eq!(told_at, None, "named at {second} again");
                told_at = Some(second);
                let verdict = monitor.forecaster.assess(monitor.levels.limit()).verdict;
                assert_eq!(verdict, Verdict::Leaking);
            }
        }
        assert!(told_at.is_some(), "instance {number} is not named");
        assert_eq!(agents.holders, [(pid, 10)], "an agent that has to record is asked once");
    }
}

#[test]
fn an_alert_without_a_forecast_leaves_the_time_that_the_instance_before_had() {
    // Seconds after which the instance before was replaced, and for which allocations are recorded after six.
    for (former, expected) in [(None, 10), (Some(18), 4), (Some(7), 2)] {
        let mut monitor = ProgramMonitor::new(guarded(Bytes(256 * MB)), None).unwrap();
        if let Some(life) = former {
            let (grown, limit, age) = (Bytes(100 * MB), Bytes(256 * MB), Duration::from_secs(life));
            monitor.fast_leak.note_end(GrowthSoFar { grown, limit, age });
        }
        let mut agents = agents_of(7);
        let age = Duration::from_secs(6);
        let family = [7];
        let serving = Instance { number: 1, pid: 7, age, memory: Bytes(200 * MB) }.serving(&family);
        let nothing = monitor.forecaster.assess(monitor.levels.limit());
        assert_eq!(nothing.time_to_limit, None);
        let now = monitor.epoch + age;
        monitor.warn_of_leak(&serving, &nothing, Some(&mut agents), now);
        assert_eq!(agents.holders, [(7, expected)], "{former:?}");
    }
}

#[test]
fn a_fast_leak_is_looked_for_before_an_alert_and_named_if_the_instance_before_leaked_as_well() {
    let mut monitor = ProgramMonitor::new(guarded(Bytes(256 * MB)), None).unwrap();
    let start = monitor.epoch;
    // For each instance: its growth in MB a second, its life in seconds, when it is asked first, and whether a function is named below the
    // alert threshold.
    let lives = [(8, 13, true, false), (8, 13, false, true), (0, 120, false, false), (8, 13, true, false)];
    let mut began = start;
    for (index, (rate, life, asked, named)) in (0_u32..).zip(lives) {
        let (number, pid) = (index + 1, index + 7);
        let mut agents = agents_of(pid);
        let mut was_named = false;
        for tick in 0..=4 * life {
            let (age, now) = (Duration::from_millis(250 * tick), began + Duration::from_millis(250 * tick));
            let memory = 40 + rate * tick / 4;
            agents.heaps = vec![heap(pid, memory, 256, now)];
            let memory = Bytes(memory * MB);
            monitor.spans.entry(number).or_insert((memory, memory)).1 = memory;
            let name = Instance { number, pid, age, memory }.judge(&mut monitor, &mut agents, now);
            was_named |= name.is_some() && monitor.pressure == Pressure::Calm;
        }
        began += Duration::from_secs(life) + Duration::from_millis(250);
        assert_eq!(!agents.holders.is_empty(), asked, "instance {number}: {:?}", agents.holders);
        assert_eq!(was_named, named, "instance {number}");
    }
}

/// V8 gives up within a second or two of such a heap, so neither the next full measurement nor a second observation is waited for.
#[test]
fn a_heap_that_is_full_after_a_collection_is_replaced_when_the_answer_comes() {
    let mut monitor = ProgramMonitor::new(guarded(Bytes(4096 * MB)), None).unwrap();
    let (start, pid) = (monitor.epoch, std::process::id());
    let mut agents = FakeAgents::default();
    let at = |millis: u64| start + Duration::from_millis(millis);
    let subject = |now: Instant| MonitoredProcess {
        number: 1,
        pid: Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        age: now.duration_since(start),
        ready: Some(true),
        serves: true,
        family: &[],
    };
    let requests = |events: Vec<MachineEvent>| {
        events.iter().filter(|event| matches!(event, MachineEvent::RecycleRequested(..))).count()
    };
    let family = [pid];
    for (second, used) in (0..4).zip([5, 7, 9, 10]) {
        let now = at(1000 * second);
        agents.heaps = vec![heap(pid, used, 14, now)];
        let subjects = [MonitoredProcess { family: &family, ..subject(now) }];
        assert_eq!(requests(monitor.measure(&subjects, Some(&mut agents), now)), 0, "{second}");
    }
    assert_eq!(agents.purges, [pid], "a collection is requested first");
    assert_eq!(monitor.next_quick_reading(), None);
    let report = PurgeReport {
        freed: Bytes(0),
        used: Some(Bytes(10 * MB)),
        resident_freed: None,
        took: Duration::from_millis(20),
        refused: None,
    };
    let answered = at(3050);
    monitor.record_notice(&AgentNotice { pid, kind: AgentNoticeKind::Purged(report) }, answered);
    assert_eq!(monitor.next_quick_reading(), Some(answered));
    let subjects = [MonitoredProcess { family: &family, ..subject(answered) }];
    assert_eq!(requests(monitor.measure_quickly(&subjects, Some(&mut agents), answered)), 1);
}
