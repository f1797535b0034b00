//! The address of a TCP monitor, such as `tcp://db.example.com:5432`.

use std::fmt;
use std::str::FromStr;

use super::url::{is_valid_host, split_port};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpAddress {
    host: String,
    port: u16,
}

/// The text is not such an address. The message does not contain the text, as it may include a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TcpAddressError {
    /// The text has another form.
    #[error("must be tcp://host:port, such as tcp://db.example.com:5432")]
    Form,
    /// The platform refuses connections to port 25.
    #[error("port 25 cannot be used, as the platform does not let a Worker connect to it")]
    Mail,
}

impl TcpAddress {
    /// Returns the host; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}:{}", self.host, self.port)
    }
}

impl FromStr for TcpAddress {
    type Err = TcpAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority = text.strip_prefix("tcp://").ok_or(TcpAddressError::Form)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority).map_err(|_| TcpAddressError::Form)?;
        let port = port.and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
        match port {
            Some(25) => Err(TcpAddressError::Mail),
            Some(port) if is_valid_host(host) => Ok(TcpAddress { host: host.to_owned(), port }),
            _ => Err(TcpAddressError::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_or_refused() {
        let cases = [
            ("tcp://db.example.com:5432", Ok(("db.example.com", 5432))),
            ("tcp://[2001:db8::1]:22/", Ok(("[2001:db8::1]", 22))),
            ("tcp://192.0.2.1:65535", Ok(("192.0.2.1", 65535))),
            ("tcp://mail.example.com:25", Err(TcpAddressError::Mail)),
            ("tcp://db.example.com", Err(TcpAddressError::Form)),
            ("tcp://db.example.com:0", Err(TcpAddressError::Form)),
            ("tcp://db.example.com:70000", Err(TcpAddressError::Form)),
            ("tcp://me:secret@db.example.com:5432", Err(TcpAddressError::Form)),
            ("tcp://db.example.com:5432/path", Err(TcpAddressError::Form)),
            ("http://db.example.com:5432", Err(TcpAddressError::Form)),
            ("db.example.com:5432", Err(TcpAddressError::Form)),
            ("tcp://:5432", Err(TcpAddressError::Form)),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<TcpAddress>();
            assert_eq!(
                parsed.as_ref().map(|address| (address.host(), address.port())),
                expected.as_ref().copied(),
                "{text}"
            );
        }
    }
}
