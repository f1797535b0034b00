//! Values whose names speak of secrets: `API_KEY=…`, `"password": "…"`, `Authorization: …`.

use super::MASK;

/// Words that make a name secret wherever they are in it.
const ANYWHERE: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "cookie",
    "apikey",
    "privatekey",
    "accesskey",
    "authorization",
    "connectionstring",
];

/// Words that make a name secret as one of its words.
const AS_A_WORD: &[&str] =
    &["auth", "pass", "pwd", "pin", "otp", "dsn", "sig", "signature", "sid", "jwt", "bearer"];

/// Words before `key` that make it a secret.
const KEYS: &[&str] = &[
    "api",
    "access",
    "private",
    "secret",
    "auth",
    "encryption",
    "signing",
    "master",
    "account",
    "service",
    "ssh",
    "license",
    "storage",
    "session",
];

/// Names whose value is the rest of the line.
const HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Whether a name speaks of a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let joined = words.concat();
    let is_key = words.windows(2).any(|pair| KEYS.contains(&&*pair[0]) && pair[1].starts_with("key"));
    is_key
        || ANYWHERE.iter().any(|word| joined.contains(word))
        || words.iter().any(|word| AS_A_WORD.contains(&&**word))
}

/// Splits a name at punctuation and before capital letters, and returns its words in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    for char in name.chars() {
        if char.is_ascii_uppercase() && before_is_lower || !char.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        before_is_lower = char.is_ascii_lowercase() || char.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| char.is_ascii_alphanumeric()) {
            word.push(char.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Masks the values of secret names in a line.
pub(super) fn mask_named_values(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_name_char) {
        let (before, from_name) = rest.split_at(start);
        masked.push_str(before);
        let end = from_name.find(|it: char| !is_name_char(it)).unwrap_or(from_name.len());
        let (name, after) = from_name.split_at(end);
        masked.push_str(name);
        rest = after;
        if let Some((separator, value)) = split_separator(after).filter(|_| is_secret_name(name)) {
            masked.push_str(separator);
            let is_header = HEADERS.iter().any(|it| name.eq_ignore_ascii_case(it)) && separator.contains(':');
            let length = if is_header { value.len() } else { value_length(value) };
            if length > 0 {
                masked.push_str(MASK);
            }
            rest = &value[length..];
        }
    }
    masked.push_str(rest);
    masked
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.')
}

/// Splits off what stands between a name and its value: `=`, `: `, `": "`, ` => `.
fn split_separator(after_name: &str) -> Option<(&str, &str)> {
    let is_around = |it: char| matches!(it, ' ' | '"' | '\'' | '\\' | ']' | '`');
    let sign = after_name.trim_start_matches(is_around);
    let value =
        sign.strip_prefix("=>").or_else(|| sign.strip_prefix(['=', ':']))?.trim_start_matches([' ', '\t']);
    Some(after_name.split_at(after_name.len() - value.len()))
}

/// Returns the length of the value at the beginning of a text: up to the closing quote, or to the next separator. A scheme such as
/// `Bearer` belongs to it.
fn value_length(text: &str) -> usize {
    if let Some(inner) = text.strip_prefix("\\\"") {
        // JSON inside of JSON.
        return inner.find("\\\"").map_or(text.len(), |end| end + 4);
    }
    if let Some(quote) = text.chars().next().filter(|it| matches!(it, '"' | '\'' | '`')) {
        let mut escaped = false;
        let end = text[1..].find(|it: char| {
            let closes = it == quote && !escaped;
            escaped = it == '\\' && !escaped;
            closes
        });
        return end.map_or(text.len(), |end| end + 2);
    }
    let end = |it: char| it.is_whitespace() || matches!(it, ',' | '&' | ';' | '}' | ')' | '"' | '\'');
    let length = text.find(end).unwrap_or(text.len());
    let (word, more) = text.split_at(length);
    let is_scheme = ["bearer", "basic", "digest", "token"].iter().any(|it| word.eq_ignore_ascii_case(it));
    match more.strip_prefix(' ').filter(|_| is_scheme) {
        Some(value) => length + 1 + value.find(end).unwrap_or(value.len()),
        None => length,
    }
}
