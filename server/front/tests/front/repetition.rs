//! Which requests are sent again when the program dies, and which are not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heapbeat_front::{FrontConfig, HoldLimits};

use crate::support::{Program, TestFront, ok, soon, until};

/// Starts a program whose first connections die after a request, and whose others answer with the body of the request.
fn dying(deaths: usize) -> Program {
    let left = Arc::new(AtomicUsize::new(deaths));
    Program::start(move |mut peer| {
        let left = Arc::clone(&left);
        async move {
            while let Some(request) = peer.request().await {
                let dies =
                    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                if dies {
                    return;
                }
                peer.send(ok(&format!("{}+{:?}", request.text(), request.trailers))).await;
            }
        }
    })
}

#[tokio::test]
async fn only_safe_requests_are_repeated() {
    let small = "Content-Length: 5\r\n\r\nsmall".to_owned();
    let large = format!("Content-Length: 70000\r\n\r\n{}", "a".repeat(70_000));
    let chunked =
        "Trailer: x-t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"
            .to_owned();
    let none = "\r\n".to_owned();
    // Method, rest of the request, deaths, status, a part of the response.
    let cases = [
        ("GET", &none, 1, 200, "+[]"),
        ("OPTIONS", &none, 1, 200, "+[]"),
        ("DELETE", &none, 1, 200, "+[]"),
        ("PUT", &small, 1, 200, "small+[]"),
        ("PUT", &chunked, 1, 200, "abcde+[(\"x-t\", \"1\")]"),
        ("PUT", &large, 1, 502, "this PUT was not repeated: a part of its body is no longer at hand"),
        ("GET", &none, 3, 200, "+[]"),
        ("PUT", &small, 2, 200, "small+[]"),
        ("POST", &none, 1, 502, "this POST was not repeated: its method is not idempotent"),
        ("POST", &small, 1, 502, "this POST was not repeated: its method is not idempotent"),
        ("PATCH", &small, 1, 502, "its method is not idempotent"),
        ("BREW", &none, 1, 502, "its method is not idempotent"),
    ];
    for (method, rest, deaths, status, part) in cases {
        let program = dying(deaths);
        let front = TestFront::before(&program);
        let response = front.request(&format!("{method} / HTTP/1.1\r\nHost: x\r\n{rest}")).await;
        assert_eq!(response.status(), status, "{method}: {response:?}");
        assert!(response.text().contains(part), "{method}: {}", response.text());
        let statistics = front.handle.statistics();
        let repeated = if status == 200 { deaths as u64 } else { 0 };
        assert_eq!(
            (statistics.repeated, statistics.failed),
            (repeated, u64::from(status == 502)),
            "{method}"
        );
        let label = if method == "BREW" { "OTHER" } else { method };
        let unfinished = vec![((label, "/".to_owned()), deaths as u64)];
        assert_eq!(front.handle.unfinished(1), unfinished, "{method}");
        if status == 502 {
            assert_eq!(response.header("content-type"), Some("application/problem+json"));
        }
    }
}

/// A request that the program dies of takes few copies with it, and is answered when requests may wait no longer.
#[tokio::test]
async fn a_request_is_repeated_with_growing_pauses_until_requests_may_wait_no_longer() {
    let program = dying(usize::MAX);
    let hold = HoldLimits { time: Duration::from_secs(1), ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { hold, ..FrontConfig::default() });
    front.handle.activate(program.upstream(1));
    let response = front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(response.status(), 502);
    assert!(response.text().contains("the time for repetitions is over"), "{}", response.text());
    // At once, after 10 ms, 250 ms and 500 ms; a busy machine may not come that far.
    assert!((2..=4).contains(&program.accepted()), "{}", program.accepted());
}

#[tokio::test]
async fn requests_that_waited_are_passed_on_in_turns() {
    let (answer, permission) = tokio::sync::watch::channel(false);
    let program = Program::start(move |mut peer| {
        let mut permission = permission.clone();
        async move {
            while peer.request().await.is_some() {
                permission.wait_for(|answer| *answer).await.unwrap();
                peer.send(ok("")).await;
            }
        }
    });
    let front = TestFront::start(FrontConfig::default());
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = front.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        clients.push(client);
    }
    until("the wait", || front.handle.statistics().held.now == 100).await;
    let begun = std::time::Instant::now();
    front.handle.activate(program.upstream(1));
    let mut late = front.connect().await;
    late.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    clients.push(late);
    // Without an answer there are twice as many turns half a second later.
    until("the first turns", || front.handle.in_flight(1) == 32).await;
    until("all of them", || front.handle.in_flight(1) == 101).await;
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
    answer.send_replace(true);
    for mut client in clients {
        assert_eq!(client.response().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_request_is_repeated_on_the_copy_that_is_active_then() {
    let front = TestFront::start(FrontConfig::default());
    let (received, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let old = Program::start(move |mut peer| {
        let received = received.clone();
        async move {
            peer.request().await.unwrap();
            received.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    });
    front.handle.activate(old.upstream(1));
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    requests.recv().await.unwrap();
    front.handle.deactivate();
    old.kill();
    until("the wait", || front.handle.statistics().held.now == 1).await;
    let new = Program::named("new");
    front.handle.activate(new.upstream(2));
    assert_eq!(client.response().await.unwrap().text(), "new");
    let held = front.handle.statistics().held;
    assert_eq!((held.now, held.total, held.refused), (0, 1, 0));
    assert!(held.longest > Duration::ZERO);
}

/// The program closes each connection after its response, without a word. The front finds out at once or at the next request.
#[tokio::test]
async fn a_kept_connection_that_turns_out_closed_costs_nothing() {
    let program = Program::start(|mut peer| async move {
        if let Some(request) = peer.request().await {
            peer.send(ok(&request.start)).await;
        }
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    for _ in 0..200 {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(client.response().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn any_request_waits_while_connections_are_refused() {
    let program = Program::named("old");
    let upstream = program.upstream(1);
    program.kill();
    let front = TestFront::start(FrontConfig::default());
    front.handle.activate(upstream);
    let mut clients = Vec::new();
    for method in ["GET", "POST"] {
        let mut client = front.connect().await;
        client.send(format!("{method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")).await;
        clients.push(client);
    }
    until("the wait", || front.handle.statistics().held.now == 2).await;
    let new = Program::answering(|request| ok(&request.text()));
    front.handle.activate(new.upstream(2));
    front.handle.drain(1);
    for mut client in clients {
        assert_eq!(client.response().await.unwrap().text(), "body");
    }
    assert_eq!(front.handle.statistics().repeated, 0);
}

#[tokio::test]
async fn the_memory_for_repetitions_is_bounded() {
    let program = dying(1);
    let hold = HoldLimits { repeat_total: 3, ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { hold, ..FrontConfig::default() });
    front.handle.activate(program.upstream(1));
    let put = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(front.request(put).await.status(), 502);
    assert_eq!(front.request(put).await.status(), 200);
}

#[tokio::test]
async fn a_program_that_speaks_something_else_is_a_bad_gateway() {
    let program = Program::start(|mut peer| async move {
        peer.request().await.unwrap();
        peer.send("220 smtp.example ESMTP\r\n\r\n").await;
    });
    let front = TestFront::before(&program);
    let response = front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((response.status(), response.text().contains("HTTP/1.1")), (502, true));
}

#[tokio::test]
async fn a_request_that_ends_two_instances_is_not_sent_to_a_third() {
    let front = TestFront::start(FrontConfig::default());
    let programs = [dying(usize::MAX), dying(usize::MAX)];
    front.handle.activate(programs[0].upstream(1));
    let mut client = front.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until("the first death", || programs[0].accepted() > 0).await;
    front.handle.activate(programs[1].upstream(2));
    front.handle.abort(1);
    let response = client.response().await.unwrap();
    assert_eq!(response.status(), 502);
    assert!(response.text().contains("two instances ended while they had it"), "{}", response.text());
    let good = Program::named("good");
    front.handle.activate(good.upstream(3));
    front.handle.abort(2);
    assert_eq!(
        front.request("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.text(),
        "good",
        "the next one is sent"
    );
}

/// Requests in flight to a copy that was killed from outside are not the reason for its end.
#[tokio::test]
async fn a_copy_that_was_killed_from_outside_does_not_count_against_its_requests_four_in_all() {
    let (received, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let silent = || {
        let received = received.clone();
        Program::start(move |mut peer| {
            let received = received.clone();
            async move {
                peer.request().await.unwrap();
                received.send(()).unwrap();
                std::future::pending::<()>().await;
            }
        })
    };
    // Which copies are killed from outside, and what becomes of the request.
    let cases: [(&[bool], u16, &str); 5] = [
        (&[true, false], 200, "good"),
        (&[true, true, false], 200, "good"),
        (&[true, false, false], 502, "two instances ended while they had it"),
        (&[false, false], 502, "two instances ended while they had it"),
        (&[true, true, true, true], 502, "four instances were replaced or ended"),
    ];
    for (killed, status, part) in cases {
        let front = TestFront::start(FrontConfig::default());
        let mut programs: VecDeque<Program> = killed.iter().map(|_| silent()).collect();
        let good = Program::named("good");
        front.handle.activate(programs[0].upstream(0));
        let mut client = front.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        for (id, from_outside) in (0_u64..).zip(killed) {
            soon("the request", requests.recv()).await.unwrap();
            programs.pop_front().unwrap().kill();
            // The guard learns of the end when the connections have failed.
            until("the loss", || front.handle.in_flight(id) == 0).await;
            front.handle.deactivate_copy(id);
            if *from_outside {
                front.handle.note_end_from_outside(id);
            }
            front.handle.abort(id);
            let next = programs.front().unwrap_or(&good);
            front.handle.activate(next.upstream(id + 1));
        }
        let response = client.response().await.unwrap();
        assert_eq!(
            (response.status(), response.text().contains(part)),
            (status, true),
            "{killed:?}: {}",
            response.text()
        );
    }
}

#[tokio::test]
async fn a_request_outlives_replacements_of_a_program_that_never_answers_it_four_at_most() {
    let silent = || {
        Program::start(|mut peer| async move {
            while peer.request().await.is_some() {
                std::future::pending::<()>().await;
            }
        })
    };
    for (replacements, status, part) in [(3, 200, "good"), (4, 502, "four instances were replaced or ended")]
    {
        let front = TestFront::start(FrontConfig::default());
        let programs: Vec<Program> = (0..replacements).map(|_| silent()).collect();
        let good = Program::named("good");
        front.handle.activate(programs[0].upstream(0));
        let mut client = front.connect().await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        for (id, program) in (0_u64..).zip(&programs) {
            until("the request", || front.handle.in_flight(id) == 1 && program.accepted() == 1).await;
            let next = programs.get(usize::try_from(id).unwrap() + 1).unwrap_or(&good);
            front.handle.activate(next.upstream(id + 1));
            front.handle.drain(id);
            front.handle.abort(id);
        }
        let response = client.response().await.unwrap();
        assert_eq!(
            (response.status(), response.text().contains(part)),
            (status, true),
            "{}",
            response.text()
        );
    }
}
