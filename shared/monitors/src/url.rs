//! The address of an HTTP target, without credentials.
//!
//! The platform's own `URL` does the canonical parsing when a probe runs, and [`is_private_host`] then checks its host and that of every
//! redirect again. This parser only refuses what is certainly invalid, with a good message, when the configuration is loaded.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The address of an HTTP target. `Debug` and `Display` omit the query, as it may contain keys.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    whole: String,
    host: std::ops::Range<usize>,
}

/// The text is not the address of a target. The message does not contain the text, as it may include a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The scheme is missing or is not HTTP.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// There is a user name or password before the host.
    #[error("contains credentials before the @, which must not be in a configuration file")]
    Credentials,
    /// The host is missing or invalid.
    #[error("has no valid host, such as api.example.com, 192.0.2.1 or [2001:db8::1]")]
    Host,
    /// The port is invalid.
    #[error("has no valid port, which is a number from 1 to 65535")]
    Port,
    /// A character is not allowed in an address.
    #[error("contains a space or another character that must be percent-encoded")]
    Character,
    /// The address is too long.
    #[error("is longer than {MAX_LENGTH} bytes")]
    TooLong,
}

/// Length limit of an address, in bytes.
const MAX_LENGTH: usize = 2048;

impl HttpUrl {
    /// Returns the full address.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// Returns the host; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        &self.whole[self.host.clone()]
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.whole.split(['?', '#']).next().unwrap_or_default())
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}

impl FromStr for HttpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LENGTH {
            return Err(UrlError::TooLong);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '<' | '>' | '"')) {
            return Err(UrlError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(UrlError::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (host, port) = split_port(authority)?;
        if !is_valid_host(host) {
            return Err(UrlError::Host);
        }
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err(UrlError::Port);
        }
        let begin = scheme.len() + 3;
        Ok(HttpUrl { whole: text.to_owned(), host: begin..begin + host.len() })
    }
}

/// Splits `host:port`, `host`, `[v6]:port` or `[v6]`.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    match authority.split_at(end) {
        (host, "") => Ok((host, None)),
        (host, port) => Ok((host, Some(port.strip_prefix(':').ok_or(UrlError::Host)?))),
    }
}

/// Returns whether a text can be a host: a name, or an IP address.
pub(super) fn is_valid_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let labels = host.strip_suffix('.').unwrap_or(host);
    labels.len() <= 253
        && labels.split('.').all(|label| {
            // The platform encodes a name in another script.
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || !c.is_ascii();
            (1..=63).contains(&label.len()) && label.chars().all(known)
        })
}

/// Returns whether a host does not exist on the public internet: `localhost`, a loopback, private, link-local or otherwise reserved
/// address, or a name below `.local`, `.internal`, `.localhost`, `.svc` or another domain that exists only inside of networks.
pub fn is_private_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => return is_private_v4(address),
        Ok(IpAddr::V6(address)) => return is_private_v6(address),
        Err(_) => {}
    }
    match parse_any_v4(&host) {
        LooseIpv4::Address(address) => is_private_v4(address),
        // A host that ends in a number but is not an address is resolved differently everywhere.
        LooseIpv4::Invalid => true,
        LooseIpv4::Name => {
            let last = host.rsplit('.').next().unwrap_or_default();
            matches!(
                last,
                "localhost" | "local" | "internal" | "lan" | "svc" | "intranet" | "corp" | "home" | "private"
            ) || host == "home.arpa"
                || host.ends_with(".home.arpa")
                || !host.contains('.')
        }
    }
}

/// A host as resolvers and browsers parse it: they accept more forms of an IPv4 address than the standard library.
#[derive(Debug, PartialEq, Eq)]
enum LooseIpv4 {
    Name,
    Address(Ipv4Addr),
    Invalid,
}

/// Parses `2130706433`, `0x7f.1`, `0177.0.0.1` and the like by <https://url.spec.whatwg.org/#concept-ipv4-parser>: a host whose last
/// part is a number is an IPv4 address or invalid.
fn parse_any_v4(host: &str) -> LooseIpv4 {
    let number = |part: &str| {
        let (digits, radix) = match part.strip_prefix("0x") {
            Some("") => return Some(0),
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
            None => (part, 10),
        };
        // `from_str_radix` takes a sign as well.
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u64::from_str_radix(digits, radix).ok())
            .flatten()
    };
    let parts: Vec<&str> = host.split('.').collect();
    let last = parts.last().copied().unwrap_or_default();
    let numeric = !last.is_empty()
        && (last.bytes().all(|b| b.is_ascii_digit()) || (last.starts_with("0x") && number(last).is_some()));
    if !numeric {
        return LooseIpv4::Name;
    }
    let numbers: Option<Vec<u64>> = parts.iter().map(|part| number(part)).collect();
    let address = numbers.filter(|numbers| numbers.len() <= 4).and_then(|mut numbers| {
        let last = numbers.pop()?;
        let room = 256_u64.pow(u32::try_from(4 - numbers.len()).ok()?);
        if last >= room || numbers.iter().any(|number| *number > 255) {
            return None;
        }
        let high =
            (0_u32..).zip(&numbers).fold(0_u64, |sum, (index, number)| sum + (number << (24 - 8 * index)));
        u32::try_from(high + last).ok()
    });
    address.map_or(LooseIpv4::Invalid, |address| LooseIpv4::Address(Ipv4Addr::from(address)))
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_documentation()
        || address.octets() == [168, 63, 129, 16] // the platform of Azure's virtual machines
        || (a == 192 && b == 88 && c == 99) // RFC 7526, deprecated relays of 6to4
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || a == 0
        || (a == 100 && (64..128).contains(&b)) // RFC 6598, carrier-grade NAT
        || (a == 198 && (b == 18 || b == 19)) // RFC 2544, benchmarks
        || (a == 192 && b == 0 && c == 0) // RFC 6890, protocol assignments
        || a >= 240
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    // An IPv4 address may be embedded: mapped, translated (RFC 2765), behind the well-known NAT64 prefix, 6to4, or Teredo.
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        Some(Ipv4Addr::new(a, b, c, d))
    };
    let embedded = match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..]
        | [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        [0x2001, 0, _, _, _, _, high, low] => v4(!high, !low),
        _ => address.to_ipv4(),
    };
    embedded.is_some_and(is_private_v4)
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || segments[0] & 0xfe00 == 0xfc00 // RFC 4193, unique local
        || matches!(segments, [0x2001, 0xdb8, ..]) // RFC 3849, documentation
        || segments[0] & 0xfff0 == 0x3ff0 // RFC 9637, documentation
        || segments[0] == 0x100 // RFC 6666, discard
        || segments[0] & 0xffc0 == 0xfe80 // link-local
        || segments[0] & 0xffc0 == 0xfec0 // RFC 3879, deprecated site-local
        || matches!(segments, [0x64, 0xff9b, 1, ..]) // RFC 8215, local NAT64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_addresses_are_accepted() {
        let cases = [
            ("https://api.example.com/health", "api.example.com"),
            ("http://localhost:8080", "localhost"),
            ("HTTPS://Example.COM?x=1", "Example.COM"),
            ("https://192.0.2.1:443/", "192.0.2.1"),
            ("http://[2001:db8::1]:8080/health", "[2001:db8::1]"),
            ("https://bücher.example/", "bücher.example"),
            ("https://a_b.example./x#y", "a_b.example."),
            ("https://example.com/a@b", "example.com"),
        ];
        for (text, host) in cases {
            assert_eq!(text.parse::<HttpUrl>().unwrap().host(), host, "{text}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused_with_the_reason() {
        use UrlError::{Character, Credentials, Host, Port, Scheme};
        let cases = [
            ("", Scheme),
            ("api.example.com/health", Scheme),
            ("ftp://example.com", Scheme),
            ("javascript:alert(1)", Scheme),
            ("https:///health", Host),
            ("https://a..b/", Host),
            ("https://[::1/", Host),
            ("https://[::zz]/", Host),
            ("https://[::1]x/", Host),
            ("https://user:pass@example.com/", Credentials),
            ("https://token@example.com/", Credentials),
            ("https://example.com:0/", Port),
            ("https://example.com:99999/", Port),
            ("https://example.com:/", Port),
            ("https://exam ple.com/", Character),
            ("https://example.com/a b", Character),
            ("https://example.com\\@evil.example/", Character),
            ("https://example.com/\u{0}", Character),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<HttpUrl>().unwrap_err(), error, "{text}");
        }
        assert_eq!(
            format!("https://e.com/{}", "a".repeat(MAX_LENGTH)).parse::<HttpUrl>(),
            Err(UrlError::TooLong)
        );
    }

    #[test]
    fn a_query_is_not_displayed() {
        let url: HttpUrl = "https://example.com/health?key=s3cret#frag".parse().unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "https://example.com/health HttpUrl(https://example.com/health)"
        );
    }

    #[test]
    fn private_hosts_are_recognized_in_every_notation() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "db",
            "printer.local",
            "metadata.google.internal",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fd00::1]",
            "[fc00::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a00:1]",
            "[64:ff9b::a00:1]",
            "[::10.0.0.1]",
            "192.0.0.1",
            "nas.lan",
            "printer.home.arpa",
            "2130706433",   // 127.0.0.1
            "0x7f000001",   // the same
            "0x7F.1",       // the same
            "017700000001", // the same
            "0177.0.0.1",   // the same
            "127.1",        // the same
            "127.0.1",      // the same
            "0x7f.0x0.0x0.0x1",
            "10.1",
            "0xa9fea9fe",   // 169.254.169.254
            "169.16689662", // the same
            "0",
            "0x",
            "256.256.256.256",
            "1.2.3.4.5",
            "08.0.0.1",
            "example.com.127", // ends in a number, but is not an address
            "[::ffff:169.254.169.254]",
            "[0:0:0:0:0:ffff:7f00:1]",
            "[2002:7f00:1::]",
            "[2002:c0a8:101::1]",
            "[2001:0:1:2:3:4:80ff:fffe]", // Teredo of 127.0.0.1
            "[64:ff9b:1::8.8.8.8]",
            "[fec0::1]",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.255",
            "168.63.129.16",
            "0xa83f8110", // the same
            "192.88.99.1",
            "[::ffff:0:10.0.0.1]",
            "[::ffff:0:a9fe:a9fe]",
            "[2001:db8::1]",
            "[3fff::1]",
            "[100::1]",
            "db.default.svc",
            "db.default.svc.cluster.local",
            "wiki.corp",
        ] {
            assert!(is_private_host(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "8.8.8.8",
            "172.32.0.1",
            "168.63.129.17",
            "100.128.0.1",
            "[::ffff:0:8.8.8.8]",
            "svc.example.com",
            "[2606:4700::1111]",
            "[64:ff9b::808:808]",
            "10.example.com",
            "134744072", // 8.8.8.8
            "0x08080808",
            "8.8.2056",
            "127.0.0.1.example.com",
            "0x7f.example.com",
            "lan.example.com",
            "[2002:808:808::]",
            "[2001:4860:4860::8888]",
        ] {
            assert!(!is_private_host(host), "{host}");
        }
    }
}
