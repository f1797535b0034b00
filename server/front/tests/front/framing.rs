//! Ambiguous requests are refused before the program gets a byte of them.

use heapbeat_front::FrontConfig;

use crate::support::{Program, TestFront};

/// Name, status of the response, request.
const AMBIGUOUS: [(&str, u16, &str); 37] = [
    (
        "both lengths",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "both lengths, the other way round",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    ),
    ("two lengths", 400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    (
        "two equal lengths",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    ),
    ("a list of lengths", 400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc"),
    ("a signed length", 400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc"),
    (
        "another coding",
        501,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "two codings",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "a disguised coding",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    ("chunked in HTTP/1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", 400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc"),
    ("a folded header", 400, "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n"),
    ("a bare line feed", 400, "GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n"),
    ("only bare line feeds", 400, "GET / HTTP/1.1\nHost: x\n\n"),
    ("no Host", 400, "GET / HTTP/1.1\r\n\r\n"),
    ("two Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("two equal Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("a Host that is a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("a Host with a user", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ("another Host in the target", 400, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another port in the target", 400, "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a user in the target", 400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another scheme", 400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a fragment", 400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a target without a slash", 400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("CONNECT", 501, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ("an underscore", 400, "POST / HTTP/1.1\r\nHost: x\r\nContent_Length: 3\r\n\r\n"),
    ("no size of a chunk", 400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc"),
    (
        "a signed size of a chunk",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc",
    ),
    (
        "a prefixed size of a chunk",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc",
    ),
    (
        "a space after the size",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    ),
    (
        "an enormous chunk",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
    ),
    (
        "a chunk with a bare line feed",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    ),
    (
        "a line feed in an extension",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a\n\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "a chunk that is longer",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ),
    (
        "a folded trailer",
        400,
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n c\r\n\r\n",
    ),
    ("not HTTP", 400, "nonsense\r\n\r\n"),
];

#[tokio::test]
async fn ambiguous_requests_never_reach_the_program() {
    let program = Program::named("reached");
    let front = TestFront::before(&program);
    for (name, status, request) in AMBIGUOUS {
        let mut client = front.connect().await;
        // What follows is what an attacker wants to be taken for a request of its own.
        client.send(format!("{request}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let response = client.response().await.unwrap_or_else(|| panic!("{name}: no response"));
        assert_eq!(response.status(), status, "{name}: {response:?}");
        assert_eq!(client.rest().await, b"", "{name}: a second response");
    }
    let mut client = front.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.rest().await, b"", "HTTP/2 is not answered at all");
    assert_eq!(program.accepted(), 0);
    assert!(front.handle.statistics().rejected >= 20);
}

#[tokio::test]
async fn unusual_requests_that_mean_one_thing_pass() {
    let program = Program::named("reached");
    let front = TestFront::before(&program);
    for request in [
        "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://A.example:80/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
        "GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "PURGE /a HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
        "GET /%2e%2e//a/../b?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n03;a=\"b\"\r\nabc\r\n0\r\n\r\n",
    ] {
        assert_eq!(front.request(request).await.text(), "reached", "{request:?}");
    }
}

#[tokio::test]
async fn a_body_that_turns_out_malformed_ends_its_request() {
    let (to, mut from) = tokio::sync::mpsc::unbounded_channel();
    let program = Program::start(move |mut peer| {
        let to = to.clone();
        async move {
            peer.through("abc\r\n").await.unwrap();
            to.send(Vec::new()).unwrap();
            to.send(peer.rest().await).unwrap();
        }
    });
    let front = TestFront::before(&program);
    let mut client = front.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
    from.recv().await.unwrap();
    client.send("nonsense\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.response().await.unwrap().status(), 400);
    assert_eq!(from.recv().await.unwrap(), b"", "neither the rest nor the end of the body");
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn heads_have_a_size_limit() {
    let program = Program::named("reached");
    let front = TestFront::before(&program);
    let limit = FrontConfig::default().limits.max_header;
    for (length, status) in [(limit - 100, 200), (limit, 431), (3 * limit, 431)] {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(length));
        assert_eq!(front.request(&request).await.status(), status, "{length}");
    }
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(101));
    assert_eq!(front.request(&many).await.status(), 431);
}
