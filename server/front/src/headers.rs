//! Headers that belong to one connection are not passed on (RFC 9110 7.6.1), and the program is told who its client is.
//!
//! `Via` is not added, as no other front of its kind does: programs and their middleware turn compression off for it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use http::header::{
    CONNECTION, CONTENT_LENGTH, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that belong to one connection, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 7] =
    [KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE];

/// Headers that a client cannot have removed by naming them in `Connection`: those that decide something, and what proxies before the front
/// have said about the client.
const END_TO_END: [&str; 17] = [
    "authorization",
    "client-ip",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "fly-client-ip",
    "forwarded",
    "host",
    "origin",
    "referer",
    "traceparent",
    "tracestate",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-cluster-client-ip",
];

/// How the names of further such headers begin.
const END_TO_END_FAMILIES: [&str; 10] = [
    "x-forwarded-",
    "x-real-",
    "x-original-",
    "x-amzn-",
    "x-envoy-",
    "x-request-",
    "x-auth",
    "cf-",
    "fastly-",
    "sec-",
];

fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    END_TO_END.contains(&name) || END_TO_END_FAMILIES.iter().any(|family| name.starts_with(family))
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
        name.starts_with("x-forwarded-") || name == "host" || name == "connection"
    }
}

/// Prepares the headers of a request for the program.
pub(crate) fn prepare_request(headers: &mut HeaderMap, client: SocketAddr, upgrade: Option<HeaderValue>) {
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
    append_client(headers, client);
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

fn append_client(headers: &mut HeaderMap, client: SocketAddr) {
    // An IPv4 client of a socket for both families has an IPv4 address for everybody else.
    let address = client.ip().to_canonical();
    append_to_list(headers, &FORWARDED_FOR, &address.to_string());
    let host = headers.get(HOST).cloned();
    let mut element = String::with_capacity(64);
    let _ = match address {
        IpAddr::V4(address) => write!(element, "for={address}"),
        IpAddr::V6(address) => write!(element, "for=\"[{address}]\""),
    };
    if let Some(host) = host.as_ref().and_then(|host| host.to_str().ok()) {
        let _ = write!(element, ";host=\"{host}\"");
    }
    if !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
        element.push_str(";proto=http");
    }
    if !headers.get_all(FORWARDED).iter().all(|value| quotes_balance(value.as_bytes())) {
        // An open quote would swallow the element that is appended.
        headers.remove(FORWARDED);
    }
    append_to_list(headers, &FORWARDED, &element);
    if let Some(host) = host.filter(|_| !headers.contains_key(FORWARDED_HOST)) {
        headers.insert(FORWARDED_HOST, host);
    }
}

/// Whether every quoted string (RFC 9110 5.6.4) in a value ends.
fn quotes_balance(value: &[u8]) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in value {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

/// Appends an element to a header that is a list, on one line, because some programs read only the first.
fn append_to_list(headers: &mut HeaderMap, name: &HeaderName, element: &str) {
    let mut list = Vec::with_capacity(64);
    for value in headers.get_all(name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(name, value);
    }
}

/// Prepares the headers of a response for the client.
pub(crate) fn prepare_response(headers: &mut HeaderMap) {
    // A length beside a transfer coding is void, and would be a promise here.
    if headers.contains_key(TRANSFER_ENCODING) {
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
    fn the_client_is_appended_to_what_is_known_already() {
        type Given = &'static [(&'static str, &'static str)];
        let cases: [(&str, Given, &[&str]); 4] = [
            (
                "[::ffff:192.0.2.1]:5",
                &[("host", "a.example:80")],
                &[
                    "forwarded: for=192.0.2.1;host=\"a.example:80\";proto=http",
                    "host: a.example:80",
                    "x-forwarded-for: 192.0.2.1",
                    "x-forwarded-host: a.example:80",
                    "x-forwarded-proto: http",
                ],
            ),
            (
                "[2001:db8::1]:5",
                &[
                    ("forwarded", "for=1.2.3.4"),
                    ("host", "a"),
                    ("x-forwarded-for", "1.2.3.4"),
                    ("x-forwarded-for", "5.6.7.8"),
                    ("x-forwarded-host", "b"),
                    ("x-forwarded-proto", "https"),
                ],
                &[
                    "forwarded: for=1.2.3.4, for=\"[2001:db8::1]\";host=\"a\"",
                    "host: a",
                    "x-forwarded-for: 1.2.3.4, 5.6.7.8, 2001:db8::1",
                    "x-forwarded-host: b",
                    "x-forwarded-proto: https",
                ],
            ),
            (
                "192.0.2.1:5",
                &[
                    ("x_forwarded_for", "1.2.3.4"),
                    ("x-forwarded_proto", "https"),
                    ("x_own", "1"),
                    ("te", "trailers"),
                    ("proxy", "http://192.0.2.9"),
                ],
                &[
                    "connection: te",
                    "forwarded: for=192.0.2.1;proto=http",
                    "host: localhost",
                    "te: trailers",
                    "x-forwarded-for: 192.0.2.1",
                    "x-forwarded-proto: http",
                    "x_own: 1",
                ],
            ),
            (
                "192.0.2.1:5",
                &[("forwarded", "for=127.0.0.1;x=\""), ("host", "a"), ("x-forwarded-proto", "https")],
                &[
                    "forwarded: for=192.0.2.1;host=\"a\"",
                    "host: a",
                    "x-forwarded-for: 192.0.2.1",
                    "x-forwarded-host: a",
                    "x-forwarded-proto: https",
                ],
            ),
        ];
        for (client, given, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
            prepare_request(&mut headers, client.parse().unwrap(), None);
            assert_eq!(text(&headers), expected, "{client}");
        }
    }

    #[test]
    fn quoted_strings_end() {
        let cases = [
            ("", true),
            ("for=a", true),
            ("for=\"[::1]\"", true),
            ("x=\"", false),
            ("x=\"\\\"", false),
            ("x=\"\\\\\"", true),
            ("\\\"", false),
        ];
        for (value, balanced) in cases {
            assert_eq!(quotes_balance(value.as_bytes()), balanced, "{value:?}");
        }
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
        assert_eq!(keep_alive_seconds(&map(&[("keep-alive", "max=3, timeout=5")])), Some(5));
        assert_eq!(keep_alive_seconds(&map(&[("keep-alive", "timeout=x")])), None);
    }
}
