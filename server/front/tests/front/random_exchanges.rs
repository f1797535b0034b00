//! Random valid exchanges arrive at the other side as they were sent, however they are cut into writes.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Message, Peer, Program, TestFront};

/// Headers that the front adds, or that belong to one connection.
const NOT_COMPARED: [&str; 9] = [
    "connection",
    "content-length",
    "date",
    "forwarded",
    "host",
    "transfer-encoding",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

#[derive(Clone, Debug)]
enum Body {
    None,
    Sized(Vec<u8>),
    Chunked(Vec<Vec<u8>>, Vec<(String, String)>),
}

#[derive(Clone, Debug)]
struct Exchange {
    request_line: String,
    request_headers: Vec<(String, String)>,
    request_body: Body,
    status: u16,
    response_headers: Vec<(String, String)>,
    response_body: Body,
    /// Lengths of the writes.
    cuts: Vec<usize>,
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = "[!-~]([ -~\u{a1}-\u{ff}]{0,30}[!-~])?";
    prop::collection::vec(("x-[a-z][a-z0-9-]{0,12}", value), 0..8).prop_map(|mut headers| {
        headers.sort();
        headers.dedup_by(|a, b| a.0 == b.0);
        headers.retain(|(name, _)| !name.starts_with("x-forwarded"));
        headers
    })
}

fn body() -> impl Strategy<Value = Body> {
    let bytes = |longest| prop::collection::vec(any::<u8>(), 1..longest);
    let trailers = prop::collection::vec(("x-t[a-z]{1,5}", "[!-~]{1,9}"), 0..3).prop_map(|mut trailers| {
        trailers.sort();
        trailers.dedup_by(|a, b| a.0 == b.0);
        trailers
    });
    prop_oneof![
        Just(Body::None),
        bytes(30_000).prop_map(Body::Sized),
        (prop::collection::vec(bytes(3000), 0..8), trailers)
            .prop_map(|(chunks, trailers)| Body::Chunked(chunks, trailers)),
    ]
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let line = ("(GET|POST|PUT|DELETE|PATCH|OPTIONS|PURGE)", "/[!$-;=?@A-Z_a-z~]{0,60}");
    let status = prop_oneof![
        Just(200_u16),
        Just(201),
        Just(302),
        Just(404),
        Just(422),
        Just(500),
        Just(503),
        Just(299)
    ];
    let cuts = prop::collection::vec(1..5000_usize, 1..12);
    (line, headers(), body(), status, headers(), body(), cuts).prop_map(
        |((method, path), request_headers, request_body, status, response_headers, response_body, cuts)| {
            Exchange {
                request_line: format!("{method} {path} HTTP/1.1"),
                request_headers,
                request_body,
                status,
                response_headers,
                response_body,
                cuts,
            }
        },
    )
}

/// Writes a message in the parts that the exchange wants.
async fn write(peer: &mut Peer, start: &str, headers: &[(String, String)], body: &Body, cuts: &[usize]) {
    let mut bytes = format!("{start}\r\n").into_bytes();
    let mut header = |name: &str, value: &str| {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        // Headers are bytes; characters beyond ASCII stand for one each.
        bytes.extend(value.chars().map(|char| u8::try_from(u32::from(char)).unwrap()));
        bytes.extend_from_slice(b"\r\n");
    };
    for (name, value) in headers {
        header(name, value);
    }
    match body {
        Body::None => header("Content-Length", "0"),
        Body::Sized(body) => header("Content-Length", &body.len().to_string()),
        Body::Chunked(_, trailers) => {
            header("Transfer-Encoding", "chunked");
            let names: Vec<&str> = trailers.iter().map(|(name, _)| name.as_str()).collect();
            if !names.is_empty() {
                header("Trailer", &names.join(", "));
            }
        }
    }
    bytes.extend_from_slice(b"\r\n");
    match body {
        Body::None => {}
        Body::Sized(body) => bytes.extend_from_slice(body),
        Body::Chunked(chunks, trailers) => {
            for chunk in chunks {
                bytes.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n");
            for (name, value) in trailers {
                bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
        }
    }
    let mut rest = bytes.as_slice();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            return;
        }
        let (part, after) = rest.split_at((*cut).min(rest.len()));
        peer.send(part).await;
        tokio::task::yield_now().await;
        rest = after;
    }
}

/// Checks that a message is what was written.
fn compare(received: &Message, start: &str, headers: &[(String, String)], body: &Body) {
    assert_eq!(received.start, start);
    let mut compared: Vec<(String, String)> = received
        .headers
        .iter()
        .filter(|(name, _)| {
            !NOT_COMPARED.contains(&name.as_str()) && !matches!(name.as_str(), "te" | "trailer")
        })
        .cloned()
        .collect();
    compared.sort();
    assert_eq!(compared, headers);
    match body {
        Body::None => assert!(received.body.is_empty()),
        Body::Sized(body) => assert_eq!(&received.body, body),
        Body::Chunked(chunks, trailers) => {
            assert_eq!(received.body, chunks.concat());
            let mut arrived = received.trailers.clone();
            arrived.sort();
            assert_eq!(&arrived, trailers);
        }
    }
}

#[test]
fn what_is_sent_arrives_in_both_directions() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let script: Arc<Mutex<Option<Exchange>>> = Arc::default();
    let received: Arc<Mutex<Option<Message>>> = Arc::default();
    let program = {
        let (script, received) = (Arc::clone(&script), Arc::clone(&received));
        Program::start(move |mut peer| {
            let (script, received) = (Arc::clone(&script), Arc::clone(&received));
            async move {
                while let Some(request) = peer.request().await {
                    *received.lock().unwrap() = Some(request);
                    let exchange = script.lock().unwrap().clone();
                    let exchange = exchange.expect("a script");
                    let start = format!("HTTP/1.1 {} Reason", exchange.status);
                    write(
                        &mut peer,
                        &start,
                        &exchange.response_headers,
                        &exchange.response_body,
                        &exchange.cuts,
                    )
                    .await;
                }
            }
        })
    };
    let front = TestFront::before(&program);
    // The connection is kept from case to case, except after one that failed.
    let kept: Mutex<Option<Peer>> = Mutex::new(None);
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let result = runner.run(&exchange(), |exchange| {
        *script.lock().unwrap() = Some(exchange.clone());
        let before = kept.lock().unwrap().take();
        let mut client = before.unwrap_or_else(|| runtime.block_on(front.connect()));
        let response = runtime.block_on(async {
            let mut headers = exchange.request_headers.clone();
            headers.extend([("host".to_owned(), "x".to_owned()), ("te".to_owned(), "trailers".to_owned())]);
            write(&mut client, &exchange.request_line, &headers, &exchange.request_body, &exchange.cuts)
                .await;
            client.response().await.expect("a response")
        });
        let start = format!("HTTP/1.1 {} Reason", exchange.status);
        compare(&response, &start, &exchange.response_headers, &exchange.response_body);
        let request = received.lock().unwrap().take();
        let request = request.expect("a request");
        compare(&request, &exchange.request_line, &exchange.request_headers, &exchange.request_body);
        *kept.lock().unwrap() = Some(client);
        Ok(())
    });
    result.unwrap();
    assert!(program.accepted() <= 10, "{} connections for 200 requests", program.accepted());
}
