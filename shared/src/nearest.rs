//! The name that somebody probably meant.

/// The candidate nearest to `word`, where it is near enough to be a slip: at most a third of its letters
/// missing, added or exchanged. `_` counts as `-`.
pub(crate) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    let (distance, candidate) =
        candidates.iter().map(|candidate| (distance(&word, candidate), *candidate)).min()?;
    (distance <= (candidate.len() / 3).max(1)).then_some(candidate)
}

/// Levenshtein's distance in bytes, one row at a time.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_foreign_word_is_not() {
        let names = ["interval", "timeout", "failure-threshold", "url", "name", "id"];
        let cases = [
            ("intervall", Some("interval")),
            ("Timeout", Some("timeout")),
            ("failure_threshold", Some("failure-threshold")),
            ("failures-threshold", Some("failure-threshold")),
            ("uri", Some("url")),
            ("colour", None),
            ("", None),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest(word, &names), meant, "{word}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, steps) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "ba", 2)]
        {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }
}
