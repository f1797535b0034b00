//! The pattern of a path: what varies from request to request becomes `:id`, so that metrics have few labels.

use std::fmt::Write as _;

/// Longest segment that is kept as it is.
const LONGEST_SEGMENT: usize = 24;

/// Segments of a pattern; what is deeper becomes `*`.
const MAX_SEGMENTS: usize = 6;

/// Returns the pattern of a path, at most 160 bytes long.
pub(crate) fn route_pattern(path: &str) -> String {
    if path == "*" {
        return path.to_owned();
    }
    let mut pattern = String::with_capacity(path.len().min(160));
    for (index, segment) in path.trim_start_matches('/').split('/').enumerate() {
        if index == MAX_SEGMENTS {
            pattern.push_str("/*");
            break;
        }
        let _ = write!(pattern, "/{}", if varies(segment) { ":id" } else { segment });
    }
    pattern
}

/// Whether a segment is an identifier: a number, a UUID, a hexadecimal id, a long or an encoded text.
fn varies(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let plain = bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'@'));
    bytes.len() > LONGEST_SEGMENT
        || !plain
        || (digits > 0 && digits == bytes.len())
        || (bytes.len() >= 8 && hex && digits > 0)
        // Random text: a third of it digits, as in nanoids and keys.
        || (bytes.len() >= 12 && digits * 3 >= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_one_label() {
        let cases = [
            ("/", "/"),
            ("/users", "/users"),
            ("/users/", "/users/"),
            ("/users/42", "/users/:id"),
            ("/api/v1/users/42/orders/7", "/api/v1/users/:id/orders/:id"),
            ("/u/123e4567-e89b-12d3-a456-426614174000", "/u/:id"),
            ("/o/507f1f77bcf86cd799439011", "/o/:id"),
            ("/deadbeef", "/deadbeef"),
            ("/deadbee1", "/:id"),
            ("/2024-05-01", "/:id"),
            ("/k/V1StGXR8Z5jd39", "/k/:id"),
            ("/assets/index.html", "/assets/index.html"),
            ("/a-very-long-title-of-an-article", "/:id"),
            ("/caf%C3%A9", "/:id"),
            ("/a/b/c/d/e/f/g/h", "/a/b/c/d/e/f/*"),
            ("//evil", "/evil"),
            ("/\"quote", "/:id"),
            ("*", "*"),
        ];
        for (path, pattern) in cases {
            assert_eq!(route_pattern(path), pattern, "{path}");
        }
        assert!(route_pattern(&"/abcdefghijklmnopqrstuvwx".repeat(50)).len() <= 160);
    }
}
