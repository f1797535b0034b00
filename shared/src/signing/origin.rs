//! The scheme, host and port that a request is signed for.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// The most bytes of an origin: a host name has at most 253.
const MAX_ORIGIN: usize = 270;

/// A scheme, a host and a port as the client was configured with them, such as `https://api.example.com` or `http://[::1]:8080`. The host
/// is in lower case, and the port is left out if it is the scheme's own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestOrigin {
    text: String,
    /// The length of the scheme.
    scheme: usize,
    /// The end of the host.
    host_end: usize,
}

/// The text is not the origin of a web address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the origin of an http or https address")]
pub struct OriginError;

impl RequestOrigin {
    /// The scheme, `http` or `https`.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme]
    }

    /// The host; an address of IPv6 is in brackets.
    pub fn host(&self) -> &str {
        &self.text[self.scheme + 3..self.host_end]
    }

    /// The host, and the port unless it is the scheme's own.
    pub fn authority(&self) -> &str {
        &self.text[self.scheme + 3..]
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let written = self.text[self.host_end..].strip_prefix(':').and_then(|port| port.parse().ok());
        written.unwrap_or(if self.scheme() == "https" { 443 } else { 80 })
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host == "[::1]"
            || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for RequestOrigin {
    type Err = OriginError;

    /// Parses an origin, or an address: what follows the authority is ignored. User information is an error.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError)?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(OriginError),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        let end = if authority.starts_with('[') { authority.find(']').ok_or(OriginError)? + 1 } else { 0 };
        let (host, port) = match authority[end..].find(':') {
            Some(colon) => (&authority[..end + colon], &authority[end + colon + 1..]),
            None => (authority.as_str(), ""),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_named = !host.is_empty() && host.bytes().all(is_host);
        let is_bracketed = end == host.len()
            && host.len() > 3
            && host[1..end - 1].bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        if !(if end > 0 { is_bracketed } else { is_named }) || !digits || authority.len() > MAX_ORIGIN {
            return Err(OriginError);
        }
        let port: u16 = if port.is_empty() { default_port } else { port.parse().map_err(|_| OriginError)? };
        let host_end = scheme.len() + 3 + host.len();
        let mut text = format!("{scheme}://{host}");
        if port != default_port {
            let _ = write!(text, ":{port}");
        }
        Ok(RequestOrigin { text, scheme: scheme.len(), host_end })
    }
}

impl fmt::Display for RequestOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RequestOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_in_one_way() {
        // (text, origin, host, authority)
        let cases = [
            ("https://api.example.com", "https://api.example.com", "api.example.com", "api.example.com"),
            (
                "HTTPS://API.Example.com:443/health?after=x#y",
                "https://api.example.com",
                "api.example.com",
                "api.example.com",
            ),
            (
                "http://api.example.com:443",
                "http://api.example.com:443",
                "api.example.com",
                "api.example.com:443",
            ),
            ("http://localhost:080", "http://localhost", "localhost", "localhost"),
            ("http://[::1]:8080/", "http://[::1]:8080", "[::1]", "[::1]:8080"),
            ("http://a_b.internal:8080?x", "http://a_b.internal:8080", "a_b.internal", "a_b.internal:8080"),
        ];
        for (text, origin, host, authority) in cases {
            let parsed: RequestOrigin = text.parse().unwrap();
            assert_eq!(
                (parsed.as_str(), parsed.host(), parsed.authority()),
                (origin, host, authority),
                "{text}"
            );
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for (text, port) in
            [("https://a", 443), ("http://[::1]", 80), ("http://[::1]:8080", 8080), ("https://a:80", 80)]
        {
            assert_eq!(text.parse::<RequestOrigin>().unwrap().port(), port, "{text}");
        }
        let bad = [
            "",
            "api.example.com",
            "ftp://x",
            "https://",
            "https://:443",
            "https://user@host",
            "https://a b",
            "https://[::1",
            "https://[]",
            "https://[::1]x",
            "https://a:b",
            "https://a:99999",
            "https://a:-1",
            "https://é",
        ];
        for text in bad {
            assert_eq!(text.parse::<RequestOrigin>(), Err(OriginError), "{text}");
        }
        assert!(format!("https://{}", "a".repeat(300)).parse::<RequestOrigin>().is_err());
    }

    #[test]
    fn this_machine_has_several_names() {
        for (text, expected) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.53", true),
            ("https://[::1]", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(text.parse::<RequestOrigin>().unwrap().is_loopback(), expected, "{text}");
        }
    }
}
