//! Divides TypeScript into tokens.

use crate::environment::mark_unknown;

/// The most tokens of a file, each of which takes more memory than the letters of which it consists.
const MAX_TOKENS: usize = 500_000;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'s> {
    pub(super) kind: TokenKind,
    /// As it is written.
    pub(super) text: &'s str,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// The line on which it begins.
    pub(super) line: usize,
    /// The line on which it ends.
    pub(super) line_end: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A text, and what it stands for. A variable of the environment in it is marked.
    Text(String),
    Number,
    /// A name or a keyword.
    Word,
    /// A bracket or another sign.
    Sign,
    /// A template with code in it, or a regular expression.
    Other,
}

impl Token<'_> {
    /// Whether it is this sign or word.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, TokenKind::Sign | TokenKind::Word) && self.text == text
    }
}

/// Divides a file.
pub(super) fn tokenize(source: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let (mut rest, mut line) = (source, 1_usize);
    loop {
        let trimmed = rest.trim_start();
        line += rest[..rest.len() - trimmed.len()].matches('\n').count();
        rest = trimmed;
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let before = tokens.last();
        let (length, kind) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (
                rest.find("*/")
                    .map(|end| end + 2)
                    .ok_or_else(|| format!("line {line}: a comment does not end"))?,
                None,
            )
        } else if let Some((length, text)) = read_environment(rest) {
            (length, Some(TokenKind::Text(text)))
        } else if matches!(first, '"' | '\'' | '`') {
            let (length, text) =
                read_text(rest, first).ok_or_else(|| format!("line {line}: a text does not end"))?;
            (length, Some(text.map_or(TokenKind::Other, TokenKind::Text)))
        } else if first.is_ascii_digit() {
            (count(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_')), Some(TokenKind::Number))
        } else if first.is_alphabetic() || matches!(first, '_' | '$') {
            (count(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '$')), Some(TokenKind::Word))
        } else if first == '/' && before.is_none_or(|token| !ends_value(token)) {
            (
                read_regex(rest).ok_or_else(|| format!("line {line}: a regular expression does not end"))?,
                Some(TokenKind::Other),
            )
        } else if rest.starts_with("...") {
            (3, Some(TokenKind::Sign))
        } else {
            (
                ["=>", "==", "??", "||", "&&", "?."]
                    .iter()
                    .find(|sign| rest.starts_with(**sign))
                    .map_or(first.len_utf8(), |sign| sign.len()),
                Some(TokenKind::Sign),
            )
        };
        let (text, behind) = rest.split_at(length);
        let lines = text.matches('\n').count();
        if let Some(kind) = kind {
            if tokens.len() == MAX_TOKENS {
                return Err(format!("line {line}: the file has more than {MAX_TOKENS} words and signs"));
            }
            tokens.push(Token { kind, text, start: source.len() - rest.len(), line, line_end: line + lines });
        }
        line += lines;
        rest = behind;
    }
}

fn count(text: &str, matches: impl Fn(char) -> bool) -> usize {
    text.find(|c| !matches(c)).unwrap_or(text.len())
}

/// Whether a slash behind this token divides.
fn ends_value(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Text(_) | TokenKind::Number | TokenKind::Word | TokenKind::Other)
        && !matches!(token.text, "return" | "typeof" | "case")
        || matches!(token.text, ")" | "]")
}

/// Reads `process.env.NAME`.
fn read_environment(text: &str) -> Option<(usize, String)> {
    let name = text.strip_prefix("process.env.")?;
    let length = count(name, |c| c.is_ascii_alphanumeric() || c == '_');
    (length > 0).then(|| (text.len() - name.len() + length, mark_unknown(&name[..length])))
}

/// Reads a text, and returns its length and what it stands for; `None` for a template with other code than a variable of the environment.
fn read_text(text: &str, quote: char) -> Option<(usize, Option<String>)> {
    let (mut read, mut plain) = (String::new(), true);
    let mut position = 1;
    loop {
        let c = text.get(position..)?.chars().next()?;
        position += c.len_utf8();
        match c {
            _ if c == quote => return Some((position, plain.then_some(read))),
            '\\' => {
                let (length, escaped) = read_escape(text.get(position..)?)?;
                position += length;
                read.push_str(&escaped);
            }
            '$' if quote == '`' && text.get(position..)?.starts_with('{') => {
                let end = find_brace_end(text.get(position + 1..)?)?;
                let code = text.get(position + 1..position + 1 + end)?.trim();
                match read_environment(code).filter(|(length, _)| *length == code.len()) {
                    Some((_, name)) => read.push_str(&name),
                    None => plain = false,
                }
                position += end + 2;
            }
            c => read.push(c),
        }
    }
}

/// Finds the brace that ends the code in a template.
fn find_brace_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (position, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(position),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Reads what is behind a backslash: its length, and what it stands for.
fn read_escape(text: &str) -> Option<(usize, String)> {
    let c = text.chars().next()?;
    let code = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(String::from);
    Some(match c {
        'n' => (1, "\n".to_owned()),
        'r' => (1, "\r".to_owned()),
        't' => (1, "\t".to_owned()),
        '0' => (1, "\0".to_owned()),
        '\n' => (1, String::new()),
        'x' => (3, code(text.get(1..3)?)?),
        'u' if text[1..].starts_with('{') => {
            let end = text.find('}')?;
            (end + 1, code(text.get(2..end)?)?)
        }
        // Half of a pair is kept as a mark that something is lost.
        'u' => (5, code(text.get(1..5)?).unwrap_or_else(|| '\u{fffd}'.to_string())),
        c => (c.len_utf8(), c.to_string()),
    })
}

/// Returns the length of a regular expression.
fn read_regex(text: &str) -> Option<usize> {
    let (mut escaped, mut in_set) = (false, false);
    for (position, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_set = true,
            ']' => in_set = false,
            '/' if !in_set => {
                return Some(position + 1 + count(&text[position + 1..], |c| c.is_ascii_alphabetic()));
            }
            _ => {}
        }
    }
    None
}
