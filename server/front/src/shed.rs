//! Load shedding: the priorities of requests are path patterns, because nobody knows the program's routes.

use std::borrow::Cow;

pub use heapbeat_connection::Priority;
use heapbeat_connection::RefusalGate;

/// Priorities by path pattern. The most specific pattern wins.
#[derive(Clone, Debug, Default)]
pub struct Priorities {
    patterns: matchit::Router<Priority>,
}

/// A pattern is malformed, or there is one for the same paths already.
#[derive(Debug, thiserror::Error)]
#[error("{pattern}: {reason}; a pattern is a path such as /admin, /users/{{id}} or /reports/{{*rest}}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    reason: matchit::InsertError,
}

impl Priorities {
    /// Adds the priority of a pattern such as `/admin`, `/users/{id}` or `/reports/{*rest}`.
    pub fn add(&mut self, pattern: &str, priority: Priority) -> Result<(), PatternError> {
        self.patterns
            .insert(pattern, priority)
            .map_err(|reason| PatternError { pattern: pattern.to_owned(), reason })
    }

    fn of(&self, path: &str) -> Priority {
        self.patterns.at(&normalize(path)).map_or(Priority::Normal, |found| *found.value)
    }
}

/// Returns a path as programs understand it, so that a request does not get another priority by another spelling: unreserved characters
/// (RFC 3986 2.3) are not encoded, and slashes are single. Case is kept, as most programs distinguish it.
fn normalize(path: &str) -> Cow<'_, str> {
    if !path.contains('%') && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(character) = rest.chars().next() {
        let decoded = rest.strip_prefix('%').and_then(decode_unreserved);
        rest = &rest[if decoded.is_some() { 3 } else { character.len_utf8() }..];
        let character = decoded.unwrap_or(character);
        if !(character == '/' && normal.ends_with('/')) {
            normal.push(character);
        }
    }
    Cow::Owned(normal)
}

/// Decodes the two hexadecimal digits at the beginning, if they stand for an unreserved character.
fn decode_unreserved(digits: &str) -> Option<char> {
    let digits = digits.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let character = char::from(u8::from_str_radix(digits, 16).ok()?);
    (character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~')).then_some(character)
}

/// The share of requests that is refused now.
#[derive(Debug)]
pub(crate) struct Gate {
    priorities: Priorities,
    refusals: RefusalGate,
}

impl Gate {
    pub(crate) fn new(priorities: Priorities) -> Self {
        Gate { priorities, refusals: RefusalGate::default() }
    }

    pub(crate) fn set(&self, thousandths: u16) {
        self.refusals.set(thousandths);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refusals.refused()
    }

    /// Decides whether to admit a request for `path`.
    pub(crate) fn admits(&self, path: &str) -> bool {
        self.refusals.admits(|| self.priorities.of(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_follows_the_priority_of_the_path() {
        let mut priorities = Priorities::default();
        for (pattern, priority) in [
            ("/admin/{*rest}", Priority::Critical),
            ("/reports/{id}", Priority::Low),
            ("/checkout", Priority::High),
        ] {
            priorities.add(pattern, priority).unwrap();
        }
        // Path, share in thousandths, refused of a hundred.
        let cases = [
            ("/", 0, 0),
            ("/", 300, 30),
            ("/", 1000, 100),
            ("/reports/1", 300, 60),
            ("/reports/1/x", 300, 30),
            ("/checkout", 500, 0),
            ("/checkout", 750, 50),
            ("/admin/users", 1000, 0),
        ];
        for (path, share, refused) in cases {
            let gate = Gate::new(priorities.clone());
            gate.set(share);
            let counted = (0..100).filter(|_| !gate.admits(path)).count();
            assert_eq!((counted, gate.refused()), (refused, refused as u64), "{path} at {share}");
        }
    }

    #[test]
    fn another_spelling_of_a_path_has_the_same_priority() {
        let cases = [
            ("/reports/1", "/reports/1"),
            ("//reports///1", "/reports/1"),
            ("/%72eports/%31", "/reports/1"),
            ("/%7euser/%2E%2d", "/~user/.-"),
            ("/a%2Fb/%20", "/a%2Fb/%20"),
            ("/%/%7/%zz/%é", "/%/%7/%zz/%é"),
            ("/%+1", "/%+1"),
            ("/Reports", "/Reports"),
            ("*", "*"),
        ];
        for (path, normal) in cases {
            assert_eq!(normalize(path), normal, "{path}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_work_names_itself() {
        let mut priorities = Priorities::default();
        priorities.add("/users/{id}", Priority::Low).unwrap();
        for pattern in ["/users/{name}", "/a/{b", "/x/{*y}/z"] {
            let message = priorities.add(pattern, Priority::High).unwrap_err().to_string();
            assert!(message.starts_with(pattern), "{message}");
        }
    }
}
