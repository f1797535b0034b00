use super::*;

const TIMEOUTS: ClientTimeouts = ClientTimeouts {
    head: Duration::from_secs(10),
    idle: Duration::from_secs(120),
    write: Duration::from_secs(30),
    least_rate: 1024,
};

/// Plays the steps of a connection, and checks the deadline after each, in seconds since its start.
#[test]
fn the_deadline_follows_the_phase_of_the_connection() {
    let began = Instant::now();
    let at = |seconds: u64| began + Duration::from_secs(seconds);
    let clock = ConnectionClock::start(began);
    let ends = || clock.deadline(&TIMEOUTS).map(|deadline| (deadline - began).as_secs());
    assert_eq!(ends(), Some(10), "a client that sends nothing");
    clock.request_started(at(3));
    assert_eq!(ends(), None, "the program has as long as it needs");
    clock.bytes_received(|| at(4));
    assert_eq!(ends(), None, "a body has a timeout of its own");
    clock.write_stalled(|| at(5));
    clock.write_stalled(|| at(20));
    assert_eq!(ends(), Some(35), "nothing accepted since the fifth second");
    clock.response_ended(at(39));
    assert_eq!(clock.idle_since(), None, "a part of the response is not written");
    clock.write_resumed(1, || at(39));
    assert_eq!((ends(), clock.idle_since()), (Some(159), Some(at(39))));
    clock.bytes_received(|| at(50));
    clock.bytes_received(|| at(55));
    assert_eq!(ends(), Some(60), "the next request head has the head timeout");
    clock.request_started(at(56));
    clock.response_ended(at(57));
    assert!(!clock.close(|| at(58)), "the request was read completely");
    clock.leave_unread();
    assert!(clock.close(|| at(60)) && clock.close(|| at(65)));
    assert_eq!(ends(), Some(61), "the rest of a refused body is read for a moment");
}

#[test]
fn the_wait_ends_where_a_client_is_slower_than_allowed() {
    let seconds = Duration::from_secs;
    // Timeout, least rate, bytes so far, time waited so far, wait that remains.
    let cases = [
        (15, 1024, 0, 0, 15),
        (15, 1024, 1, 10, 5),
        (15, 1024, 2, 15, 0),
        (15, 1024, 10 * 1024, 20, 5),
        (15, 1024, 1 << 30, 900, 15),
        (15, 0, 1, 900, 15),
        (15, u64::MAX, u64::MAX, 15, 0),
    ];
    for (timeout, rate, bytes, waited, expected) in cases {
        let left = remaining_wait(seconds(timeout), rate, bytes, seconds(waited));
        assert_eq!((left + Duration::from_millis(500)).as_secs(), expected, "{bytes} bytes after {waited} s");
    }
}

#[test]
fn a_response_that_is_read_byte_by_byte_ends() {
    let began = Instant::now();
    let clock = ConnectionClock::start(began);
    clock.request_started(began);
    let mut now = began;
    loop {
        clock.write_stalled(|| now);
        let deadline = clock.deadline(&TIMEOUTS).filter(|_| now < began + Duration::from_secs(100));
        let Some(deadline) = deadline else { panic!("it goes on") };
        now += Duration::from_secs(10);
        if deadline <= now {
            break;
        }
        clock.write_resumed(1, || now);
    }
    assert_eq!((now - began).as_secs(), 40, "a moment after the write timeout");
}

#[test]
fn what_waits_for_the_client_is_woken_when_it_takes_something() {
    let now = Instant::now();
    let clock = ConnectionClock::start(now);
    let cx = Context::from_waker(Waker::noop());
    assert!(clock.poll_accepts(&cx).is_ready());
    clock.write_stalled(|| now);
    assert!(clock.poll_accepts(&cx).is_pending());
    clock.write_resumed(1, || now);
    assert!(clock.poll_accepts(&cx).is_ready() && clock.resumed.lock().unwrap().is_none());
}
