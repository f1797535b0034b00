//! The check of the owner's token. Pure.

use crate::domain::constant_time;

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

/// Compares the `Authorization` header of a request with the accepted tokens, in constant time. A secret may hold several tokens with
/// commas between them: the old and the new one while it is rotated.
pub fn authorize(authorization: Option<&str>, accepted: &[Option<String>]) -> Authorization {
    let tokens = accepted.iter().flatten().flat_map(|secret| secret.split(',').map(str::trim));
    let mut usable = tokens.filter(|token| token.len() >= MIN_TOKEN_LENGTH).peekable();
    if usable.peek().is_none() {
        return Authorization::Disabled;
    }
    let scheme = |given: &str| given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let given = authorization.filter(|given| scheme(given)).map_or("", |given| given[7..].trim());
    let granted = usable.fold(false, |granted, token| {
        granted | constant_time::constant_time_eq(given.as_bytes(), token.as_bytes())
    });
    if granted { Authorization::Granted } else { Authorization::Refused }
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
        let rotated = [Some("fedcba9876543210, 0123456789abcdef,short".to_owned())];
        for (given, expected) in [
            ("Bearer 0123456789abcdef", Authorization::Granted),
            ("Bearer fedcba9876543210", Authorization::Granted),
            ("Bearer fedcba9876543210, 0123456789abcdef,short", Authorization::Refused),
            ("Bearer short", Authorization::Refused),
        ] {
            assert_eq!(authorize(Some(given), &rotated), expected, "{given}");
        }
    }
}
