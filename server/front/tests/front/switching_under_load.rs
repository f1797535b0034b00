//! Fifty clients send without a pause while the program is replaced twenty times and killed twenty times.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use heapbeat_front::FrontConfig;

use crate::support::{Program, TestFront, ok, until};

/// Requests between two replacements.
const STRIDE: u64 = 200;

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    broken_off: AtomicU64,
}

/// A client that goes on until it is told to stop. Every third request is one that may not be repeated.
async fn client(front: Arc<TestFront>, number: u64, counts: Arc<Counts>, stop: Arc<AtomicBool>) {
    let mut connection = front.connect().await;
    for round in number.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let method = if round % 3 == 0 { "POST" } else { "GET" };
        connection
            .send(format!("{method} /items/{round} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"))
            .await;
        let Some(response) = connection.response().await else {
            counts.broken_off.fetch_add(1, Ordering::SeqCst);
            connection = front.connect().await;
            continue;
        };
        match (response.status(), method) {
            (200, _) => {
                assert_eq!(response.text(), format!("{method} /items/{round} HTTP/1.1 hi"));
                counts.answered.fetch_add(1, Ordering::SeqCst);
            }
            // What was in flight when the program was killed.
            (502, "POST") => drop(counts.failed.fetch_add(1, Ordering::SeqCst)),
            _ => panic!("{response:?}"),
        }
    }
}

fn copy() -> Program {
    Program::answering(|request| ok(&format!("{} {}", request.start, request.text())))
}

#[tokio::test]
async fn nothing_is_refused_and_only_unrepeatable_requests_of_a_killed_copy_fail() {
    let front = Arc::new(TestFront::start(FrontConfig::default()));
    let mut current = copy();
    front.handle.activate(current.upstream(0));
    let (counts, stop) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..50)
        .map(|number| {
            tokio::spawn(client(Arc::clone(&front), number, Arc::clone(&counts), Arc::clone(&stop)))
        })
        .collect();
    let answered = || counts.answered.load(Ordering::SeqCst);
    let ended = || answered() + counts.failed.load(Ordering::SeqCst);
    for id in 1..=20 {
        let goal = ended() + STRIDE;
        until("requests before a replacement", || ended() >= goal).await;
        let next = copy();
        front.handle.activate(next.upstream(id));
        front.handle.drain(id - 1);
        until("the end of the drain", || front.handle.in_flight(id - 1) == 0).await;
        std::mem::replace(&mut current, next).kill();
    }
    assert_eq!(counts.failed.load(Ordering::SeqCst), 0, "a replacement fails no request");
    let mut most_in_flight = 0;
    for id in 21..=40 {
        let goal = ended() + STRIDE;
        until("requests before a kill", || ended() >= goal).await;
        most_in_flight += 50;
        current.kill();
        if id % 2 == 0 {
            front.handle.deactivate();
        }
        current = copy();
        front.handle.activate(current.upstream(id));
        front.handle.drain(id - 1);
    }
    let goal = ended() + STRIDE;
    until("requests after the last kill", || ended() >= goal).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let statistics = front.handle.statistics();
    let failed = counts.failed.load(Ordering::SeqCst);
    assert_eq!(statistics.failed, failed);
    // A response that had begun when the program was killed cannot be taken back.
    assert!(failed + counts.broken_off.load(Ordering::SeqCst) <= most_in_flight, "{failed} failed");
    assert_eq!((statistics.held.refused, statistics.held.now, statistics.rejected), (0, 0, 0));
    assert!(answered() >= 41 * STRIDE - most_in_flight, "{} answered", answered());
}
