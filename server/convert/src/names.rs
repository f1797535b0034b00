//! Ids and names of secrets. They depend on what is named, and not on its place among others, so that the history of a monitor, which belongs
//! to its id, survives when the list is converted again.

use std::collections::BTreeMap;

use heapbeat_shared::fnv::fnv1a;

/// The longest id that is made, so that a number fits behind it.
const MAX_ID: usize = 36;

/// The longest name of a secret.
const MAX_SECRET: usize = 64;

/// Converts texts to the words of an id: `Core`, `API (v2)` to `core-api-v2`. `None` if a part of a text is lost.
fn to_slug(parts: &[&str]) -> (String, bool) {
    let text = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let words: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let slug = words.join("-");
    let lost =
        slug.is_empty() || slug.len() > MAX_ID || text.chars().any(|c| !c.is_ascii() && c.is_alphanumeric());
    (slug, lost)
}

/// Returns six letters and digits that depend on the texts.
fn hash(parts: &[&str]) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let ended: Vec<u8> = parts.iter().flat_map(|part| part.bytes().chain([0])).collect();
    let value = fnv1a(&ended);
    let digit = |place: u32| DIGITS[((value >> (place * 5 + 17)) & 31) as usize];
    (0..6).map(|place| char::from(digit(place))).collect()
}

/// Cuts a slug to `max` bytes, at the end of a word if there is one.
fn cut(slug: &str, max: usize) -> &str {
    slug.get(..slug.len().min(max)).unwrap_or_default().trim_matches('-')
}

/// Makes an id of the texts that name a monitor, with a hash if they cannot be told from the id.
fn to_id(parts: &[&str], with_hash: bool) -> String {
    let (slug, lost) = to_slug(parts);
    if !lost && !with_hash {
        return slug;
    }
    let hash = hash(parts);
    match cut(&slug, MAX_ID - hash.len() - 1) {
        "" => format!("m-{hash}"),
        slug => format!("{slug}-{hash}"),
    }
}

/// Makes the ids of all monitors at once. Those that would have the same id get a hash, whichever comes first; those that have the same
/// names are numbered.
pub(crate) fn make_ids(names: &[Vec<String>]) -> Vec<String> {
    let id = |name: &Vec<String>, with_hash| {
        to_id(&name.iter().map(String::as_str).collect::<Vec<_>>(), with_hash)
    };
    let mut distinct: Vec<&Vec<String>> = names.iter().collect();
    distinct.sort();
    distinct.dedup();
    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for name in distinct {
        *wanted.entry(id(name, false)).or_default() += 1;
    }
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        let plain = id(name, false);
        let base = if wanted.get(&plain).is_some_and(|count| *count > 1) { id(name, true) } else { plain };
        let mut unique = base.clone();
        while used.contains_key(&unique) {
            let count = used.entry(base.clone()).or_default();
            *count += 1;
            unique = format!("{base}-{}", *count + 1);
        }
        used.insert(unique.clone(), 0);
        ids.push(unique);
    }
    ids
}

/// Makes the id of an alert channel or a window.
pub(crate) fn make_id(parts: &[&str]) -> String {
    to_id(parts, false)
}

/// Makes the name of a secret of these texts: capital letters, digits and underscores. A name that is too long ends in a hash.
pub(crate) fn secret_name(prefix: &str, parts: &[&str]) -> String {
    let (slug, _) = to_slug(parts);
    let upper = |text: &str| text.to_ascii_uppercase().replace('-', "_");
    let most = MAX_SECRET - prefix.len();
    if slug.len() <= most && !slug.is_empty() {
        return format!("{prefix}{}", upper(&slug));
    }
    let hash = hash(parts);
    let slug = cut(&slug, most - hash.len() - 1);
    upper(&format!("{prefix}{slug}-{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[(&str, &str)]) -> Vec<String> {
        make_ids(
            &names
                .iter()
                .map(|(group, name)| vec![(*group).to_owned(), (*name).to_owned()])
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn an_id_does_not_depend_on_the_order() {
        let names = [
            ("", "Core API (v2)"),
            ("", "Core_API v2"),
            ("core", "x"),
            ("", "日本"),
            ("", "Сайт"),
            ("", "🎬"),
            ("", "Ärger"),
        ];
        let forth = ids(&names);
        let mut reversed: Vec<_> = names.to_vec();
        reversed.reverse();
        let mut back = ids(&reversed);
        back.reverse();
        assert_eq!(forth, back);
        assert_eq!(forth[2], "core-x");
        assert!(forth[0].starts_with("core-api-v2-") && forth[1].starts_with("core-api-v2-"), "{forth:?}");
        assert!(forth[3].starts_with("m-") && forth[6].starts_with("rger-"), "{forth:?}");
        let mut unique = forth.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), forth.len(), "{forth:?}");
    }

    #[test]
    fn equal_names_are_numbered() {
        assert_eq!(
            ids(&[("", "web"), ("", "web"), ("", "web 2"), ("", "web")]),
            ["web", "web-2", "web-2-2", "web-3"]
        );
        assert!(ids(&[("", &"x".repeat(100))])[0].len() <= MAX_ID);
    }

    #[test]
    fn long_names_of_secrets_differ() {
        let long = |end: &str| {
            secret_name("MONITOR_", &["production environment eu west payments api primary eu", end])
        };
        assert_ne!(long("Authorization one"), long("Authorization two"));
        assert!(long("Authorization one").len() <= MAX_SECRET);
        assert_eq!(secret_name("MONITOR_", &["2 fast", "X-Api-Key"]), "MONITOR_2_FAST_X_API_KEY");
    }
}
