//! The body of `GET /health`, to the letter of Contract 1.
//!
//! The server writes it, the edge reads it. Strangers are told five figures and one word; a field more would
//! be a leak, a field less breaks whoever parses it today.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::units::Megabytes;

/// Longest body that [`Health::parse`] looks at, in bytes. The contract's own is about 110.
pub const MAX_HEALTH_BODY: usize = 64 * 1024;

/// One word for the process as a whole; a later one is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Pressure is calm.
    #[default]
    Healthy,
    /// Memory is above a warning mark; everything is served.
    Degraded,
    /// Memory is close to the limit; the process is about to be replaced, or refuses some requests.
    Critical,
    /// Asked to stop: finishing what it has.
    Draining,
}

impl Status {
    /// Every word, best first.
    pub const ALL: [Status; 4] = [Status::Healthy, Status::Degraded, Status::Critical, Status::Draining];

    /// The word on the wire.
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
    /// jemalloc `stats.allocated`: bytes the application holds.
    #[n(1)]
    pub heap_used: Megabytes,
    /// jemalloc `stats.active`: bytes in pages that hold at least one allocation.
    #[n(2)]
    pub heap_total: Megabytes,
    /// Resident and not jemalloc's: `rss - stats.resident`, never below 0.
    #[n(3)]
    pub external: Megabytes,
}

/// The whole answer. Field order is the wire's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// One word for the process.
    pub status: Status,
    /// What it holds.
    pub memory: HealthMemory,
    /// Whole seconds since the process started.
    pub uptime: u64,
}

/// Why a body is not a health answer.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// Longer than [`MAX_HEALTH_BODY`]; nothing of it was parsed.
    #[error("the body has {length} bytes, more than the {MAX_HEALTH_BODY} that a health answer may have")]
    TooLong {
        /// Bytes in the body.
        length: usize,
    },
    /// Not JSON, or JSON without the contract's fields.
    #[error("the body is not a health answer: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Health {
    /// The contract's body: compact JSON without a trailing newline.
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

    /// Reads a body from a stranger: bounded, unknown fields ignored, a missing or misshapen one refused.
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

    /// Contract 1, letter for letter.
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
    fn the_body_is_the_contracts_to_the_letter() {
        assert_eq!(String::from_utf8(contract().to_json()).unwrap(), CONTRACT);
        assert_eq!(Health::parse(CONTRACT.as_bytes()).unwrap(), contract());
    }

    #[test]
    fn the_word_is_the_same_in_code_and_on_the_wire() {
        for status in [Status::Healthy, Status::Degraded, Status::Critical, Status::Draining] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn a_newer_server_may_add_fields() {
        let newer = CONTRACT.replace("\"uptime\"", "\"swap\":1,\"uptime\"");
        assert_eq!(Health::parse(newer.as_bytes()).unwrap(), contract());
    }

    #[test]
    fn what_is_no_health_answer_is_refused_with_the_reason() {
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
    fn a_long_body_is_refused_before_it_is_parsed() {
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
