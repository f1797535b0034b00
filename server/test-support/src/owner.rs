//! Sends signed requests, as the owner's edge does.

use std::time::SystemTime;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::report::Report;
use heapbeat_shared::series::Series;
use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, Secret, SignedParts};

use crate::{Response, Server, send_request};

/// Parses a secret.
pub fn parse_secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// Returns the time by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the server compares it with its own clock")]
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis(since.as_millis().try_into().unwrap())
}

/// Returns a random nonce.
pub fn random_nonce() -> Nonce {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).unwrap();
    Nonce(bytes)
}

/// Sends a request without a body, with one signature header for each of `signatures`.
pub fn send_with_signatures(server: &Server, method: &str, target: &str, signatures: &[String]) -> Response {
    let headers: Vec<String> = signatures.iter().map(|value| format!("{HEADER}: {value}\r\n")).collect();
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{}\r\n", headers.concat());
    send_request(server.connect(), method, head.as_bytes())
}

/// Signs a request to a server, and returns the value of the header.
pub fn sign(
    server: &Server,
    secret: &Secret,
    (method, target): (&str, &str),
    at: UnixMillis,
    nonce: Nonce,
) -> String {
    let origin = format!("http://localhost:{}", server.port).parse().unwrap();
    secret.sign_request(SignedParts { method, origin: &origin, target }, at, nonce).to_string()
}

/// Sends a signed `GET`, and verifies the signature of the response if it has one.
pub fn get_signed(server: &Server, secret: &str, target: &str) -> Response {
    let (secret, nonce) = (parse_secret(secret), random_nonce());
    let signature = sign(server, &secret, ("GET", target), now(), nonce);
    let response = send_with_signatures(server, "GET", target, &[signature]);
    if let Some(signature) = response.header(HEADER) {
        secret.verify_response(nonce, &response.body, signature).unwrap();
    }
    response
}

/// Requests the signed report with this query string, and parses it.
pub fn fetch_report(server: &Server, secret: &str, query: &str) -> (Report, Series) {
    let response = get_signed(server, secret, &format!("/health{query}"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.header(HEADER).is_some(), "the report must be signed");
    Report::parse(&response.body).unwrap()
}
