//! Entity tags: a strong `ETag` for a body (RFC 9110, 8.8.3), and its comparison with `If-None-Match`. Pure.

use heapbeat_shared::fnv::fnv1a;

/// The tag of a body: its length and its FNV-1a hash.
pub(crate) fn entity_tag(body: &[u8]) -> String {
    format!("\"{:x}-{:016x}\"", body.len(), fnv1a(body))
}

/// Whether `If-None-Match` names the tag. The comparison is the weak one (RFC 9110, 13.1.2): a proxy that compresses makes a tag weak.
pub(crate) fn matches(if_none_match: &str, tag: &str) -> bool {
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
    fn a_tag_is_length_and_hash() {
        assert_eq!(entity_tag(b""), "\"0-cbf29ce484222325\"");
        assert_eq!(entity_tag(b"foobar"), "\"6-85944171f73967e8\"");
    }

    #[test]
    fn a_tag_matches_strong_or_weak_in_a_list_or_a_star() {
        let tag = "\"6-85944171f73967e8\"";
        for given in [tag, "*", "\"x\", \"6-85944171f73967e8\"", "W/\"6-85944171f73967e8\"", " * "] {
            assert!(matches(given, tag), "{given}");
        }
        for given in ["", "\"x\"", "6-85944171f73967e8", "w/\"6-85944171f73967e8\"", "\"6-85944171f73967e\""]
        {
            assert!(!matches(given, tag), "{given}");
        }
    }
}
