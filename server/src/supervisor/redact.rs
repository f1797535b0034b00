//! Removes secrets, by their shape, from text that leaves the machine or is logged: the end of a program's standard error, and its
//! command line.
//!
//! What is removed: passwords in URLs, the paths of webhooks, values of headers, settings, flags, elements and fields whose names speak of
//! secrets, private keys, tokens with a known beginning, and long runs of base64 or hexadecimal digits. A secret without any such shape
//! stays, such as a password in a sentence ("the password hunter2 is wrong"). Control characters are removed as well, with
//! them the escape sequences of terminals and the characters that change the direction of text.

mod addresses;
mod names;
mod tokens;
mod values;

use std::ffi::OsString;

use heapbeat_shared::text::is_printable;

use addresses::mask_addresses;
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
    mask_tokens(&mask_base64(&mask_named_values(&mask_addresses(line))))
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
    const DASHES: &str = "-----";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        let kind = begin + "-----BEGIN ".len();
        let Some(length) = rest[kind..].find(DASHES).map(|at| kind + at + DASHES.len()) else { break };
        let is_header = rest[kind..length].contains("PRIVATE KEY") && !rest[kind..length].contains('\n');
        let (header, body) = rest.split_at(length);
        masked.push_str(header);
        rest = body;
        if is_header {
            masked.push_str(MASK);
            rest = &body[body.find("-----END").unwrap_or(body.len())..];
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
            // A joiner within a secret would hide its shape.
            '\u{200c}' | '\u{200d}' => {}
            _ if is_printable(char) => clean.push(char),
            _ => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests;
