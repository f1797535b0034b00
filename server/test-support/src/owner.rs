//! Sends the signed requests of the owner.

use std::time::SystemTime;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::report::Report;
use heapbeat_shared::series::Series;
use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, Secret};

use crate::{Reply, Server, ask};

/// A secret from its text.
pub fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// The time by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the server compares with its own")]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis().try_into().unwrap())
}

/// A random nonce.
pub fn nonce() -> Nonce {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).unwrap();
    Nonce(bytes)
}

/// Sends a request without a body, with these signatures.
pub fn send(server: &Server, method: &str, target: &str, headers: &[String]) -> Reply {
    let signatures: Vec<String> = headers.iter().map(|value| format!("{HEADER}: {value}\r\n")).collect();
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{}\r\n", signatures.concat());
    ask(server.connect(), method, head.as_bytes())
}

/// The answer to a signed `GET`, its own signature checked where it has one.
pub fn get(server: &Server, with: &str, target: &str) -> Reply {
    let (secret, nonce) = (secret(with), nonce());
    let signature = secret.sign_request("GET", target, now(), nonce).to_string();
    let reply = send(server, "GET", target, &[signature]);
    if let Some(signature) = reply.header(HEADER) {
        secret.verify_response(nonce, &reply.body, signature).unwrap();
    }
    reply
}

/// The report after `query`, checked as a reader has to.
pub fn report(server: &Server, with: &str, query: &str) -> (Report, Series) {
    let reply = get(server, with, &format!("/health{query}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header(HEADER).is_some(), "the report is signed");
    Report::parse(&reply.body).unwrap()
}
