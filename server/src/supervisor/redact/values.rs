//! What stands between a name and its value, and where a value ends.

/// The signs between a name and its value, the longer ones first.
const SIGNS: &[&str] = &["=>", ":=", "->", "=", ":", "\u{ff1a}"];

/// Splits off what stands between a name and its value: `=`, `: `, `": "`, ` => `.
pub(super) fn split_separator(after_name: &str) -> Option<(&str, &str)> {
    let is_around = |it: char| matches!(it, ' ' | '\t' | '"' | '\'' | '\\' | ']' | '`');
    let sign = after_name.trim_start_matches(is_around);
    let value = SIGNS.iter().find_map(|it| sign.strip_prefix(it))?.trim_start_matches([' ', '\t']);
    Some(after_name.split_at(after_name.len() - value.len()))
}

/// Returns the length of the value at the beginning of a text: up to the closing quote, or to the next separator. A scheme such as
/// `Bearer` belongs to it.
pub(super) fn value_length(text: &str) -> usize {
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

/// Returns the length of a group in brackets at the beginning of a text, also of a call: `{ … }`, `[ … ]`, `Secret("…")`. One that does not end
/// is as long as the text.
pub(super) fn group_length(text: &str) -> Option<usize> {
    let mut at = text.find(|it: char| !it.is_ascii_alphanumeric() && !matches!(it, '_' | '.' | ':'))?;
    let opening = text[at..].chars().next()?;
    let is_group = matches!(opening, '(' | '{') || (opening == '[' && at == 0);
    let mut depth = 0_usize;
    while let Some(char) = text[at..].chars().next().filter(|_| is_group) {
        match char {
            '"' | '\'' => {
                at += quoted_length(&text[at..]).unwrap_or(1);
                continue;
            }
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            _ => {}
        }
        at += char.len_utf8();
        if depth == 0 {
            return Some(at);
        }
    }
    is_group.then_some(text.len())
}

/// Returns the quoted text that follows a name which may be quoted itself, behind spaces, or behind a comma in a list.
pub(super) fn next_quoted(after_name: &str, in_list: bool) -> Option<&str> {
    let closed = after_name.strip_prefix(['"', '\'']);
    let behind = closed.unwrap_or(after_name);
    let behind_comma = behind.trim_start().strip_prefix(',').filter(|_| in_list && closed.is_some());
    let value = behind_comma.unwrap_or(behind).trim_start();
    (is_quoted(value) && value.len() < behind.len()).then_some(value)
}

/// Whether a quoted string begins here.
pub(super) fn is_quoted(text: &str) -> bool {
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
