//! Text that somebody else chose: shown in one line, bounded, and unable to change what stands around it.

/// Whether a character is a mark of Unicode's bidirectional algorithm (UAX 9), which reverses what follows.
#[must_use]
pub const fn changes_direction(char: char) -> bool {
    matches!(
        char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Whether a character may stand in one line of text that somebody else chose: it is no control character, which a terminal executes, is
/// not invisible, ends no line, and does not [change the direction](changes_direction) of what follows. A joiner is printable, as it is a
/// part of a character.
#[must_use]
pub const fn is_printable(char: char) -> bool {
    !matches!(
        char,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200b}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{2060}'..='\u{2065}'
            | '\u{feff}'
    ) && !changes_direction(char)
}

/// Returns a text as one line: a space in the place of each character that is not [printable](is_printable).
#[must_use]
pub fn single_line(text: &str) -> String {
    text.chars().map(|char| if is_printable(char) { char } else { ' ' }).collect()
}

/// Returns the [printable](is_printable) characters of a text, at most `limit` of them.
#[must_use]
pub fn printable(text: &str, limit: usize) -> String {
    text.chars().filter(|char| is_printable(*char)).take(limit).collect()
}

/// Cuts a text to at most `limit` bytes, between two characters, and marks the cut with an ellipsis.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(limit.saturating_sub('…'.len_utf8()))])
}

/// Lists names, at most `most` of them: `a`, `a and b`, `a, b and 26 more`.
pub fn list_names(names: &[impl AsRef<str>], most: usize) -> String {
    let (first, others) = names.split_at(names.len().min(most));
    let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
    match (&*first, others.len()) {
        ([before @ .., last], 0) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        (all, 0) => all.join(", "),
        (first, more) => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_nothing_that_changes_what_stands_around_it() {
        assert_eq!(single_line("a\nb\u{1b}c\u{9b}d\u{2028}e"), "a b c d e");
        assert_eq!(single_line("\u{61c}\u{200f}\u{202e}\u{2067}\u{feff}é 語"), "     é 語");
        assert_eq!(single_line("👩\u{200d}🔬"), "👩\u{200d}🔬", "a joiner is part of a character");
        assert_eq!(printable("a\u{1b}b\u{202e}cd", 3), "abc");
        assert!(('\0'..=char::MAX).all(|char| !char.is_control() || !is_printable(char)));
    }

    #[test]
    fn a_cut_is_between_two_characters_and_marked() {
        for (text, limit, expected) in
            [("abc", 3, "abc"), ("abcde", 4, "a…"), ("ééé", 5, "é…"), ("ab", 1, "…")]
        {
            assert_eq!(shorten(text, limit), expected, "{text} {limit}");
        }
    }

    #[test]
    fn names_are_listed_up_to_a_number() {
        let names = ["a", "b", "c", "d"];
        let cases = [
            (0, 3, ""),
            (1, 3, "a"),
            (2, 3, "a and b"),
            (3, 3, "a, b and c"),
            (4, 3, "a, b, c and 1 more"),
            (4, 1, "a and 3 more"),
        ];
        for (count, most, expected) in cases {
            assert_eq!(list_names(&names[..count], most), expected, "{count} {most}");
        }
    }
}
