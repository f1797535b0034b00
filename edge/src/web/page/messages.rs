//! What a page says, in the reader's language.
//!
//! A file for each language, which the platform keeps (`tools/pages.mjs` makes it of `edge/messages` and `edge/templates`). A
//! message is a template. Sentences that the hub tells, such as why a probe failed, are looked up by what they are in English,
//! with `#` for each of their numbers.

use serde_json::Value;

/// The languages that there are, the usual one first.
pub const LANGUAGES: [&str; 6] = ["en", "de", "fr", "es", "zh", "ja"];

/// All that is text on pages of one language.
#[derive(Clone, Debug)]
pub struct Messages {
    language: &'static str,
    templates: Value,
    texts: Value,
}

impl Messages {
    /// Those of `language` in its file; `None` where that is none.
    pub fn new(language: &'static str, file: &str) -> Option<Self> {
        let mut file: Value = serde_json::from_str(file).ok()?;
        let mut part = |name| file.get_mut(name).map(Value::take);
        Some(Messages { language, templates: part("templates")?, texts: part("messages")? })
    }

    /// A template; nothing where there is none.
    pub(super) fn template(&self, name: &str) -> &str {
        self.templates[name].as_str().unwrap_or_default()
    }

    /// The language, as BCP 47 has it.
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// The message of this name; nothing where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.texts[name].as_str().unwrap_or_default()
    }

    /// A sentence of the hub's in this language; `None` where it has no translation.
    pub(super) fn say(&self, sentence: &str) -> Option<String> {
        let digit = |c: char| c.is_ascii_digit();
        let (mut pattern, mut numbers, mut rest) = (String::new(), Vec::new(), sentence);
        while let Some(at) = rest.find(digit) {
            let (before, from) = rest.split_at(at);
            let (number, after) = from.split_at(from.find(|c| !digit(c)).unwrap_or(from.len()));
            pattern.push_str(before);
            pattern.push('#');
            numbers.push(number);
            rest = after;
        }
        pattern.push_str(rest);
        let mut said = self.texts.get(&pattern)?.as_str()?.to_owned();
        for number in numbers {
            said = said.replacen('#', number, 1);
        }
        Some(said)
    }

    /// The end of the name of the form that goes with `count`.
    pub(super) fn form(&self, count: i64) -> &'static str {
        let one = match self.language {
            "zh" | "ja" => false,
            "fr" => count < 2,
            _ => count == 1,
        };
        if one { ".one" } else { ".other" }
    }
}

/// The language that somebody asked for, or that their browser prefers: the header `Accept-Language` (RFC 9110, 12.5.4).
pub fn choose(asked: Option<&str>, accept: Option<&str>) -> &'static str {
    let known = |tag: &str| {
        let language = tag.trim().split('-').next().unwrap_or_default();
        LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(language))
    };
    if let Some(asked) = asked.and_then(known) {
        return asked;
    }
    let mut best = ("en", 0);
    for entry in accept.unwrap_or_default().split(',').take(20) {
        let (tag, weight) = entry.split_once(';').unwrap_or((entry, ""));
        // The weight in thousandths, from `q=0.85`.
        let digits = weight.trim().strip_prefix("q=").map_or_else(|| "1000".into(), thousandths);
        let weight = digits.parse().unwrap_or(0);
        if let Some(language) = known(tag).filter(|_| weight > best.1) {
            best = (language, weight);
        }
    }
    best.0
}

/// `0.85` as `0850`.
fn thousandths(weight: &str) -> String {
    let mut digits: String = weight.chars().filter(char::is_ascii_digit).take(4).collect();
    while digits.len() < 4 {
        digits.push('0');
    }
    digits
}

#[cfg(test)]
impl Messages {
    /// Those of `language`, as `tools/pages.mjs` puts them together.
    pub(super) fn of(language: &'static str) -> Self {
        let folder = |name: &str| {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let text = |path: std::path::PathBuf| {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read_to_string(path).unwrap())
            };
            files.map(text).collect::<Vec<_>>()
        };
        let templates =
            folder("templates").into_iter().map(|(name, text)| (name, Value::from(text))).collect();
        let mut messages = serde_json::Map::new();
        for wanted in ["en", language] {
            let (_, text) = folder("messages").into_iter().find(|(name, _)| name == wanted).unwrap();
            messages.extend(serde_json::from_str::<serde_json::Map<String, Value>>(&text).unwrap());
        }
        Messages { language, templates: Value::Object(templates), texts: Value::Object(messages) }
    }

    /// The first of them.
    pub(super) fn english() -> Self {
        Messages::of("en")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn languages() -> impl Iterator<Item = (&'static str, Map<String, Value>)> {
        let file = |language| format!("{}/messages/{language}.json", env!("CARGO_MANIFEST_DIR"));
        let read = move |language| std::fs::read_to_string(file(language)).unwrap();
        LANGUAGES.into_iter().map(move |language| (language, serde_json::from_str(&read(language)).unwrap()))
    }

    /// Holes of a message, sorted.
    fn holes(text: &str) -> Vec<&str> {
        let mut holes: Vec<_> =
            text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()).collect();
        holes.sort_unstable();
        holes
    }

    #[test]
    fn every_language_says_everything_with_the_same_holes() {
        let (_, english) = languages().next().unwrap();
        for (language, own) in languages() {
            for (name, text) in &english {
                let Some(said) = own.get(name).and_then(Value::as_str) else {
                    // A language without a singular has one form for all numbers.
                    assert!(
                        name.split('.').next_back() == Some("one") && ["zh", "ja"].contains(&language),
                        "{language}: {name}"
                    );
                    continue;
                };
                assert_eq!(holes(said), holes(text.as_str().unwrap()), "{language}: {name}");
                assert!(!said.is_empty(), "{language}: {name}");
            }
            let sentences: Vec<_> = own.keys().filter(|name| name.contains(' ')).collect();
            assert!(language == "en" || sentences.len() > 40, "{language}: {} sentences", sentences.len());
            for name in own.keys().filter(|name| !name.contains(' ')) {
                assert!(english.contains_key(name), "{language}: {name} is no message");
            }
        }
    }

    /// Every name that a template or a message asks for is there, and nothing is there that nobody asks for.
    #[test]
    fn what_is_asked_for_is_there() {
        let english = Messages::english();
        let texts = [&english.templates, &english.texts].map(|texts| texts.as_object().unwrap().values());
        let texts: Vec<&str> = texts.into_iter().flatten().filter_map(Value::as_str).collect();
        let tags = || {
            texts
                .iter()
                .flat_map(|text| text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()))
        };
        let asked: Vec<&str> = tags().filter_map(|tag| tag.strip_prefix('$')).collect();
        let names = english.texts.as_object().unwrap();
        for name in &asked {
            let found = match (name.split_once('@'), name.split_once(' ')) {
                (Some((family, _)), _) => names.keys().any(|known| known.starts_with(family)),
                (_, Some((name, _))) => names.contains_key(&format!("{name}.other")),
                _ => names.contains_key(*name),
            };
            assert!(found, "there is no message {name}");
        }
        for template in tags().filter_map(|tag| tag.strip_prefix('>')) {
            assert!(!english.template(template).is_empty(), "there is no template {template}");
        }
        // What code asks for, and forms of a number.
        let code = ["decimal", "unit."];
        for name in names.keys() {
            let stem = name.trim_end_matches(".one").trim_end_matches(".other");
            let used = asked.iter().any(|it| {
                let it = it.split(' ').next().unwrap();
                it.split_once('@').map_or(it == name || it == stem, |(family, _)| name.starts_with(family))
            });
            assert!(used || code.iter().any(|code| name.starts_with(code)), "nobody says {name}");
        }
    }

    /// A section that does not end would swallow the rest of the page.
    #[test]
    fn every_section_ends_where_it_should() {
        for language in LANGUAGES {
            let messages = Messages::of(language);
            for texts in [&messages.templates, &messages.texts] {
                for (name, text) in texts.as_object().unwrap() {
                    let mut open = Vec::new();
                    for tag in text.as_str().unwrap().split("{{").skip(1) {
                        let tag =
                            tag.split_once("}}").unwrap_or_else(|| panic!("{language} {name}: {tag}")).0;
                        match tag.split_at(1) {
                            ("#" | "?" | "^", section) => open.push(section),
                            ("/", section) => assert_eq!(open.pop(), Some(section), "{language} {name}"),
                            _ => {}
                        }
                    }
                    assert!(open.is_empty(), "{language} {name}: {open:?}");
                }
            }
        }
    }

    #[test]
    fn a_sentence_keeps_its_numbers() {
        let german = Messages::of("de");
        assert_eq!(german.say("the answer had status 503").unwrap(), "die Antwort hatte den Status 503");
        assert_eq!(german.say("something else"), None);
        assert_eq!(Messages::english().say("the answer had status 503"), None);
    }

    #[test]
    fn forms_follow_the_language() {
        let forms = |language| [0, 1, 2].map(|count| Messages::of(language).form(count));
        assert_eq!(forms("en"), [".other", ".one", ".other"]);
        assert_eq!(forms("fr"), [".one", ".one", ".other"]);
        assert_eq!(forms("ja"), [".other"; 3]);
    }

    #[test]
    fn languages_are_negotiated() {
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
        ];
        for (asked, accept, language) in cases {
            assert_eq!(choose(asked, accept), language, "{asked:?} {accept:?}");
        }
    }
}
