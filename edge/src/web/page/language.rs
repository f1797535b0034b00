//! The languages of the pages, and the choice of a visitor's language.

use heapbeat_shared::negotiation::weighted_values;

/// The languages as BCP 47 tags, each with its own name. The first is the default.
pub const LANGUAGES: [(&str, &str); 6] = [
    ("en", "English"),
    ("de", "Deutsch"),
    ("fr", "Français"),
    ("es", "Español"),
    ("zh", "中文"),
    ("ja", "日本語"),
];

/// Finds a language by its tag. Subtags, such as the region, are ignored.
pub fn find_language(tag: &str) -> Option<&'static str> {
    let language = tag.trim().split('-').next().unwrap_or_default();
    LANGUAGES.into_iter().map(|(known, _)| known).find(|known| known.eq_ignore_ascii_case(language))
}

/// Chooses the language: the requested one, else the one that the browser prefers most (`Accept-Language`, RFC 9110,
/// 12.5.4), else English.
pub fn negotiate_language(requested: Option<&str>, accept: Option<&str>) -> &'static str {
    if let Some(requested) = requested.and_then(find_language) {
        return requested;
    }
    let mut best = (LANGUAGES[0].0, 0);
    for (tag, weight) in weighted_values(accept.unwrap_or_default()) {
        if let Some(language) = find_language(tag).filter(|_| weight > best.1) {
            best = (language, weight);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_preferred_known_language_is_chosen() {
        let cases = [
            (None, None, "en"),
            (None, Some("de"), "de"),
            (None, Some("de-CH, en;q=0.5"), "de"),
            (None, Some("it, fr;q=0.8, en;q=0.9"), "en"),
            (None, Some("en;q=0.2, ja;q=0.25"), "ja"),
            (None, Some("en;q=0,zh-Hans"), "zh"),
            (None, Some("*"), "en"),
            (None, Some(";;;,q=,de;q=x"), "en"),
            (Some("es"), Some("de"), "es"),
            (Some("xx"), Some("de"), "de"),
            (Some("../de"), None, "en"),
            (Some("de-DE"), None, "de"),
            (Some("zh-CN"), Some("de"), "zh"),
            (Some("DE"), None, "de"),
            (None, Some("de;q=0, fr;q=0.1"), "fr"),
            (None, Some("de ; q=0"), "en"),
        ];
        for (requested, accept, language) in cases {
            assert_eq!(negotiate_language(requested, accept), language, "{requested:?} {accept:?}");
        }
    }
}
