//! Values whose names speak of secrets: `API_KEY=…`, `"password": "…"`, `Authorization: …`, `--password …`, `<password>…`,
//! `'X-Api-Key', '…'`.

use super::MASK;
use super::values::{group_length, is_quoted, next_quoted, split_separator, value_length};

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
const AS_A_WORD: &[&str] = &[
    "auth",
    "pin",
    "otp",
    "dsn",
    "sig",
    "signature",
    "sid",
    "jwt",
    "bearer",
    "salt",
    "senha",
    "clave",
    "mdp",
];

/// Endings of words that make a name secret (`dbpass`), and the words that end so and do not.
const ENDINGS: &[&str] = &["pass", "pwd", "passwort", "kennwort"];
const OTHER_WORDS: &[&str] =
    &["bypass", "compass", "encompass", "trespass", "surpass", "overpass", "underpass", "lastpass"];

/// Names of parameters that are secrets in the query of an address only.
const IN_QUERIES: &[&str] = &["key", "code"];

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

/// How the names of source files end.
const SOURCE_FILES: &[&str] = &[
    ".js", ".cjs", ".mjs", ".jsx", ".ts", ".tsx", ".py", ".rb", ".go", ".java", ".kt", ".rs", ".php", ".c",
    ".cc",
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

/// Whether a name speaks of a secret. That of a source file does not: `at parse (token.js:5:7)`.
pub(super) fn is_secret_name(name: &str) -> bool {
    if SOURCE_FILES.iter().any(|end| name.ends_with(end)) {
        return false;
    }
    let words = words(name);
    let joined = words.concat();
    let is_key = words.windows(2).any(|pair| KEYS.contains(&&*pair[0]) && pair[1].starts_with("key"));
    is_key
        || ANYWHERE.iter().any(|word| joined.contains(word))
        || words.iter().any(|word| AS_A_WORD.contains(&&**word))
        || words
            .iter()
            .any(|word| ENDINGS.iter().any(|end| word.ends_with(end)) && !OTHER_WORDS.contains(&&**word))
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
        let place = Place::after(&masked);
        let end = from_name.find(|it: char| !is_name_char(it)).unwrap_or(from_name.len());
        let (name, after) = from_name.split_at(end);
        masked.push_str(name);
        rest = after;
        let Some((separator, length)) = find_secret(place, name, after) else { continue };
        masked.push_str(&after[..separator]);
        if length > 0 {
            masked.push_str(MASK);
        }
        rest = &after[separator + length..];
    }
    masked.push_str(rest);
    masked
}

/// Where a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The tag of an element: `<password>`.
    Tag,
    /// A parameter in the query of an address.
    Query,
    /// After SQL's `IDENTIFIED`.
    AfterIdentified,
    /// The first word of a line, of a quoted text or of a group, or after white space.
    Word,
    /// Within a word.
    Within,
}

impl Place {
    /// Returns the place that follows a text.
    fn after(text: &str) -> Self {
        let last_word = text.trim_end().rsplit(' ').next().unwrap_or_default();
        match text.chars().next_back() {
            Some('<') => Place::Tag,
            Some('?' | '&') => Place::Query,
            Some(' ') if last_word.eq_ignore_ascii_case("identified") => Place::AfterIdentified,
            Some(it) if !it.is_whitespace() && !matches!(it, '"' | '\'' | '`' | '(') => Place::Within,
            _ => Place::Word,
        }
    }
}

/// Returns where in the text after a name a secret begins, and its length.
fn find_secret(place: Place, name: &str, after: &str) -> Option<(usize, usize)> {
    let at = |value: &str, length| Some((after.len() - value.len(), length));
    let is_secret = is_secret_name(name) || (place == Place::Query && IN_QUERIES.contains(&name));
    if let Some((separator, value)) = split_separator(after) {
        if is_secret {
            return at(value, secret_length(name, separator, value));
        }
        let length = value_length(value);
        if names_credentials(name, &value[..length]) {
            return at(value, length);
        }
    }
    if is_secret && let Some(value) = after.strip_prefix('>').filter(|_| place == Place::Tag) {
        return at(value, value.find('<').unwrap_or(value.len()));
    }
    // `"ApiKey" value="…"` in an element.
    let attribute = || after.trim_start_matches(['"', '\'']).trim_start().strip_prefix("value=");
    if is_secret && let Some(value) = attribute() {
        return at(value, value_length(value));
    }
    let is_header = name.contains('-') || is_one_of(HEADERS, name);
    let is_sql = place == Place::AfterIdentified && name.eq_ignore_ascii_case("by");
    if ((is_secret && (is_header || speaks_of_phrase(name))) || is_sql)
        && let Some(value) = next_quoted(after, is_header)
    {
        return at(value, value_length(value));
    }
    let value = after.strip_prefix(' ').filter(|_| place == Place::Word)?.trim_start_matches(' ');
    let length = value_length(value);
    let is_value = length > 0 && !value.starts_with('-');
    let is_secret = is_secret_flag(name) || names_credentials(name, &value[..length]);
    if is_value && is_secret { at(value, length) } else { None }
}

/// Returns the length of the secret that is the value of a name.
fn secret_length(name: &str, separator: &str, value: &str) -> usize {
    if is_one_of(HEADERS, name) && separator.contains(':') {
        return value.len();
    }
    // Without quotes, a value of several words ends with the line, the next field, or the next part of a connection string.
    if speaks_of_phrase(name) && !is_quoted(value) {
        let whole = value.trim_end().len();
        if separator == ": " {
            return whole;
        }
        if separator.ends_with(':') {
            return value.find([',', '}', ')', ']', '&']).unwrap_or(whole);
        }
        if let Some(end) = value.find(';').filter(|_| separator.ends_with('=')) {
            return end;
        }
    }
    group_length(value).unwrap_or_else(|| value_length(value))
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|it| name.eq_ignore_ascii_case(it))
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.')
}

/// Whether the value of a name may be several words.
fn speaks_of_phrase(name: &str) -> bool {
    let joined = words(name).concat();
    PHRASES.iter().any(|word| joined.ends_with(word))
}
