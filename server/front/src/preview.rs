//! A look at the next request of a connection while it is still in the kernel's buffer.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};

use crate::framing::{find_end, is_acceptable};
use crate::memory::HeadSize;

/// Most headers of a request; hyper refuses more with 431.
const MAX_HEADERS: usize = 100;

/// What is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preview {
    /// No complete head yet.
    Incomplete,
    /// A head for the program.
    Program(HeadSize),
    /// A head that the front answers itself: for an operator route, or because it is refused.
    Own(HeadSize),
}

/// Looks at `bytes`, of which there are at most `room`. `is_own` is asked whether the front answers a request itself.
pub(crate) fn preview(bytes: &[u8], room: usize, is_own: impl FnOnce(&Parts) -> bool) -> Preview {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let rest = &bytes[blank..];
    let size = |head: &[u8]| HeadSize {
        bytes: head.len(),
        lines: head.iter().map(|byte| usize::from(*byte == b'\n')).sum(),
    };
    let Some(end) = find_end(rest, 0) else {
        // A head that is too long, or blank lines without end.
        return if bytes.len() < room { Preview::Incomplete } else { Preview::Own(size(bytes)) };
    };
    let head = &rest[..end];
    let own = !is_acceptable(head) || parse(head).is_none_or(|parts| is_own(&parts));
    if own { Preview::Own(size(head)) } else { Preview::Program(size(head)) }
}

/// Parses a head as hyper does.
fn parse(head: &[u8]) -> Option<Parts> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).ok()?;
    let mut request = Request::builder().method(parsed.method?).uri(parsed.path?).body(()).ok()?;
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(request.into_parts().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_the_programs_unless_the_front_answers_it() {
        let size = |bytes, lines| HeadSize { bytes, lines };
        let cases = [
            ("", Preview::Incomplete),
            ("GET / HTTP/1.1\r\nHost: a\r\n", Preview::Incomplete),
            ("\r\n\r\n", Preview::Incomplete),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Preview::Program(size(27, 3))),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next", Preview::Program(size(27, 3))),
            ("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", Preview::Own(size(33, 3))),
            ("GET / HTTP/1.1\r\n\r\n", Preview::Own(size(18, 2))),
            ("GET\r\n\r\n", Preview::Own(size(7, 2))),
            ("GET / HTTP/1.1\nHost: a\n\n", Preview::Own(size(24, 3))),
        ];
        for (bytes, expected) in cases {
            let found = preview(bytes.as_bytes(), 4096, |request| request.uri.path() == "/health");
            assert_eq!(found, expected, "{bytes:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100));
        assert_eq!(preview(long.as_bytes(), long.len(), |_| true), Preview::Own(size(long.len(), 1)));
    }

    #[test]
    fn headers_are_at_hand() {
        let head = b"GET /a HTTP/1.1\r\nHost: a\r\nX-Signature: 1\r\n\r\n";
        let signed = |request: &Parts| request.headers.contains_key("x-signature");
        assert!(matches!(preview(head, 4096, signed), Preview::Own(_)));
    }
}
