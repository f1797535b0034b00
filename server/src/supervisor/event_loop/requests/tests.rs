use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::*;
use crate::supervisor::gateway::{Readiness, RouteInFlight, Variable};

/// A front that answers nothing, and ends when it is told to.
#[derive(Debug, Default)]
struct FakeGateway {
    ended: Rc<Cell<bool>>,
}

impl Gateway for FakeGateway {
    fn assign(&mut self, _: WorkerNumber) -> io::Result<Vec<Variable>> {
        Ok(Vec::new())
    }

    fn probe(&mut self, _: WorkerNumber) {}

    fn readiness(&mut self, _: WorkerNumber) -> Readiness {
        Readiness::Pending
    }

    fn address(&self, _: WorkerNumber) -> Option<SocketAddr> {
        None
    }

    fn expects_listener(&self) -> bool {
        true
    }

    fn activate(&mut self, _: WorkerNumber) {}

    fn drain(&mut self, _: WorkerNumber) {}

    fn deactivate(&mut self, _: WorkerNumber) {}

    fn note_end_from_outside(&mut self, _: WorkerNumber) {}

    fn abort(&mut self, _: WorkerNumber) {}

    fn release(&mut self, _: WorkerNumber) {}

    fn in_flight(&self, _: WorkerNumber) -> usize {
        1
    }

    fn unfinished(&self, _: WorkerNumber) -> Vec<RouteInFlight> {
        Vec::new()
    }

    fn is_hung(&mut self, _: WorkerNumber, _: Duration) -> bool {
        false
    }

    fn announce_outage(&mut self, _: Duration) {}

    fn waiting(&self) -> usize {
        0
    }

    fn refuse_waiting(&mut self) {}

    fn shed(&mut self, _: u16) {}

    fn set_memory_short(&mut self, _: bool) {}

    fn announce_close(&mut self) {}

    fn close(&mut self) {}

    fn is_closed(&self) -> bool {
        self.ended.get()
    }
}

#[test]
fn the_end_of_the_front_is_a_failure_once_unless_it_was_asked_to_close() {
    let ended = Rc::new(Cell::new(false));
    let mut requests = Requests::new(Box::new(FakeGateway { ended: Rc::clone(&ended) }), None);
    assert!(!requests.take_failure());
    ended.set(true);
    assert!(requests.take_failure());
    assert!(!requests.take_failure(), "it is said once");

    let ended = Rc::new(Cell::new(false));
    let mut requests = Requests::new(Box::new(FakeGateway { ended: Rc::clone(&ended) }), None);
    requests.close();
    ended.set(true);
    assert!(!requests.take_failure());
    assert!(requests.take_closed());
    assert!(!requests.take_closed(), "it is said once");
}

#[test]
fn an_instance_that_starts_slowly_is_looked_at_until_it_listens_somewhere() {
    let mut requests = Requests::new(Box::new(FakeGateway::default()), None);
    let start = Instant::now();
    requests.started(1, start);
    let mut look = |seconds, found: bool| {
        let late = requests.take_late(start + Duration::from_secs(seconds));
        if found {
            requests.end_late_looks(1);
        }
        late
    };
    // Seconds after the start, whether it is found to listen then, and what is due.
    let cases = [
        (4, false, vec![]),
        (5, false, vec![(1, true)]),
        (7, false, vec![]),
        (10, false, vec![(1, false)]),
        (16, true, vec![(1, false)]),
        (30, false, vec![]),
    ];
    for (seconds, found, due) in cases {
        assert_eq!(look(seconds, found), due, "{seconds} s");
    }
}
