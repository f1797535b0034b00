use std::time::Instant;

use heapbeat_shared::Bytes;

use super::ipc_reader::LivenessTracker;
use super::*;
use crate::supervisor::machine::{Effect, Machine, MachineEvent, Notice};
use crate::supervisor::policy::SupervisorPolicy;

const HANG: Duration = Duration::from_secs(6);
const TIMING: WorkerTiming =
    WorkerTiming { hang: HANG, sample_interval: Duration::from_secs(1), drain: Duration::from_secs(25) };

fn link() -> Arc<SupervisorLink> {
    let (socket, _supervisor) = UnixStream::pair().unwrap();
    Arc::new(SupervisorLink {
        socket,
        replacement_status: AtomicU8::new(0),
        runtime_polls: AtomicU64::new(0),
        samples: AtomicU64::new(0),
        resident: AtomicU64::new(0),
        previous: Arc::default(),
    })
}

/// A supervisor's machine whose worker is ready.
fn supervising() -> Machine {
    let mut machine = Machine::new(SupervisorPolicy::new(Bytes::from_mb(512), HANG, TIMING.drain, 60));
    machine.step(MachineEvent::Tick, Duration::ZERO, 0);
    machine.step(MachineEvent::Ready(1), Duration::ZERO, 0);
    machine
}

/// The runtime is real and has one thread, which a task blocks nearly all the time. The supervisor's time is simulated, so the test
/// does not depend on the speed of the machine.
#[test]
fn a_busy_worker_is_not_mistaken_for_a_hung_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (link, start) = (link(), Instant::now());
        let (mut machine, mut tracker) = (supervising(), LivenessTracker::default());
        let mut hung_after = |round: u32, link: &SupervisorLink| {
            link.record_sample(Bytes::from_mb(8));
            let now = HANG / 2 * round;
            let runtime_polls = tracker.runtime_polls(link, TIMING, start + now);
            let heartbeat = MachineEvent::Heartbeat(1, runtime_polls, Bytes::from_mb(8));
            machine.step(heartbeat, now, 0).contains(&Effect::Log(Notice::Hung(1, HANG)))
        };
        let runtime_polls = tokio::spawn(count_runtime_polls(Arc::clone(&link), Duration::from_millis(10)));
        for round in 1..=10 {
            let before = link.runtime_polls.load(Ordering::Relaxed);
            while link.runtime_polls.load(Ordering::Relaxed) == before {
                std::thread::park_timeout(Duration::from_millis(2));
                tokio::task::yield_now().await;
            }
            assert!(!hung_after(round, &link), "round {round}");
        }
        runtime_polls.abort();
        assert!(!hung_after(11, &link), "half the timeout without a turn");
        assert!(hung_after(12, &link), "the timeout without a turn");
    });
}

#[test]
fn turns_do_not_count_while_the_sampler_is_stuck() {
    let (link, start) = (link(), Instant::now());
    let mut tracker = LivenessTracker::default();
    let mut turns_at = |seconds: u64| {
        link.record_runtime_poll();
        tracker.runtime_polls(&link, TIMING, start + Duration::from_secs(seconds))
    };
    assert_eq!([0, 1, 4, 5, 9].map(&mut turns_at), [1, 2, 3, 3, 3]);
    link.record_sample(Bytes::ZERO);
    assert_eq!(turns_at(10), 6);
}
