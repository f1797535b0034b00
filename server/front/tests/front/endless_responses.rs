//! Programs that never come to an end of what HTTP lets them say before, within and after a response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heapbeat_front::{FrontConfig, FrontLimits};

use crate::support::{Peer, Program, TestFront, ok, soon, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const ENDLESS: &str = "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends `part` again and again until the front closes the connection, and counts the bytes.
async fn send_without_end(peer: &mut Peer, part: &str, sent: &AtomicUsize) {
    let block = part.repeat((16_usize << 10).div_ceil(part.len()));
    while peer.try_send(block.as_bytes()).await {
        sent.fetch_add(block.len(), Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

/// Starts a program that answers `/endless` with `begin`, and `part` without end; and anything else as it should.
fn endless(begin: &'static str, part: &'static str) -> (Program, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (sent, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, ends) = (Arc::clone(&sent), Arc::clone(&ended));
    let program = Program::start(move |mut peer| {
        let (sent, ended) = (Arc::clone(&count), Arc::clone(&ends));
        async move {
            while let Some(request) = peer.request().await {
                if request.start.contains("/endless") {
                    peer.try_send(begin.as_bytes()).await;
                    send_without_end(&mut peer, part, &sent).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if !peer.try_send(ok("fine").as_bytes()).await {
                    return;
                }
            }
        }
    });
    (program, sent, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_responses_without_end_are_a_bad_gateway_and_slow_nobody_else() {
    let (program, sent, ended) = endless("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    let front = Arc::new(TestFront::before(&program));
    let attackers: Vec<_> = (0..8)
        .map(|_| {
            let front = Arc::clone(&front);
            tokio::spawn(async move { front.request(ENDLESS).await })
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(soon("another request", front.request(GET)).await.text(), "fine");
    }
    for attacker in attackers {
        let response = soon("an answer", attacker).await.unwrap();
        assert_eq!((response.status(), response.header("connection")), (502, Some("close")));
        assert!(response.text().contains("interim responses (1xx) without end"), "{}", response.text());
    }
    until("the connections to the program to be closed", || ended.load(Ordering::SeqCst) == 8).await;
    // 512 kB each, and what both sockets hold.
    assert!(sent.load(Ordering::SeqCst) < 8 * (16 << 20), "{}", sent.load(Ordering::SeqCst));
    assert_eq!(front.handle.statistics().failed, 8);
    assert_eq!(front.request(GET).await.text(), "fine");
}

#[tokio::test]
async fn some_interim_responses_pass_over_and_the_bound_is_for_each_request() {
    let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\n\r\n", "a".repeat(30_000));
    let program = Program::answering(move |_| format!("{}{}", hint.repeat(10), ok("after hints")));
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    for _ in 0..3 {
        client.send(GET).await;
        assert_eq!(client.response().await.unwrap().text(), "after hints");
    }
    assert_eq!(program.accepted(), 1, "the connection is used again");
}

#[tokio::test]
async fn interim_responses_do_not_prolong_the_time_for_a_response() {
    let program = Program::start(|mut peer| async move {
        peer.request().await.unwrap();
        while peer.try_send(b"HTTP/1.1 102 Processing\r\n\r\n").await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let limits = FrontLimits { response_timeout: Some(Duration::from_millis(300)), ..FrontLimits::default() };
    let front = TestFront::start(FrontConfig { limits, ..FrontConfig::default() });
    front.handle.activate(program.upstream(1));
    assert_eq!(front.request(GET).await.status(), 504);
}

#[tokio::test]
async fn heads_trailers_and_extensions_without_end_are_cut_off() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        ("a header", "HTTP/1.1 200 OK\r\nX-Long: ", "a", 502),
        ("headers", "HTTP/1.1 200 OK\r\n", "X-More: a\r\n", 502),
        ("a status line", "HTTP/1.1 200 ", "a", 502),
        ("no line at all", "", "a", 502),
        ("empty lines", "", "\r\n", 502),
        ("an interim head", "HTTP/1.1 103 Hints\r\n", "Link: a\r\n", 502),
        (
            "trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            "X-More: a\r\n",
            200,
        ),
        ("a chunk's extension", chunked, "1;a", 200),
        (
            "chunks' extensions",
            chunked,
            "1;abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\r\na\r\n",
            200,
        ),
        ("a chunk's size", chunked, "0", 200),
    ];
    for (name, begin, part, status) in cases {
        let (program, sent, ended) = endless(begin, part);
        let front = TestFront::before(&program);
        let mut client = front.connect().await;
        client.send(ENDLESS).await;
        match soon(name, client.head()).await {
            Some(head) => assert_eq!(head.status(), status, "{name}: {}", head.start),
            // A body that fails at once may end the connection before its head was sent.
            None => assert_eq!(status, 200, "{name}"),
        }
        if status == 200 {
            client.rest().await;
        }
        until(name, || ended.load(Ordering::SeqCst) == 1).await;
        assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{name}: {}", sent.load(Ordering::SeqCst));
        assert_eq!(front.request(GET).await.text(), "fine", "{name}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_interim_response() {
    let program = Program::start(|mut peer| async move {
        while peer.request().await.is_some() {
            peer.send(format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{}", ok("old")))
                .await;
        }
    });
    let front = TestFront::before(&program);
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = front.connect().await;
        client.send(format!("POST / HTTP/1.0\r\n{expect}Content-Length: 4\r\n\r\nbody")).await;
        assert_eq!(client.head().await.unwrap().status(), 200, "{expect:?}");
    }
}

#[tokio::test]
async fn a_response_before_the_body_was_read_arrives_and_its_connection_is_not_used_again() {
    let program = Program::start(|mut peer| async move {
        let head = peer.head().await.unwrap();
        peer.send(ok("early")).await;
        if head.start.starts_with("GET") {
            return;
        }
        peer.rest().await;
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nbegin").await;
    assert_eq!(soon("the answer", client.response()).await.unwrap().text(), "early");
    assert_eq!(front.request(GET).await.text(), "early");
    assert_eq!(program.accepted(), 2);
}
