//! Converts free-form names to ids and names of secrets.

use std::collections::{BTreeMap, BTreeSet};

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

/// The ids that were used, and how often each was asked for, so that equal names do not search from 2 again.
#[derive(Debug, Default)]
pub(super) struct UniqueIds {
    used: BTreeSet<String>,
    counts: BTreeMap<String, u32>,
}

impl UniqueIds {
    /// Returns `id`, with a number appended if it was used already.
    pub(super) fn make_unique(&mut self, id: &str) -> String {
        let count = self.counts.entry(id.to_owned()).or_default();
        loop {
            *count += 1;
            let unique = if *count == 1 { id.to_owned() } else { format!("{id}-{count}") };
            if self.used.insert(unique.clone()) {
                return unique;
            }
        }
    }
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
        let mut ids = UniqueIds::default();
        for (text, id) in [
            ("Core API (v2)", "core-api-v2"),
            ("Core_API v2", "core-api-v2-2"),
            ("Core API v2 2", "core-api-v2-2-2"),
            ("Core API v2", "core-api-v2-3"),
            ("Ärger", "rger"),
            ("日本", "monitor"),
        ] {
            assert_eq!(ids.make_unique(&to_id(text)), id, "{text}");
        }
        assert!(to_id(&"x".repeat(100)).len() <= 36);
        assert_eq!(secret_name("2 fast"), "_2_FAST");
    }
}
