//! Copies of the program take turns; requests wait while there is none.

use std::collections::BTreeMap;
use std::time::Duration;

use heapbeat_front::{FrontConfig, FrontHandle, HoldLimits, NotReady, UpstreamAddress, probe_ready};

use crate::support::{Peer, Program, TestFront, ok, soon, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

async fn fetch_body(client: &mut Peer) -> String {
    client.send(GET).await;
    client.response().await.unwrap().text()
}

#[tokio::test]
async fn new_requests_go_to_the_active_copy_and_the_old_one_drains() {
    let (closed, mut closings) = tokio::sync::mpsc::unbounded_channel();
    let (finish, permission) = tokio::sync::watch::channel(false);
    let old = Program::start(move |mut peer| {
        let (closed, mut permission) = (closed.clone(), permission.clone());
        async move {
            while let Some(request) = peer.request().await {
                if request.start.contains("/slow") {
                    permission.wait_for(|finish| *finish).await.unwrap();
                }
                peer.send(ok("old")).await;
            }
            closed.send(()).unwrap();
        }
    });
    let new = Program::named("new");
    let front = TestFront::start(FrontConfig::default());
    front.handle.activate(old.upstream(1));
    let mut client = front.connect().await;
    assert_eq!(fetch_body(&mut client).await, "old");
    let mut slow = front.connect().await;
    slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until("the slow request", || front.handle.in_flight(1) == 1).await;
    assert_eq!(fetch_body(&mut client).await, "old");
    front.handle.activate(new.upstream(2));
    front.handle.drain(1);
    assert_eq!(fetch_body(&mut client).await, "new", "on the same connection of the client");
    soon("the end of the idle connection", closings.recv()).await.unwrap();
    assert_eq!(front.handle.in_flight(1), 1);
    finish.send_replace(true);
    assert_eq!(slow.response().await.unwrap().text(), "old");
    soon("the end of the busy connection", closings.recv()).await.unwrap();
    until("the end of the drain", || front.handle.in_flight(1) == 0).await;
    front.handle.drain(2);
    assert_eq!(front.handle.statistics().active, [0; 0], "a copy that drains gets no new requests");
}

/// Three copies, of which one is stuck for a while with a request.
#[tokio::test]
async fn requests_go_to_the_active_copy_with_the_fewest_in_flight() {
    let (finish, permission) = tokio::sync::watch::channel(false);
    let start = |name: &'static str| {
        let permission = permission.clone();
        Program::start(move |mut peer| {
            let mut permission = permission.clone();
            async move {
                while let Some(request) = peer.request().await {
                    if request.start.contains("/slow") {
                        permission.wait_for(|finish| *finish).await.unwrap();
                    }
                    peer.send(ok(name)).await;
                }
            }
        })
    };
    let copies = ["a", "b", "c"].map(start);
    let front = TestFront::start(FrontConfig::default());
    for (id, copy) in (1..).zip(&copies) {
        front.handle.activate(copy.upstream(id));
    }
    assert_eq!(front.handle.statistics().active, [1, 2, 3]);
    let mut client = front.connect().await;
    let mut names = Vec::new();
    for _ in 0..9 {
        names.push(fetch_body(&mut client).await);
    }
    names.sort_unstable();
    assert_eq!(names.concat(), "aaabbbccc", "idle copies take turns");
    let mut slow = front.connect().await;
    slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until("the slow request", || (1..=3).any(|id| front.handle.in_flight(id) == 1)).await;
    let busy = (1..=3).find(|id| front.handle.in_flight(*id) == 1).unwrap();
    let busy_name = ["a", "b", "c"][usize::try_from(busy).unwrap() - 1];
    for _ in 0..6 {
        assert_ne!(fetch_body(&mut client).await, busy_name);
    }
    front.handle.drain(busy);
    assert_eq!(front.handle.statistics().active.len(), 2);
    finish.send_replace(true);
    assert_eq!(slow.response().await.unwrap().text(), busy_name, "it finishes");
}

#[tokio::test]
async fn an_aborted_copy_lets_go_of_what_is_in_flight() {
    let stuck = Program::start(|mut peer| async move {
        let request = peer.request().await.unwrap();
        if request.start.contains("/stream") {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").await;
        }
        peer.rest().await;
    });
    let front = TestFront::before(&stuck);
    let mut stream = front.connect().await;
    stream.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n").await;
    stream.head().await.unwrap();
    let mut get = front.connect().await;
    get.send(GET).await;
    let mut post = front.connect().await;
    post.send("POST / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until("three requests", || stuck.accepted() == 3 && front.handle.in_flight(1) == 3).await;
    let new = Program::named("new");
    front.handle.activate(new.upstream(2));
    front.handle.drain(1);
    // Whoever asks in the moment of a death may ask before any connection has failed.
    let unfinished = || front.handle.unfinished(1).into_iter().collect::<BTreeMap<_, _>>();
    let routes = [("GET", "/"), ("GET", "/stream"), ("POST", "/")];
    let expected: BTreeMap<_, _> =
        routes.map(|(method, path)| ((method, path.to_owned()), 1)).into_iter().collect();
    until("all three", || unfinished() == expected).await;
    front.handle.abort(1);
    assert_eq!(unfinished(), expected);
    assert_eq!(stream.rest().await, b"1\r\na\r\n", "broken off");
    assert_eq!(get.response().await.unwrap().text(), "new");
    assert_eq!(post.response().await.unwrap().status(), 502);
    assert_eq!(front.handle.in_flight(1), 0);
    assert_eq!(unfinished(), expected);
}

#[tokio::test]
async fn requests_wait_within_bounds() {
    let hold = HoldLimits { requests: 2, time: Duration::from_millis(300), ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { hold, ..FrontConfig::default() });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = front.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody").await;
        clients.push(client);
    }
    until("two requests", || front.handle.statistics().held.now == 2).await;
    let third = front.request(GET).await;
    assert_eq!((third.status(), third.header("retry-after")), (503, Some("5")));
    assert!(third.text().contains("too many requests wait"), "{}", third.text());
    for mut client in clients {
        let response = client.response().await.unwrap();
        assert_eq!((response.status(), response.header("retry-after")), (503, Some("5")));
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert!(response.text().contains("got ready within 0.3 s"), "{}", response.text());
    }
    let waits = front.handle.statistics().held;
    assert_eq!((waits.now, waits.total, waits.refused), (0, 2, 3));
    assert!(waits.longest >= Duration::from_millis(300));
}

/// A program at a fixed port that ends is the active one until its supervisor knows: its port refuses connections meanwhile.
#[tokio::test]
async fn a_request_that_waited_in_vain_is_told_what_it_waited_for() {
    let hold = HoldLimits { time: Duration::from_millis(300), ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { hold, ..FrontConfig::default() });
    let starting = front.request(GET).await;
    assert!(
        starting.text().contains("no instance of the program got ready within 0.3 s"),
        "{}",
        starting.text()
    );
    let program = Program::answering(|_| ok("here"));
    let upstream = program.upstream(1);
    front.handle.activate(upstream);
    assert_eq!(front.request(GET).await.text(), "here");
    program.kill();
    let ended = front.request(GET).await;
    assert_eq!((ended.status(), ended.header("retry-after")), (503, Some("5")));
    assert!(ended.text().contains("accepted no connection within 0.3 s: it has ended"), "{}", ended.text());
}

#[tokio::test]
async fn a_client_that_goes_away_waits_no_longer() {
    let front = TestFront::start(FrontConfig::default());
    let mut client = front.connect().await;
    client.send(GET).await;
    until("one request", || front.handle.statistics().held.now == 1).await;
    drop(client);
    until("no request", || front.handle.statistics().held.now == 0).await;
}

#[tokio::test]
async fn a_program_that_never_listens_is_answered_for_at_once() {
    let hold = HoldLimits { time: Duration::ZERO, ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { hold, ..FrontConfig::default() });
    assert_eq!(front.request(GET).await.status(), 503);
}

#[tokio::test]
async fn the_front_closes_after_the_last_response() {
    let (finish, permission) = tokio::sync::watch::channel(false);
    let program = Program::start(move |mut peer| {
        let mut permission = permission.clone();
        async move {
            peer.request().await.unwrap();
            permission.wait_for(|finish| *finish).await.unwrap();
            peer.send(ok("finished")).await;
        }
    });
    let front = TestFront::before(&program);
    let mut idle = front.connect().await;
    let mut busy = front.connect().await;
    busy.send(GET).await;
    until("the request", || front.handle.in_flight(1) == 1).await;
    front.handle.close();
    assert_eq!(idle.rest().await, b"");
    until("the end of the listener", || std::net::TcpStream::connect(front.address).is_err()).await;
    assert!(!front.is_stopped());
    finish.send_replace(true);
    let response = busy.response().await.unwrap();
    assert_eq!((response.text().as_str(), response.header("connection")), ("finished", Some("close")));
    until("the end", || front.is_stopped()).await;
}

#[tokio::test]
async fn requests_that_cannot_wait_as_long_as_an_outage_are_answered_at_once() {
    let hold = HoldLimits { time: Duration::from_secs(20), ..HoldLimits::default() };
    let front = TestFront::start(FrontConfig { hold, ..FrontConfig::default() });
    front.handle.announce_outage(Duration::from_secs(30));
    let refused = front.request("GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("30")));
    front.handle.announce_outage(Duration::from_secs(10));
    let mut waiting = front.connect().await;
    waiting.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n").await;
    until("the wait", || front.handle.statistics().held.now == 1).await;
    let program = Program::named("back");
    front.handle.activate(program.upstream(1));
    assert_eq!(waiting.response().await.unwrap().text(), "back");
}

#[tokio::test]
async fn before_the_front_closes_responses_end_their_connections_and_new_ones_are_accepted() {
    let program = Program::named("here");
    let front = TestFront::start(FrontConfig::default());
    front.handle.activate(program.upstream(1));
    let mut kept = front.connect().await;
    for expected in [None, Some("close")] {
        kept.send(GET).await;
        let response = kept.response().await.unwrap();
        assert_eq!((response.text().as_str(), response.header("connection")), ("here", expected));
        front.handle.announce_close();
    }
    assert_eq!(kept.rest().await, b"");
    assert_eq!(front.request(GET).await.text(), "here");
}

type Announcement = fn(&FrontHandle);

#[tokio::test]
async fn requests_that_wait_already_are_answered_when_an_outage_or_the_end_is_announced() {
    let hold = HoldLimits { time: Duration::from_secs(600), ..HoldLimits::default() };
    let retry_after = hold.retry_after.as_secs().to_string();
    let get = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc";
    let announcements: [(Announcement, &str); 2] = [
        (|handle| handle.announce_outage(Duration::from_secs(1000)), "1000"),
        (FrontHandle::refuse_waiting, &retry_after),
    ];
    for (announce, expected) in announcements {
        let front = TestFront::start(FrontConfig { hold: hold.clone(), ..FrontConfig::default() });
        let (mut first, mut second) = (front.connect().await, front.connect().await);
        first.send(get).await;
        second.send(post).await;
        until("both wait", || front.handle.waiting() == 2).await;
        // Requests that wait when the front closes are answered as well.
        front.handle.close();
        announce(&front.handle);
        for waiting in [&mut first, &mut second] {
            let refused = waiting.response().await.unwrap();
            assert_eq!((refused.status(), refused.header("retry-after")), (503, Some(expected)));
            assert_eq!(refused.header("connection"), Some("close"));
        }
        until("the end", || front.is_stopped()).await;
        assert_eq!(front.handle.waiting(), 0);
    }
}

#[tokio::test]
async fn a_copy_is_ready_when_it_answers_below_500() {
    let within = Duration::from_millis(400);
    let program = Program::named("gone");
    let gone = program.address.clone();
    program.kill();
    let mute = Program::start(|mut peer| async move { drop(peer.rest().await) });
    let failing =
        Program::answering(|_| "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned());
    let missing = Program::answering(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned());
    let probe = |address: &UpstreamAddress, path: Option<&'static str>| {
        let address = address.clone();
        async move { probe_ready(&[address], path, within).await.map(|_| ()) }
    };
    assert_eq!(probe(&gone, None).await, Err(NotReady::NotListening(gone.clone())));
    assert_eq!(probe(&mute.address, Some("/")).await, Err(NotReady::NoAnswer(mute.address.clone())));
    assert_eq!(probe(&mute.address, None).await, Ok(()));
    let refused = probe(&failing.address, Some("/ready")).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("{} answers with 503 Service Unavailable", failing.address));
    assert!(failing.accepted() > 1, "it was asked again");
    assert_eq!(probe(&missing.address, Some("/")).await, Ok(()));
    let elsewhere = [gone.clone(), missing.address.clone()];
    let ready = probe_ready(&elsewhere, Some("/"), within).await.unwrap();
    assert_eq!(ready.address, missing.address, "a program may listen on one of the machine's own addresses");
    let front = TestFront::start(FrontConfig::default());
    let mut probe = front.handle.probe(vec![missing.address.clone()], Some("/".to_owned()), within);
    let mut result = None;
    until("the probe", || {
        result = probe.result();
        result.is_some()
    })
    .await;
    assert!(result.unwrap().is_ok());
}
