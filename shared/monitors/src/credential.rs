//! Credentials, recognized by the names beside them.
//!
//! A configuration is committed to a repository, stored in the hub and part of its exports, so a credential in it must be the name of a
//! Worker secret.

use serde_json::Value;

/// Returns whether a header usually contains a credential, by its name in lower case.
pub(super) fn is_credential_header(lower: &str) -> bool {
    const WORDS: [&str; 12] = [
        "auth",
        "authorization",
        "cookie",
        "credential",
        "credentials",
        "jwt",
        "pass",
        "passwd",
        "pin",
        "pwd",
        "session",
        "sid",
    ];
    let parts = ["token", "secret", "api-key", "apikey", "access-key", "private-key", "password", "session"];
    lower.split(['-', '_', '.']).any(|word| WORDS.contains(&word))
        || parts.iter().any(|part| lower.contains(part))
}

/// Returns whether a parameter or a field usually contains a credential: `token`, `access_token`, `apiKey`, `client-secret`, `password`.
fn is_credential_field(name: &str) -> bool {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let words = [
        "auth",
        "authorization",
        "credentials",
        "jwt",
        "pwd",
        "session",
        "sessionid",
        "sid",
        "sig",
        "signature",
    ];
    let ends = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "accesskey",
        "privatekey",
        "secretkey",
    ];
    words.contains(&name.as_str()) || ends.iter().any(|end| name.ends_with(end))
}

/// Finds a parameter with a credential in the query of an address, and returns its name.
pub fn find_in_query(url: &str) -> Option<&str> {
    let query = url.split_once('?')?.1.split('#').next()?;
    find_in_pairs(query)
}

/// Finds a field with a credential in a request body, which is JSON or a form, and returns its name.
pub fn find_in_body(body: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => find_in_value(&value).map(str::to_owned),
        Err(_) => find_in_pairs(body.trim()).map(str::to_owned),
    }
}

fn find_in_pairs(pairs: &str) -> Option<&str> {
    let pairs = pairs.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(name, value)| !value.is_empty() && is_credential_field(name))
        .map(|(name, _)| name)
}

fn find_in_value(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let has_text = value.as_str().is_some_and(|text| !text.is_empty());
            if has_text && is_credential_field(name) { Some(name.as_str()) } else { find_in_value(value) }
        }),
        Value::Array(items) => items.iter().find_map(find_in_value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_recognized_by_the_names_beside_them() {
        for (url, expected) in [
            ("https://a.example/health", None),
            ("https://a.example/?token=abc", Some("token")),
            ("https://a.example/?page=1&access_token=abc#x", Some("access_token")),
            ("https://a.example/?API-Key=abc", Some("API-Key")),
            ("https://a.example/?sig=abc", Some("sig")),
            ("https://a.example/?token=", None),
            ("https://a.example/?tokens_left=3&signal=on&author=me&key=name", None),
            ("https://a.example/path/token=abc", None),
        ] {
            assert_eq!(find_in_query(url), expected, "{url}");
        }
        for (body, expected) in [
            (r#"{"user":"a","password":"hunter2"}"#, Some("password")),
            (r#"{"a":[{"b":{"clientSecret":"x"}}]}"#, Some("clientSecret")),
            (r#"{"password":"","token":null,"secret":5}"#, None),
            ("user=a&passwd=b", Some("passwd")),
            (r#"{"query":"{ token }"}"#, None),
            ("a text with password in it", None),
            ("", None),
        ] {
            assert_eq!(find_in_body(body).as_deref(), expected, "{body}");
        }
    }
}
