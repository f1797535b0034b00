//! Removes secrets, by their shape, from text that leaves the machine or is logged: the end of a program's standard error, and its
//! command line.
//!
//! What is removed: passwords in URLs, values of headers, settings and flags whose names speak of secrets, private keys, tokens with a
//! known beginning, and long runs of base64 or hexadecimal digits. A secret without any such shape stays. Control characters are removed as well, with
//! them the escape sequences of terminals and the characters that change the direction of text.

mod names;
mod tokens;

use std::ffi::OsString;

use names::{is_secret_flag, mask_named_values, names_credentials};
use tokens::{mask_base64, mask_tokens};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// Returns the text without secrets and control characters; line breaks and tabs stay.
pub(super) fn redact(text: &str) -> String {
    let text = mask_private_keys(&remove_controls(text));
    let lines: Vec<String> = text.split('\n').map(redact_line).collect();
    lines.join("\n")
}

fn redact_line(line: &str) -> String {
    mask_tokens(&mask_base64(&mask_named_values(&mask_url_credentials(line))))
}

/// Returns a command line in which each argument is redacted. The argument after `--token` is a secret as well.
pub fn redact_arguments(command: &[OsString]) -> Vec<String> {
    let mut before = String::new();
    let mut redacted = Vec::new();
    for argument in command {
        let text = argument.to_string_lossy();
        let is_value = !text.starts_with('-') && !before.contains('=');
        let is_secret = is_value && (is_secret_flag(&before) || names_credentials(&before, &text));
        redacted.push(if is_secret { MASK.to_owned() } else { redact(&text) });
        before = text.into_owned();
    }
    redacted
}

/// Masks what stands between the first and the last line of private keys; of a key that does not end, all that follows.
fn mask_private_keys(text: &str) -> String {
    const END: &str = "-----END";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        let Some(length) = rest[begin..].find("PRIVATE KEY-----").map(|at| at + "PRIVATE KEY-----".len())
        else {
            break;
        };
        let is_header = !rest[begin..begin + length].contains('\n');
        let (header, body) = rest.split_at(begin + length);
        masked.push_str(header);
        rest = body;
        if is_header {
            masked.push_str(MASK);
            rest = &body[body.find(END).unwrap_or(body.len())..];
        }
    }
    masked.push_str(rest);
    masked
}

/// Removes control characters and the escape sequences that begin with one.
fn remove_controls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\n' | '\t' => clean.push(char),
            '\u{1b}' => match chars.next_if(|next| matches!(next, '[' | ']' | '(' | ')')) {
                // CSI: parameters, then a byte from @ to ~.
                Some('[') => while chars.next().is_some_and(|it| !('@'..='~').contains(&it)) {},
                // OSC: up to BEL or the end of the line.
                Some(']') => while chars.next_if(|it| *it != '\u{7}' && *it != '\n').is_some() {},
                Some(_) => drop(chars.next()),
                None => {}
            },
            _ if char.is_control() || changes_direction(char) => {}
            _ => clean.push(char),
        }
    }
    clean
}

/// Whether a character is invisible, ends a line, or changes the direction of text.
const fn changes_direction(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether a character may stand in one line of text that a program chose: it is no control character and changes nothing around it.
pub const fn is_printable(char: char) -> bool {
    !(matches!(char, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}') || changes_direction(char))
}

/// Masks user and password of URLs: `postgres://user:password@host`.
fn mask_url_credentials(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(position) = rest.find("://") {
        let (before, after) = rest.split_at(position + 3);
        masked.push_str(before);
        let authority =
            after.find(|it: char| it.is_whitespace() || matches!(it, '/' | '?' | '#' | '"' | '\''));
        let end = authority.unwrap_or(after.len());
        // A password may hold a slash or a question mark that was not encoded.
        let word =
            after.find(|it: char| it.is_whitespace() || matches!(it, '"' | '\'')).unwrap_or(after.len());
        let at = after[..end].rfind('@').or_else(|| {
            after[..word]
                .find('@')
                .filter(|at| after[..*at].split('/').next().is_some_and(|it| it.contains(':')))
        });
        if let Some(at) = at {
            masked.push_str(MASK);
            rest = &after[at..];
        } else {
            rest = after;
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests;
