//! The public body of `GET /health`.
//!
//! The server writes it and the edge reads it. The body has exactly these fields: one more would disclose something to
//! strangers, one less would break existing readers.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::units::Megabytes;

/// Longest body that [`Health::parse`] accepts, in bytes. A normal body has about 110.
pub const MAX_HEALTH_BODY: usize = 64 * 1024;

/// The status of the process; a later variant is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Pressure is calm.
    #[default]
    Healthy,
    /// Memory is above the alert or purge threshold, or requests wait for the next instance of a guarded program; every request is served.
    Degraded,
    /// Memory is close to the limit; the process is being replaced or refuses some requests.
    Critical,
    /// The process is shutting down and finishes its open requests.
    Draining,
}

impl Status {
    /// Every status, best first.
    pub const ALL: [Status; 4] = [Status::Healthy, Status::Degraded, Status::Critical, Status::Draining];

    /// Returns the name on the wire and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Critical => "critical",
            Status::Draining => "draining",
        }
    }
}

/// The memory figures of `/health`, whole megabytes of 2^20 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "camelCase")]
pub struct HealthMemory {
    /// Resident set of the process.
    #[n(0)]
    pub rss: Megabytes,
    /// jemalloc `stats.allocated`: bytes that the application holds.
    #[n(1)]
    pub heap_used: Megabytes,
    /// jemalloc `stats.active`: bytes in pages that hold at least one allocation.
    #[n(2)]
    pub heap_total: Megabytes,
    /// Resident memory outside jemalloc: `rss - stats.resident`, never below 0.
    #[n(3)]
    pub external: Megabytes,
}

/// The whole body. The order of the fields is the order on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The status of the process.
    pub status: Status,
    /// The memory of the process.
    pub memory: HealthMemory,
    /// Whole seconds since the process started.
    pub uptime: u64,
}

/// The reason why a body is not a health response.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The body is longer than [`MAX_HEALTH_BODY`]; it was not parsed.
    #[error("the body has {length} bytes, and a health response has at most {MAX_HEALTH_BODY}")]
    TooLong {
        /// Bytes in the body.
        length: usize,
    },
    /// The body is not JSON, or lacks a field.
    #[error("the body is not a health response: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Health {
    /// Writes the body: compact JSON without a trailing newline.
    pub fn to_json(&self) -> Vec<u8> {
        let HealthMemory { rss, heap_used, heap_total, external } = self.memory;
        format!(
            r#"{{"status":"{}","memory":{{"rss":{},"heapUsed":{},"heapTotal":{},"external":{}}},"uptime":{}}}"#,
            self.status.as_str(),
            rss.0,
            heap_used.0,
            heap_total.0,
            external.0,
            self.uptime
        )
        .into_bytes()
    }

    /// Parses an untrusted body. Unknown fields are ignored; a missing field or one of another type is an error.
    pub fn parse(body: &[u8]) -> Result<Self, HealthError> {
        if body.len() > MAX_HEALTH_BODY {
            return Err(HealthError::TooLong { length: body.len() });
        }
        Ok(serde_json::from_slice(body)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The documented public body of `/health`, byte for byte.
    const CONTRACT: &str = r#"{"status":"healthy","memory":{"rss":150,"heapUsed":120,"heapTotal":200,"external":30},"uptime":3600}"#;

    fn contract() -> Health {
        Health {
            status: Status::Healthy,
            memory: HealthMemory {
                rss: Megabytes(150),
                heap_used: Megabytes(120),
                heap_total: Megabytes(200),
                external: Megabytes(30),
            },
            uptime: 3600,
        }
    }

    #[test]
    fn the_body_is_exactly_as_documented() {
        assert_eq!(String::from_utf8(contract().to_json()).unwrap(), CONTRACT);
        assert_eq!(Health::parse(CONTRACT.as_bytes()).unwrap(), contract());
    }

    #[test]
    fn status_names_match_the_wire() {
        for status in [Status::Healthy, Status::Degraded, Status::Critical, Status::Draining] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let newer = CONTRACT.replace("\"uptime\"", "\"swap\":1,\"uptime\"");
        assert_eq!(Health::parse(newer.as_bytes()).unwrap(), contract());
    }

    #[test]
    fn an_invalid_body_is_refused_with_the_reason() {
        let cases: [(&str, &str); 6] = [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("<html>", "expected value at line 1 column 1"),
            ("[]", "invalid length 0, expected struct Health"),
            (r#"{"status":"healthy"}"#, "missing field `memory`"),
            (&CONTRACT.replace("3600", "-1"), "invalid value: integer `-1`, expected u64"),
            (
                &CONTRACT.replace("healthy", "<b>"),
                "unknown variant `<b>`, expected one of `healthy`, `degraded`",
            ),
        ];
        for (body, reason) in cases {
            let error = Health::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused_unparsed() {
        let body = vec![b' '; MAX_HEALTH_BODY + 1];
        assert!(matches!(Health::parse(&body), Err(HealthError::TooLong { length }) if length == body.len()));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Health::parse(&body);
        }
    }
}
