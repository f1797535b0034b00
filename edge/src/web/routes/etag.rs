//! What tells one body from another: a strong `ETag` (RFC 9110, 8.8.3), and who has it already. Pure.

use crate::domain::fnv::fnv1a;

/// The tag of a body: its length and its hash.
pub(crate) fn of(body: &[u8]) -> String {
    format!("\"{:x}-{:016x}\"", body.len(), fnv1a(body))
}

/// Whether a client that sends this `If-None-Match` has the body of this tag. A proxy that compresses makes a tag weak,
/// and the comparison is the weak one (RFC 9110, 13.1.2).
pub(crate) fn has(if_none_match: &str, tag: &str) -> bool {
    let known = |given: &str| {
        let given = given.trim();
        given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
    };
    if_none_match.split(',').any(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes are the published test vectors of FNV-1a.
    #[test]
    fn tags() {
        assert_eq!(of(b""), "\"0-cbf29ce484222325\"");
        assert_eq!(of(b"foobar"), "\"6-85944171f73967e8\"");
    }

    #[test]
    fn who_has_it() {
        let tag = "\"6-85944171f73967e8\"";
        for has_it in [tag, "*", "\"x\", \"6-85944171f73967e8\"", "W/\"6-85944171f73967e8\"", " * "] {
            assert!(has(has_it, tag), "{has_it}");
        }
        for has_not in
            ["", "\"x\"", "6-85944171f73967e8", "w/\"6-85944171f73967e8\"", "\"6-85944171f73967e\""]
        {
            assert!(!has(has_not, tag), "{has_not}");
        }
    }
}
