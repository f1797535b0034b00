//! Likely mistakes that Gatus takes for text. A condition with one of them would never hold, or always.

use super::operand::Operand;
use super::{ConditionError, number, path};

const PLACEHOLDERS: [&str; 7] = [
    "[STATUS]",
    "[RESPONSE_TIME]",
    "[CONNECTED]",
    "[BODY]",
    "[HEADER]",
    "[DNS_RCODE]",
    "[DOMAIN_EXPIRATION]",
];

/// Returns an error if a side is probably not what was meant, considering the other side.
pub(super) fn check_sides(left: &Operand, right: &Operand, ordered: bool) -> Result<(), ConditionError> {
    for (side, other) in [(left, right), (right, left)] {
        let Some(text) = side.literal() else { continue };
        if text.is_empty() {
            if ordered || other.never_empty() {
                return Err(ConditionError::Empty(other.as_str().to_owned()));
            }
            continue;
        }
        // Beside a placeholder a plain word is a value, such as in `[BODY].state == CONNECTED`.
        let alone = other.placeholder().is_none();
        let error = find_missing_bracket(text, alone)
            .or_else(|| find_unknown_function(text))
            .or_else(|| find_unknown_placeholder(text).filter(|_| alone))
            .or_else(|| {
                (ordered && !number::is_ordered(text)).then(|| ConditionError::NotOrdered(text.to_owned()))
            });
        if let Some(error) = error {
            return Err(error);
        }
    }
    Ok(())
}

/// Returns an error if the text in brackets is a misspelled placeholder. Other text in brackets, such as `[1 2]`, is literal.
pub(super) fn find_misspelling(text: &str) -> Option<ConditionError> {
    let end = text.find(']')?;
    let found = text.get(..=end)?;
    let name = found.strip_prefix('[')?.strip_suffix(']')?;
    if name.len() < 3
        || name.len() > 20
        || !name.bytes().all(|b| b.is_ascii_alphabetic() || b"_- ".contains(&b))
    {
        return None;
    }
    let upper = found.to_ascii_uppercase().replace(['-', ' '], "_");
    let most_edits = if name.len() < 4 { 1 } else { 2 };
    let meant = PLACEHOLDERS.into_iter().find(|known| strsim::levenshtein(&upper, known) <= most_edits)?;
    Some(ConditionError::Placeholder { found: found.to_owned(), meant })
}

/// Returns whether a value in parentheses is behind a placeholder or a function of one: `[BODY].status (DOWN)`.
pub(super) fn has_copied_value(text: &str) -> bool {
    let observes = PLACEHOLDERS.into_iter().any(|known| {
        let begins =
            |text: &str| text.get(..known.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(known));
        begins(text)
            || ["len(", "has(", "age("].iter().any(|function| text.strip_prefix(function).is_some_and(begins))
    });
    observes && text.ends_with(')') && text.contains(" (")
}

/// Returns whether the brackets of a path into the body are pairs around numbers.
pub(super) fn has_valid_indexes(path: &str) -> bool {
    let unquoted = path::without_quoted_keys(path);
    let mut rest = unquoted.as_str();
    while let Some(start) = rest.find(['[', ']']) {
        let inner = rest[start..].strip_prefix('[').and_then(|inner| inner.split_once([']', '[']));
        let Some((index, _)) = inner else { return false };
        let closed = rest.as_bytes().get(start + 1 + index.len()) == Some(&b']');
        let digits = index.trim_start_matches(['-', '+']);
        if !closed || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        rest = &rest[start + index.len() + 2..];
    }
    true
}

/// Returns an error if the text is a placeholder without one of its brackets; without both only if `plain_words` are no values.
fn find_missing_bracket(text: &str, plain_words: bool) -> Option<ConditionError> {
    let name = text.split(['.', ' ']).next()?;
    let (opens, closes) = (name.starts_with('['), name.ends_with(']'));
    if opens == closes && (opens || !plain_words) {
        return None;
    }
    let bracketed = format!("[{}]", name.trim_matches(['[', ']']).to_ascii_uppercase());
    let meant = PLACEHOLDERS.into_iter().find(|known| *known == bracketed)?;
    Some(ConditionError::MissingBracket { found: name.to_owned(), meant })
}

/// Returns an error if the text is a call of an unknown function with a placeholder.
fn find_unknown_function(text: &str) -> Option<ConditionError> {
    let (name, inner) = text.split_once('(')?;
    let inner = inner.trim_start().to_ascii_uppercase();
    let observes = PLACEHOLDERS.into_iter().any(|known| inner.starts_with(known));
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (observes && word).then(|| ConditionError::UnknownFunction(format!("{name}()")))
}

/// Returns an error if the text begins with a word in brackets that is not a placeholder.
pub(super) fn find_unknown_placeholder(text: &str) -> Option<ConditionError> {
    let (name, _) = text.strip_prefix('[')?.split_once(']')?;
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    word.then(|| ConditionError::UnknownPlaceholder(format!("[{name}]")))
}
