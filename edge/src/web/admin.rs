//! Requests of the owner: the check of the token, and the lists in bodies. Pure.

use serde_json::Value;

use crate::config::applied::LIST;
use crate::domain::constant_time;

/// The longest body with a list, in bytes: half of what a row of the store holds.
pub const MAX_LIST_BYTES: usize = 1024 * 1024;

/// The shortest token that is accepted, in bytes; a shorter one could be guessed.
const MIN_TOKEN_LENGTH: usize = 16;

/// Whether a request is authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// The token is right.
    Granted,
    /// The token is missing or wrong.
    Refused,
    /// No token is accepted, as the secret is not set or is too short.
    Disabled,
}

/// Compares the `Authorization` header of a request with the accepted tokens, in a time that does not depend on how much of a token is
/// right.
pub fn authorize(authorization: Option<&str>, accepted: &[Option<String>]) -> Authorization {
    let mut usable = accepted.iter().flatten().filter(|token| token.len() >= MIN_TOKEN_LENGTH).peekable();
    if usable.peek().is_none() {
        return Authorization::Disabled;
    }
    let scheme = |given: &str| given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let given = authorization.filter(|given| scheme(given)).map_or("", |given| given[7..].trim());
    let granted = usable
        .fold(false, |granted, token| granted | constant_time::equal(given.as_bytes(), token.as_bytes()));
    if granted { Authorization::Granted } else { Authorization::Refused }
}

/// Reads the body `{"monitors":[…]}`.
pub fn read_list(text: &str) -> Result<Vec<Value>, String> {
    read_named(text, LIST)
}

/// Reads a body with one list, `{name:[…]}`. The error says what would be right.
pub fn read_named(text: &str, name: &str) -> Result<Vec<Value>, String> {
    if text.len() > MAX_LIST_BYTES {
        return Err(format!("The list has {} bytes; at most {MAX_LIST_BYTES} are accepted.", text.len()));
    }
    let wrong = |why: &str| format!(r#"The body must be {{"{name}":[…]}}: {why}."#);
    let body = serde_json::from_str::<Value>(text).map_err(|error| wrong(&error.to_string()))?;
    let Value::Object(mut body) = body else { return Err(wrong("it is not an object")) };
    match (body.remove(name), body.keys().next()) {
        (Some(Value::Array(list)), None) => Ok(list),
        (Some(Value::Array(_)), Some(more)) => Err(wrong(&format!("`{more}` is unknown"))),
        (Some(_), _) => Err(wrong(&format!("`{name}` is not a list"))),
        (None, _) => Err(wrong(&format!("`{name}` is missing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_bearer_token_is_accepted() {
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
    fn a_body_without_a_list_is_refused() {
        assert_eq!(read_list(r#"{"monitors":[]}"#), Ok(vec![]));
        for text in ["", "[]", r#"{"monitors":{}}"#, r#"{"monitors":[],"more":1}"#] {
            assert!(read_list(text).is_err(), "{text}");
        }
        assert!(read_list(&" ".repeat(MAX_LIST_BYTES + 1)).unwrap_err().contains("at most"));
    }
}
