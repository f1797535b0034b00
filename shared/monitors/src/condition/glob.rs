//! `pat()`: shell patterns as Go's `filepath.Match` has them, `/` left out on both sides as Gatus does.
//!
//! `*` is any text, `?` any character, `[a-z]` and `[^a-z]` one of (or none of) a set, `\` takes the next character
//! as it is. Between two `*` stands a stretch of fixed length, and the leftmost place where it fits is always
//! good enough, so nothing is ever tried twice: plain stretches are found by the standard library's search,
//! which is linear, the others by an automaton of one machine word (Baeza-Yates and Gonnet's shift-and).

use std::borrow::Cow;

use super::ConditionError;

/// Most characters of a stretch with `?` or a set in it: the bits of a word.
pub(super) const LONGEST_MIXED: usize = 64;

/// A pattern, ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob {
    /// What stands between the stars, in order; without a star there is exactly one.
    stretches: Vec<Stretch>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stretch {
    Plain(String),
    Mixed(Vec<One>),
}

/// What one character may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum One {
    Just(char),
    Any,
    Set { inside: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Reads a pattern.
    pub(super) fn parse(pattern: &str) -> Result<Self, ConditionError> {
        let mut stretches = Vec::new();
        let mut ones = Vec::new();
        let mut rest = pattern.chars().filter(|c| *c != '/');
        while let Some(c) = rest.next() {
            ones.push(match c {
                '*' => {
                    stretches.push(Stretch::new(std::mem::take(&mut ones))?);
                    continue;
                }
                '?' => One::Any,
                '[' => set(&mut rest).ok_or(ConditionError::Pattern)?,
                '\\' => One::Just(rest.next().ok_or(ConditionError::Pattern)?),
                c => One::Just(c),
            });
        }
        stretches.push(Stretch::new(ones)?);
        Ok(Glob { stretches })
    }

    /// Whether all of `text` fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text = if text.contains('/') { Cow::Owned(text.replace('/', "")) } else { Cow::Borrowed(text) };
        let Some((last, before)) = self.stretches.split_last() else { return text.is_empty() };
        let Some((first, between)) = before.split_first() else {
            return last.prefix(&text).is_some_and(str::is_empty);
        };
        let Some(mut rest) = first.prefix(&text) else { return false };
        for stretch in between {
            match stretch.find(rest) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        last.fits_the_end(rest)
    }
}

/// A set, after its `[`; `None` when it is not complete.
fn set(rest: &mut impl Iterator<Item = char>) -> Option<One> {
    let mut c = rest.next()?;
    let inside = c != '^';
    if !inside {
        c = rest.next()?;
    }
    let mut ranges = Vec::new();
    loop {
        if c == ']' && !ranges.is_empty() {
            return Some(One::Set { inside, ranges });
        }
        let low = one_of_set(c, rest)?;
        c = rest.next()?;
        let high = if c == '-' {
            let end = rest.next()?;
            let high = one_of_set(end, rest)?;
            c = rest.next()?;
            high
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn one_of_set(c: char, rest: &mut impl Iterator<Item = char>) -> Option<char> {
    match c {
        '\\' => rest.next(),
        '-' | ']' => None,
        c => Some(c),
    }
}

impl One {
    fn fits(&self, c: char) -> bool {
        match self {
            One::Just(just) => *just == c,
            One::Any => true,
            One::Set { inside, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) == *inside
            }
        }
    }
}

impl Stretch {
    fn new(ones: Vec<One>) -> Result<Self, ConditionError> {
        let plain: Option<String> =
            ones.iter().map(|one| if let One::Just(c) = one { Some(*c) } else { None }).collect();
        match plain {
            Some(plain) => Ok(Stretch::Plain(plain)),
            None if ones.len() <= LONGEST_MIXED => Ok(Stretch::Mixed(ones)),
            None => Err(ConditionError::PatternTooWide),
        }
    }

    /// What is left of `text` where it begins with this.
    fn prefix<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Stretch::Plain(plain) => text.strip_prefix(plain.as_str()),
            Stretch::Mixed(ones) => {
                let mut chars = text.chars();
                ones.iter().all(|one| chars.next().is_some_and(|c| one.fits(c))).then_some(chars.as_str())
            }
        }
    }

    fn fits_the_end(&self, text: &str) -> bool {
        match self {
            Stretch::Plain(plain) => text.ends_with(plain.as_str()),
            Stretch::Mixed(ones) => {
                let mut chars = text.chars().rev();
                ones.iter().rev().all(|one| chars.next().is_some_and(|c| one.fits(c)))
            }
        }
    }

    /// What stands behind the leftmost place where this fits.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Stretch::Plain(plain) => text.find(plain.as_str()).map(|at| &text[at + plain.len()..]),
            Stretch::Mixed(ones) => {
                let done = 1_u64 << (ones.len() - 1);
                let mask = |c| ones.iter().rev().fold(0_u64, |mask, one| mask << 1 | u64::from(one.fits(c)));
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
        let wide = format!("*{}?*", "a".repeat(LONGEST_MIXED));
        assert_eq!(Glob::parse(&wide), Err(ConditionError::PatternTooWide));
        assert!(Glob::parse(&wide[1..]).is_err(), "at the beginning as well");
        assert!(Glob::parse(&format!("*{}*", "a".repeat(400))).is_ok(), "plain text may be longer");
    }
}
