//! `pat()`: shell patterns of Go's `filepath.Match`. As in Gatus, every `/` is removed from both sides.
//!
//! `*` matches any text, `?` any character, `[a-z]` and `[^a-z]` a character in or outside of a set, and `\` escapes the next character.
//! The part between two `*` has a fixed length, and its leftmost match always suffices, so there is no backtracking. Literal parts are
//! found by the standard library's search, which is linear, the others by an automaton of one machine word (the shift-and algorithm of
//! Baeza-Yates and Gonnet).

use std::borrow::Cow;

use super::ConditionError;

/// Most characters of a part with `?` or a set: the bits of a word.
pub(super) const MAX_MIXED_CHARS: usize = 64;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    /// The parts between the stars, in order. Without a star there is exactly one.
    parts: Vec<GlobPart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum GlobPart {
    /// A part without `?` and sets.
    Literal(String),
    /// A part with `?` or sets.
    Mixed(Vec<CharMatcher>),
}

/// A matcher of one character.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CharMatcher {
    Exactly(char),
    Any,
    Set { inverted: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Parses a pattern.
    pub(super) fn parse(pattern: &str) -> Result<Self, ConditionError> {
        let mut parts = Vec::new();
        let mut matchers = Vec::new();
        let mut rest = pattern.chars().filter(|c| *c != '/');
        while let Some(c) = rest.next() {
            matchers.push(match c {
                '*' => {
                    parts.push(GlobPart::new(std::mem::take(&mut matchers))?);
                    continue;
                }
                '?' => CharMatcher::Any,
                '[' => parse_set(&mut rest).ok_or(ConditionError::Pattern)?,
                '\\' => CharMatcher::Exactly(rest.next().ok_or(ConditionError::Pattern)?),
                c => CharMatcher::Exactly(c),
            });
        }
        parts.push(GlobPart::new(matchers)?);
        Ok(Glob { parts })
    }

    /// Returns whether the pattern matches the whole text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text = if text.contains('/') { Cow::Owned(text.replace('/', "")) } else { Cow::Borrowed(text) };
        let Some((last, before)) = self.parts.split_last() else { return text.is_empty() };
        let Some((first, between)) = before.split_first() else {
            return last.strip_from(&text).is_some_and(str::is_empty);
        };
        let Some(mut rest) = first.strip_from(&text) else { return false };
        for part in between {
            match part.find_after(rest) {
                Some(remaining) => rest = remaining,
                None => return false,
            }
        }
        last.matches_end(rest)
    }
}

/// Parses a set after its `[`; `None` if it is incomplete.
fn parse_set(rest: &mut impl Iterator<Item = char>) -> Option<CharMatcher> {
    let mut c = rest.next()?;
    let inverted = c == '^';
    if inverted {
        c = rest.next()?;
    }
    let mut ranges = Vec::new();
    loop {
        if c == ']' && !ranges.is_empty() {
            return Some(CharMatcher::Set { inverted, ranges });
        }
        let low = parse_set_char(c, rest)?;
        c = rest.next()?;
        let high = if c == '-' {
            let end = rest.next()?;
            let high = parse_set_char(end, rest)?;
            c = rest.next()?;
            high
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn parse_set_char(c: char, rest: &mut impl Iterator<Item = char>) -> Option<char> {
    match c {
        '\\' => rest.next(),
        '-' | ']' => None,
        c => Some(c),
    }
}

impl CharMatcher {
    /// Returns whether the character matches.
    fn matches(&self, c: char) -> bool {
        match self {
            CharMatcher::Exactly(expected) => *expected == c,
            CharMatcher::Any => true,
            CharMatcher::Set { inverted, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *inverted
            }
        }
    }
}

impl GlobPart {
    fn new(matchers: Vec<CharMatcher>) -> Result<Self, ConditionError> {
        let literal: Option<String> = matchers
            .iter()
            .map(|matcher| if let CharMatcher::Exactly(c) = matcher { Some(*c) } else { None })
            .collect();
        match literal {
            Some(literal) => Ok(GlobPart::Literal(literal)),
            None if matchers.len() <= MAX_MIXED_CHARS => Ok(GlobPart::Mixed(matchers)),
            None => Err(ConditionError::PatternTooWide),
        }
    }

    /// Matches the beginning of `text`, and returns the rest.
    fn strip_from<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            GlobPart::Literal(literal) => text.strip_prefix(literal.as_str()),
            GlobPart::Mixed(matchers) => {
                let mut chars = text.chars();
                matchers
                    .iter()
                    .all(|matcher| chars.next().is_some_and(|c| matcher.matches(c)))
                    .then_some(chars.as_str())
            }
        }
    }

    /// Returns whether `text` ends with a match.
    fn matches_end(&self, text: &str) -> bool {
        match self {
            GlobPart::Literal(literal) => text.ends_with(literal.as_str()),
            GlobPart::Mixed(matchers) => {
                let mut chars = text.chars().rev();
                matchers.iter().rev().all(|matcher| chars.next().is_some_and(|c| matcher.matches(c)))
            }
        }
    }

    /// Finds the leftmost match, and returns the text behind it.
    fn find_after<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            GlobPart::Literal(literal) => text.find(literal.as_str()).map(|at| &text[at + literal.len()..]),
            GlobPart::Mixed(matchers) => {
                let done = 1_u64 << (matchers.len() - 1);
                let mask = |c| {
                    matchers
                        .iter()
                        .rev()
                        .fold(0_u64, |mask, matcher| mask << 1 | u64::from(matcher.matches(c)))
                };
                let ascii: Vec<u64> = ('\0'..='\x7f').map(mask).collect();
                let mut begun = 0_u64;
                let end = text.char_indices().find(|(_, c)| {
                    let fits = ascii.get(*c as usize).copied().unwrap_or_else(|| mask(*c));
                    begun = (begun << 1 | 1) & fits;
                    begun & done != 0
                });
                end.map(|(at, c)| &text[at + c.len_utf8()..])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        let cases = [
            ("*", "livingroom_123", true),
            ("**", "livingroom_123", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("living*", "livingroom_123", true),
            ("*living*", "livingroom_123", true),
            ("*123", "livingroom_123", true),
            ("*_*", "livingroom_123", true),
            ("living*room_*3", "livingroom_123", true),
            ("*vin*om*2*", "livingroom_123", true),
            ("livingroom_123", "livingroom_123", true),
            ("*test*", "\\test", true),
            ("livingroom", "livingroom_123", false),
            ("livingroom123", "livingroom_123", false),
            ("*what*", "livingroom_123", false),
            ("*.*", "livingroom_123", false),
            ("room*123", "livingroom_123", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab*ab", "ab", false),
            ("?", "ü", true),
            ("?", "", false),
            ("??*", "a", false),
            ("*?b?*", "xabc", true),
            ("*?b?*", "bab", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[\\]]", "]", true),
            ("[\\-a]", "-", true),
            ("[*]", "*", true),
            ("[*]", "x", false),
            ("*[0-9][0-9]:[0-9][0-9]*", "at 9:15 and 10:07", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a/b", "ab", true),
            ("*</div>*", "<a></div></a>", true),
            ("*[α-ω]*", "xyzλ", true),
            ("[z-a]", "m", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(Glob::parse(pattern).unwrap().matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn an_invalid_pattern_is_refused() {
        for pattern in ["[", "[]", "[a", "[a-", "[a-]", "[-a]", "[^]", "[]a]", "\\", "*\\", "[\\"] {
            assert_eq!(Glob::parse(pattern), Err(ConditionError::Pattern), "{pattern}");
        }
        let wide = format!("*{}?*", "a".repeat(MAX_MIXED_CHARS));
        assert_eq!(Glob::parse(&wide), Err(ConditionError::PatternTooWide));
        assert!(Glob::parse(&wide[1..]).is_err(), "at the beginning as well");
        assert!(Glob::parse(&format!("*{}*", "a".repeat(400))).is_ok(), "plain text may be longer");
    }
}
