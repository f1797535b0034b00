//! What the owner may do: who it is, and what a list of monitors is. Pure.

use serde_json::Value;

use crate::config::applied::LIST;
use crate::domain::constant_time;

/// Longest list that is taken, in bytes: half of what a row holds.
pub const MAX_LIST_BYTES: usize = 1024 * 1024;

/// Shortest token that lets anybody in: one that can be guessed is none.
const MIN_TOKEN_LENGTH: usize = 16;

/// What became of a request with or without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// It is the owner's.
    Granted,
    /// It has none, or a wrong one.
    Refused,
    /// There is none to have: the secret is not set, or too short.
    Disabled,
}

/// Compares the `Authorization` of a request with the tokens that are good. Takes as long for a token that is almost
/// right as for one that is all wrong.
pub fn authorize(authorization: Option<&str>, good: &[Option<String>]) -> Authorization {
    let mut usable = good.iter().flatten().filter(|token| token.len() >= MIN_TOKEN_LENGTH).peekable();
    if usable.peek().is_none() {
        return Authorization::Disabled;
    }
    let scheme = |given: &str| given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let given = authorization.filter(|given| scheme(given)).map_or("", |given| given[7..].trim());
    let granted = usable
        .fold(false, |granted, token| granted | constant_time::equal(given.as_bytes(), token.as_bytes()));
    if granted { Authorization::Granted } else { Authorization::Refused }
}

/// Reads the body of a request: `{"monitors":[…]}`.
pub fn read_list(text: &str) -> Result<Vec<Value>, String> {
    read_named(text, LIST)
}

/// Reads a body with one list in it: `{name:[…]}`.
pub fn read_named(text: &str, name: &str) -> Result<Vec<Value>, String> {
    if text.len() > MAX_LIST_BYTES {
        return Err(format!("the list has {} bytes, more than {MAX_LIST_BYTES}", text.len()));
    }
    let wrong = |why: &str| format!(r#"the body should be {{"{name}":[…]}}: {why}"#);
    let body = serde_json::from_str::<Value>(text).map_err(|error| wrong(&error.to_string()))?;
    let Value::Object(mut body) = body else { return Err(wrong("it is no object")) };
    match (body.remove(name), body.keys().next()) {
        (Some(Value::Array(list)), None) => Ok(list),
        (Some(Value::Array(_)), Some(more)) => Err(wrong(&format!("`{more}` is not known"))),
        (Some(_), _) => Err(wrong(&format!("{name} is no list"))),
        (None, _) => Err(wrong(&format!("{name} is missing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_enter() {
        let good = "0123456789abcdef";
        let cases = [
            ("the token", Some("Bearer 0123456789abcdef"), Some(good), Authorization::Granted),
            ("in another case", Some("bearer 0123456789abcdef"), Some(good), Authorization::Granted),
            ("with space", Some("Bearer   0123456789abcdef "), Some(good), Authorization::Granted),
            ("no token", None, Some(good), Authorization::Refused),
            ("an empty one", Some("Bearer "), Some(good), Authorization::Refused),
            ("another", Some("Bearer 0123456789abcdeF"), Some(good), Authorization::Refused),
            ("its beginning", Some("Bearer 0123456789abcde"), Some(good), Authorization::Refused),
            ("more than it", Some("Bearer 0123456789abcdef0"), Some(good), Authorization::Refused),
            ("another scheme", Some("Basic 0123456789abcdef"), Some(good), Authorization::Refused),
            ("no scheme", Some("0123456789abcdef"), Some(good), Authorization::Refused),
            ("a letter of two bytes in the way", Some("Beare\u{e9} x"), Some(good), Authorization::Refused),
            ("nothing is set", Some("Bearer 0123456789abcdef"), None, Authorization::Disabled),
            ("nothing is set and nothing given", Some("Bearer "), None, Authorization::Disabled),
            ("too short to be one", Some("Bearer short"), Some("short"), Authorization::Disabled),
            ("empty", Some("Bearer "), Some(""), Authorization::Disabled),
        ];
        for (name, authorization, token, expected) in cases {
            assert_eq!(authorize(authorization, &[token.map(str::to_owned)]), expected, "{name}");
        }
        let two = [None, Some("another token 123".to_owned()), Some(good.to_owned())];
        assert_eq!(authorize(Some("Bearer 0123456789abcdef"), &two), Authorization::Granted);
    }

    #[test]
    fn a_body_that_is_no_list() {
        assert_eq!(read_list(r#"{"monitors":[]}"#), Ok(vec![]));
        for text in ["", "[]", r#"{"monitors":{}}"#, r#"{"monitors":[],"more":1}"#] {
            assert!(read_list(text).is_err(), "{text}");
        }
        assert!(read_list(&" ".repeat(MAX_LIST_BYTES + 1)).unwrap_err().contains("more than"));
    }
}
