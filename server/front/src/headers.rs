//! Headers that belong to one connection are not passed on (RFC 9110 7.6.1). What tells of the client is in `forwarded`.
//!
//! `Via` is not added, as no other front of its kind does: programs and their middleware turn compression off for it.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use crate::forwarded::{ForwardedTrust, is_forwarded, prepare_forwarded};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that belong to one connection, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 7] =
    [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];

/// Headers that a client cannot have removed by naming them in `Connection`: those that decide something, and what proxies before the front
/// have said about the client.
const END_TO_END: [&str; 11] = [
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "referer",
    "traceparent",
    "tracestate",
    "via",
];

/// How the names of further such headers begin.
const END_TO_END_FAMILIES: [&str; 9] =
    ["x-real-", "x-original-", "x-amzn-", "x-envoy-", "x-request-", "x-auth", "cf-", "fastly-", "sec-"];

fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    END_TO_END.contains(&name)
        || is_forwarded(name)
        || END_TO_END_FAMILIES.iter().any(|family| name.starts_with(family))
}

/// A header that programs behind CGI take for the setting `HTTP_PROXY`, and no client sends.
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// Removes the headers that belong to one connection.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
            .filter(|name| !is_end_to_end(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether a header has the name of a forwarded one for programs that turn `-` and `_` into the same variable (CGI, WSGI, Rack).
fn impersonates(name: &HeaderName) -> bool {
    name.as_str().contains('_') && {
        let name = name.as_str().replace('_', "-");
        is_forwarded(&name) || name == "host" || name == "connection"
    }
}

/// Prepares the headers of a request for the program.
pub(crate) fn prepare_request(
    headers: &mut HeaderMap,
    client: SocketAddr,
    upgrade: Option<HeaderValue>,
    trust: ForwardedTrust,
) {
    let trailers = headers
        .get_all(TE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"));
    strip_hop_by_hop(headers);
    let false_names: Vec<HeaderName> = headers.keys().filter(|name| impersonates(name)).cloned().collect();
    for name in false_names {
        headers.remove(name);
    }
    headers.remove(PROXY);
    if let Some(protocol) = upgrade {
        headers.insert(UPGRADE, protocol);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    prepare_forwarded(headers, client, trust);
    if !headers.contains_key(HOST) {
        // Only HTTP/1.0 has none, and the request goes on in HTTP/1.1, which demands one.
        headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
}

/// Removes from trailers what some programs would take for headers that the front has prepared.
pub(crate) fn prepare_trailers(trailers: &mut HeaderMap) {
    let decisive: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| {
            is_end_to_end(name) || impersonates(name) || HOP_BY_HOP.contains(name) || *name == PROXY
        })
        .cloned()
        .collect();
    for name in decisive {
        trailers.remove(name);
    }
}

/// Prepares the headers of a response for the client.
pub(crate) fn prepare_response(headers: &mut HeaderMap) {
    // A length beside a transfer coding is void, and would be a promise here. Of a list of equal lengths (`5, 5`), which not everybody reads
    // alike, hyper knows the length and states it once.
    let is_length = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    let is_plain = headers.get_all(CONTENT_LENGTH).iter().all(is_length);
    if headers.contains_key(TRANSFER_ENCODING) || !is_plain {
        headers.remove(CONTENT_LENGTH);
    }
    strip_hop_by_hop(headers);
}

/// Returns how long the program keeps an idle connection, if its response says so.
pub(crate) fn keep_alive_seconds(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(KEEP_ALIVE)?.to_str().ok()?;
    text.split(',').find_map(|part| part.trim().strip_prefix("timeout=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn text(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn headers_of_one_connection_end_with_it() {
        let mut headers = map(&[
            ("connection", "close, X-Private"),
            ("connection", "keep-alive, Host, Content-Length"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("proxy-connection", "x"),
            ("proxy-authorization", "x"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("connection", "X-Forwarded-For, Forwarded, X-Real-IP, CF-Connecting-IP, True-Client-IP, Origin"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-real-ip", "192.0.2.1"),
            ("host", "a"),
            ("content-length", "0"),
            ("trailer", "x-sum"),
            ("accept", "x"),
        ]);
        strip_hop_by_hop(&mut headers);
        let expected = [
            "accept: x",
            "content-length: 0",
            "host: a",
            "trailer: x-sum",
            "x-forwarded-for: 192.0.2.1",
            "x-real-ip: 192.0.2.1",
        ];
        assert_eq!(text(&headers), expected);
    }

    #[test]
    fn names_that_pretend_are_removed_and_a_host_is_there() {
        let mut headers = map(&[
            ("x_forwarded_for", "1.2.3.4"),
            ("x-forwarded_proto", "https"),
            ("x_own", "1"),
            ("te", "trailers"),
            ("proxy", "http://192.0.2.9"),
        ]);
        prepare_request(&mut headers, "192.0.2.1:5".parse().unwrap(), None, ForwardedTrust::All);
        let expected = [
            "connection: te",
            "forwarded: for=192.0.2.1;proto=http",
            "host: localhost",
            "te: trailers",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-proto: http",
            "x_own: 1",
        ];
        assert_eq!(text(&headers), expected);
    }

    #[test]
    fn trailers_say_nothing_that_only_a_head_may_say() {
        let mut trailers = map(&[
            ("x-sum", "1"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x_forwarded_for", "9.9.9.9"),
            ("authorization", "x"),
            ("proxy", "x"),
            ("transfer-encoding", "x"),
        ]);
        prepare_trailers(&mut trailers);
        assert_eq!(text(&trailers), ["x-sum: 1"]);
    }

    #[test]
    fn a_coded_response_promises_no_length() {
        let mut headers =
            map(&[("transfer-encoding", "chunked"), ("content-length", "3"), ("connection", "x")]);
        prepare_response(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
        let mut headers = map(&[("content-length", "5, 5")]);
        prepare_response(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
        assert_eq!(keep_alive_seconds(&map(&[("keep-alive", "max=3, timeout=5")])), Some(5));
        assert_eq!(keep_alive_seconds(&map(&[("keep-alive", "timeout=x")])), None);
    }
}
