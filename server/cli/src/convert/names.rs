//! Converts free-form names to ids and names of secrets.

use std::collections::BTreeSet;

/// Converts a name to an id: `Core API (v2)` to `core-api-v2`.
pub(super) fn to_id(text: &str) -> String {
    let words: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let joined = words.join("-");
    let cut = joined.get(..joined.len().min(36)).unwrap_or_default().trim_matches('-');
    if cut.is_empty() { "monitor".to_owned() } else { cut.to_owned() }
}

/// Returns `id`, with a number appended if `ids` contains it already, and adds it to `ids`.
pub(super) fn make_unique(id: &str, ids: &mut BTreeSet<String>) -> String {
    let mut unique = id.to_owned();
    let mut number = 1;
    while !ids.insert(unique.clone()) {
        number += 1;
        unique = format!("{id}-{number}");
    }
    unique
}

/// Converts a name to that of a Worker secret: capital letters, digits and underscores.
pub(super) fn secret_name(text: &str) -> String {
    let mut name = to_id(text).to_ascii_uppercase().replace('-', "_");
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids() {
        let mut ids = BTreeSet::new();
        for (text, id) in [
            ("Core API (v2)", "core-api-v2"),
            ("Core_API v2", "core-api-v2-2"),
            ("Ärger", "rger"),
            ("日本", "monitor"),
        ] {
            assert_eq!(make_unique(&to_id(text), &mut ids), id, "{text}");
        }
        assert!(to_id(&"x".repeat(100)).len() <= 36);
        assert_eq!(secret_name("2 fast"), "_2_FAST");
    }
}
