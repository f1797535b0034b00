//! Removes secrets, by their shape, from text that leaves the machine or is logged: the end of a program's standard error, and its
//! command line.
//!
//! What is removed: passwords in URLs, values of headers and settings whose names speak of secrets, tokens with a known beginning, and
//! long runs of base64 or hexadecimal digits. A secret without any such shape stays. Control characters are removed as well, with
//! them the escape sequences of terminals and the characters that change the direction of text.

mod names;
mod tokens;

use std::ffi::OsString;

use names::{is_secret_name, mask_named_values};
use tokens::mask_tokens;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// Returns the text without secrets and control characters; line breaks and tabs stay.
pub(super) fn redact(text: &str) -> String {
    let text = remove_controls(text);
    let lines: Vec<String> = text.split('\n').map(redact_line).collect();
    lines.join("\n")
}

fn redact_line(line: &str) -> String {
    mask_tokens(&mask_named_values(&mask_url_credentials(line)))
}

/// Returns a command line in which each argument is redacted. The argument after `--token` is a secret as well.
pub fn redact_arguments(command: &[OsString]) -> Vec<String> {
    let mut after_secret_flag = false;
    let mut redacted = Vec::new();
    for argument in command {
        let text = argument.to_string_lossy();
        let is_flag = text.starts_with('-');
        redacted.push(if after_secret_flag && !is_flag { MASK.to_owned() } else { redact(&text) });
        after_secret_flag = is_flag && !text.contains('=') && is_secret_name(text.trim_start_matches('-'));
    }
    redacted
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

/// Whether a character is invisible or changes the direction of text.
const fn changes_direction(char: char) -> bool {
    matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
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
