//! The program is told who its client is, and what of that the client itself may say.
//!
//! Proxies append to `X-Forwarded-For` and `Forwarded`, so of the list only the end can be trusted: as many elements as there are proxies of
//! one's own. The front appends the peer of its connection.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::header::{FORWARDED, HOST, HeaderName};
use http::{HeaderMap, HeaderValue};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Headers in which proxies name the client, besides `X-Forwarded-*`.
const CLIENT_NAMES: [&str; 11] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-real-ip",
];

/// Most proxies that can be trusted.
const MAX_HOPS: u8 = 16;

/// The peers whose word about the client is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedTrust {
    /// That of peers with a private address: the routers of a platform, a proxy on the same machine or network.
    #[default]
    Auto,
    /// Everybody's.
    All,
    /// Nobody's.
    Nobody,
    /// That of so many proxies in a row before the front: as many elements of each list stay.
    Hops(u8),
}

/// A text that is not `auto`, `on`, `off` or a number of proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is `auto`, `on`, `off`, or the number of proxies before heapbeat, from 1 to {MAX_HOPS}")]
pub struct ForwardedTrustError;

impl FromStr for ForwardedTrust {
    type Err = ForwardedTrustError;

    fn from_str(text: &str) -> Result<Self, ForwardedTrustError> {
        match text {
            "auto" => Ok(ForwardedTrust::Auto),
            "on" => Ok(ForwardedTrust::All),
            "off" => Ok(ForwardedTrust::Nobody),
            number => match number.parse() {
                Ok(hops @ 1..=MAX_HOPS) => Ok(ForwardedTrust::Hops(hops)),
                _ => Err(ForwardedTrustError),
            },
        }
    }
}

impl ForwardedTrust {
    /// Returns how many elements of each list of a peer stay.
    fn hops(self, peer: IpAddr) -> usize {
        match self {
            ForwardedTrust::Auto if is_private(peer) => usize::MAX,
            ForwardedTrust::All => usize::MAX,
            ForwardedTrust::Auto | ForwardedTrust::Nobody => 0,
            ForwardedTrust::Hops(hops) => hops.into(),
        }
    }
}

/// Whether an address is not one of the internet: this machine, private networks (RFC 1918, 4193), carriers' networks (RFC 6598), the link.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Whether a header says something about the client that a proxy may know and a client may invent.
pub(crate) fn is_forwarded(name: &str) -> bool {
    name.starts_with("x-forwarded-") || CLIENT_NAMES.contains(&name)
}

/// Removes what is not to be trusted about the client, and appends the peer.
pub(crate) fn prepare_forwarded(headers: &mut HeaderMap, peer: SocketAddr, trust: ForwardedTrust) {
    // An IPv4 peer of a socket for both families has an IPv4 address for everybody else.
    let address = peer.ip().to_canonical();
    let hops = trust.hops(address);
    if hops == 0 {
        let untrusted: Vec<HeaderName> =
            headers.keys().filter(|name| is_forwarded(name.as_str())).cloned().collect();
        for name in untrusted {
            headers.remove(name);
        }
    }
    append_to_list(headers, &FORWARDED_FOR, &address.to_string(), hops);
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
    append_to_list(headers, &FORWARDED, &element, hops);
    if let Some(host) = host.filter(|_| !headers.contains_key(FORWARDED_HOST)) {
        headers.insert(FORWARDED_HOST, host);
    }
}

/// Whether every quoted string (RFC 9110 5.6.4) in a value ends.
fn quotes_balance(value: &[u8]) -> bool {
    let mut quotes = Quotes::default();
    !value.iter().fold(false, |_, byte| quotes.follow(*byte))
}

/// Whether the bytes of a value are within a quoted string.
#[derive(Clone, Copy, Debug, Default)]
struct Quotes {
    quoted: bool,
    escaped: bool,
}

impl Quotes {
    /// Follows a byte, and returns whether what comes next is quoted.
    fn follow(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.quoted => self.escaped = true,
            b'"' => self.quoted = !self.quoted,
            _ => {}
        }
        self.quoted
    }
}

/// Returns the elements of a list, without the commas in quoted strings.
fn elements(list: &[u8]) -> Vec<&[u8]> {
    let mut quotes = Quotes::default();
    list.split(|byte| !quotes.follow(*byte) && *byte == b',').map(<[u8]>::trim_ascii).collect()
}

/// Appends an element to the last `kept` ones of a header that is a list, on one line, because some programs read only the first.
fn append_to_list(headers: &mut HeaderMap, name: &HeaderName, element: &str, kept: usize) {
    let mut list = Vec::with_capacity(64);
    for value in headers.get_all(name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element.as_bytes());
    if kept < usize::MAX {
        let all = elements(&list);
        list = all[all.len().saturating_sub(kept.saturating_add(1))..].join(&b", "[..]);
    }
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines<'a> = &'a [(&'a str, &'a str)];

    /// Returns the headers of a request from `peer` with these ones, as text.
    fn prepared(peer: &str, trust: ForwardedTrust, given: Lines<'_>) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        prepare_forwarded(&mut headers, peer.parse().unwrap(), trust);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    const SAID: Lines<'_> = &[
        ("forwarded", "for=\"1,1\", for=2.2.2.2"),
        ("forwarded", "for=3.3.3.3;proto=https"),
        ("host", "a"),
        ("x-forwarded-for", "1.1.1.1, 2.2.2.2"),
        ("x-forwarded-for", "3.3.3.3"),
        ("x-forwarded-host", "b"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "3.3.3.3"),
        ("true-client-ip", "3.3.3.3"),
    ];

    #[test]
    fn the_peer_is_appended_to_what_is_known_already() {
        let cases: [(&str, Lines<'_>, &[&str]); 3] = [
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
                &[("host", "a"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8")],
                &[
                    "forwarded: for=\"[2001:db8::1]\";host=\"a\";proto=http",
                    "host: a",
                    "x-forwarded-for: 1.2.3.4, 5.6.7.8, 2001:db8::1",
                    "x-forwarded-host: a",
                    "x-forwarded-proto: http",
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
        for (peer, given, expected) in cases {
            assert_eq!(prepared(peer, ForwardedTrust::All, given), expected, "{peer}");
        }
    }

    #[test]
    fn the_word_of_strangers_is_dropped() {
        let own = |peer: &str| {
            vec![
                format!("forwarded: for={peer};host=\"a\";proto=http"),
                "host: a".to_owned(),
                format!("x-forwarded-for: {peer}"),
                "x-forwarded-host: a".to_owned(),
                "x-forwarded-proto: http".to_owned(),
            ]
        };
        assert_eq!(prepared("10.0.0.1:5", ForwardedTrust::Nobody, SAID), own("10.0.0.1"));
        assert_eq!(prepared("203.0.113.7:5", ForwardedTrust::Auto, SAID), own("203.0.113.7"));
        let trusted = prepared("10.0.0.1:5", ForwardedTrust::Auto, SAID);
        assert_eq!(trusted, prepared("10.0.0.1:5", ForwardedTrust::All, SAID));
        assert!(trusted.contains(&"x-forwarded-for: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.1".to_owned()));
    }

    #[test]
    fn as_many_elements_stay_as_there_are_trusted_proxies() {
        let list = |hops, name: &str| {
            let lines = prepared("203.0.113.7:5", ForwardedTrust::Hops(hops), SAID);
            let begin = format!("{name}: ");
            lines.iter().find_map(|line| line.strip_prefix(begin.as_str())).unwrap().to_owned()
        };
        assert_eq!(list(1, "x-forwarded-for"), "3.3.3.3, 203.0.113.7");
        assert_eq!(list(2, "x-forwarded-for"), "2.2.2.2, 3.3.3.3, 203.0.113.7");
        assert_eq!(list(1, "forwarded"), "for=3.3.3.3;proto=https, for=203.0.113.7;host=\"a\"");
        let all = "for=\"1,1\", for=2.2.2.2, for=3.3.3.3;proto=https, for=203.0.113.7;host=\"a\"";
        assert_eq!(list(3, "forwarded"), all);
        assert_eq!((list(1, "x-forwarded-proto"), list(1, "x-real-ip")), ("https".into(), "3.3.3.3".into()));
    }

    #[test]
    fn private_addresses_are_those_of_platforms_and_machines() {
        for address in ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1"] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["::1", "fd00::1", "fe80::1"] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["203.0.113.7", "100.128.0.1", "172.32.0.1", "2606:4700::1"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_setting_has_words_and_numbers() {
        let cases = [
            ("auto", Some(ForwardedTrust::Auto)),
            ("on", Some(ForwardedTrust::All)),
            ("off", Some(ForwardedTrust::Nobody)),
            ("2", Some(ForwardedTrust::Hops(2))),
            ("0", None),
            ("17", None),
            ("yes", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected, "{text}");
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
}
