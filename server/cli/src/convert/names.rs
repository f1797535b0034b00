//! Converts names that people chose to ids and names of secrets.

use std::collections::BTreeSet;

/// `Core API (v2)` as `core-api-v2`.
pub(super) fn slug(text: &str) -> String {
    let words: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let joined = words.join("-");
    let cut = joined.get(..joined.len().min(36)).unwrap_or_default().trim_matches('-');
    if cut.is_empty() { "monitor".to_owned() } else { cut.to_owned() }
}

/// `slug`, with a number appended if it is taken.
pub(super) fn unique(slug: &str, ids: &mut BTreeSet<String>) -> String {
    let mut id = slug.to_owned();
    let mut number = 1;
    while !ids.insert(id.clone()) {
        number += 1;
        id = format!("{slug}-{number}");
    }
    id
}

/// A name for a Worker's secret: capital letters, digits and underscores.
pub(super) fn secret_name(text: &str) -> String {
    let mut name = slug(text).to_ascii_uppercase().replace('-', "_");
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
            assert_eq!(unique(&slug(text), &mut ids), id, "{text}");
        }
        assert!(slug(&"x".repeat(100)).len() <= 36);
        assert_eq!(secret_name("2 fast"), "_2_FAST");
    }
}
