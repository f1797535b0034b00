//! Values whose names speak of secrets: `API_KEY=…`, `"password": "…"`, `Authorization: …`, `--password …`.

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

/// Names whose value may be several words.
const PHRASES: &[&str] =
    &["password", "passwd", "passphrase", "secret", "mnemonic", "recoveryphrase", "seedphrase"];

/// Flags of user and password, as curl has them.
const CREDENTIAL_FLAGS: &[&str] = &["-u", "-U", "--user", "--proxy-user", "--userpwd"];

/// Whether the argument after a flag is a secret: `--password`.
pub(super) fn is_secret_flag(flag: &str) -> bool {
    flag.starts_with('-') && is_secret_name(flag.trim_start_matches('-'))
}

/// Whether an argument after a flag is a user and a password: `-u ann:hunter2`.
pub(super) fn names_credentials(flag: &str, value: &str) -> bool {
    CREDENTIAL_FLAGS.contains(&flag) && value.contains(':')
}

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
        let begins_word = masked.is_empty()
            || masked.ends_with(|it: char| it.is_whitespace() || matches!(it, '"' | '\'' | '`' | '('));
        let end = from_name.find(|it: char| !is_name_char(it)).unwrap_or(from_name.len());
        let (name, after) = from_name.split_at(end);
        masked.push_str(name);
        rest = after;
        if let Some((separator, value)) = split_separator(after).filter(|_| is_secret_name(name)) {
            masked.push_str(separator);
            let is_header = HEADERS.iter().any(|it| name.eq_ignore_ascii_case(it)) && separator.contains(':');
            let length = if is_header { value.len() } else { value_length(value) };
            // Without quotes, nothing but the end of the line ends a value of several words.
            let is_phrase = separator == ": " && !is_quoted(value) && speaks_of_phrase(name);
            let length = if is_phrase { value.trim_end().len() } else { length };
            if length > 0 {
                masked.push_str(MASK);
            }
            rest = &value[length..];
        } else if let Some(value) = after.strip_prefix(' ').filter(|_| begins_word) {
            let value = value.trim_start_matches(' ');
            let length = value_length(value);
            let is_value = length > 0 && !value.starts_with('-');
            if is_value && (is_secret_flag(name) || names_credentials(name, &value[..length])) {
                masked.push_str(&after[..after.len() - value.len()]);
                masked.push_str(MASK);
                rest = &value[length..];
            }
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
    // The prefixes of Python's strings: b'…', rb"…".
    let prefix =
        text.find(|it: char| !matches!(it, 'b' | 'B' | 'u' | 'U' | 'r' | 'R' | 'f' | 'F')).unwrap_or(0);
    for skipped in [0, prefix] {
        if let Some(length) = (skipped <= 2).then(|| quoted_length(&text[skipped..])).flatten() {
            return skipped + length;
        }
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

fn is_quoted(text: &str) -> bool {
    quoted_length(text).is_some()
}

/// Returns the length of a quoted string at the beginning of a text. In JSON that is inside of JSON, its quotes are escaped: once `\"`, twice
/// `\\\"`. A quote inside of the string has more backslashes before it, and each backslash inside has become several.
fn quoted_length(text: &str) -> Option<usize> {
    let level = text.len() - text.trim_start_matches('\\').len();
    let quote = text[level..].chars().next().filter(|it| matches!(it, '"' | '\'' | '`'))?;
    let mut backslashes = 0;
    for (at, char) in text.char_indices().skip(level + 1) {
        if char == quote && backslashes >= level && (backslashes - level).is_multiple_of(2 * (level + 1)) {
            return Some(at + 1);
        }
        backslashes = if char == '\\' { backslashes + 1 } else { 0 };
    }
    Some(text.len())
}

/// Whether the value of a name may be several words.
fn speaks_of_phrase(name: &str) -> bool {
    let joined = words(name).concat();
    PHRASES.iter().any(|word| joined.ends_with(word))
}
