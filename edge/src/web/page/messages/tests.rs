use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::domain::State;
use crate::domain::incident::Severity;
use heapbeat_shared::statement::catalog::CATALOG;
use heapbeat_shared::{ExitKind, Pressure};

/// Reads the messages of a language by their names, each with the names of its arguments. Fluent's parser is not used, so
/// that the test also finds what it would skip.
fn messages_of(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in source(language).lines().filter(|line| !line.starts_with('#')) {
        if let Some((id, _)) = line.split_once(" = ").filter(|_| !line.starts_with([' ', '}'])) {
            id.clone_into(&mut current);
            assert!(
                messages.insert(current.clone(), BTreeSet::new()).is_none(),
                "{language}: {id} is there twice"
            );
        }
        let arguments = line.split('$').skip(1).map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-')
                .collect::<String>()
        });
        if let Some(message) = messages.get_mut(&current) {
            message.extend(arguments);
        }
    }
    messages
}

/// The sources that use messages: the templates, and the code of this folder without its tests.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("templates"), root.join("src/web/page")];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_language_has_every_message_with_the_same_arguments() {
    let english = messages_of("en");
    assert!(english.len() > 150);
    for (language, _) in LANGUAGES {
        let own = messages_of(language);
        let parsed = Messages::load(language);
        for (id, arguments) in &english {
            assert_eq!(own.get(id), Some(arguments), "{language}: {id}");
            assert!(parsed.has(id), "{language}: {id} cannot be parsed");
        }
        for id in own.keys() {
            assert!(english.contains_key(id), "{language}: {id} is not in English");
        }
        assert!(FluentResource::try_new(source(language).to_owned()).is_ok(), "{language}");
    }
}

#[test]
fn every_statement_has_a_message_with_its_values_in_every_language() {
    for (language, _) in LANGUAGES {
        let mut messages = messages_of(language);
        for entry in CATALOG {
            let id = ["statement-", entry.code].concat();
            let arguments = messages.remove(&id).unwrap_or_else(|| panic!("{language}: {id} is missing"));
            let values: BTreeSet<String> = entry.params.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(arguments, values, "{language}: the values of {id}");
        }
        let unknown: Vec<_> = messages.keys().filter(|id| id.starts_with("statement-")).collect();
        assert!(unknown.is_empty(), "{language}: no statement has the code of {unknown:?}");
    }
}

#[test]
fn messages_hold_no_html() {
    for (language, _) in LANGUAGES {
        for line in source(language).lines().filter(|line| !line.starts_with('#')) {
            assert!(!line.contains(['<', '&', '"']), "{language}: {line}");
            assert!(!line.contains('>') || line.ends_with("->"), "{language}: {line}");
        }
    }
}

/// The families of messages whose names are a prefix and a word of a closed set.
fn families() -> Vec<(&'static str, Vec<String>)> {
    let words = |words: &[&str]| words.iter().map(|word| word.replace('_', "-")).collect::<Vec<_>>();
    let severities = [Severity::Warning, Severity::Degraded, Severity::Crashed, Severity::Down];
    vec![
        ("state-", words(&State::ALL.map(State::as_str))),
        ("severity-", words(&severities.map(Severity::as_str))),
        ("exit-", words(&ExitKind::ALL.map(ExitKind::as_str))),
        ("pressure-", words(&Pressure::ALL.map(Pressure::as_str))),
        ("region-", words(&crate::monitor_config::REGIONS)),
        ("unit-", words(&["s", "min", "h", "d"])),
    ]
}

#[test]
fn every_word_of_a_family_has_its_message_and_no_other_is_there() {
    let english = messages_of("en");
    for (prefix, words) in families() {
        let there: Vec<_> = english.keys().filter_map(|id| id.strip_prefix(prefix)).collect();
        for word in &words {
            assert!(there.contains(&word.as_str()), "there is no {prefix}{word}");
        }
        assert_eq!(there.len(), words.len(), "{prefix}: {there:?}");
    }
}

#[test]
fn every_message_is_used() {
    let sources = sources();
    for id in messages_of("en").keys() {
        let in_family = families().iter().any(|(prefix, _)| id.starts_with(prefix));
        let used = sources.contains(&format!("\"{id}\""));
        assert!(used || in_family || id.starts_with("statement-"), "{id} is not used");
    }
}

#[test]
fn plural_forms_follow_the_language() {
    let restarts = |language: &str| {
        [0, 1, 2].map(|count| {
            Messages::load(language).text("restart-count", &[("count", Argument::Number(count))])
        })
    };
    assert_eq!(restarts("en"), ["0 restarts", "1 restart", "2 restarts"]);
    assert_eq!(restarts("fr"), ["0 redémarrage", "1 redémarrage", "2 redémarrages"]);
    assert_eq!(restarts("ja"), ["再起動 0 回", "再起動 1 回", "再起動 2 回"]);
}

#[test]
fn an_argument_that_is_text_is_escaped_and_one_that_is_markup_is_not() {
    let messages = Messages::load("en");
    let hostile = Argument::Text("<b>".into());
    assert_eq!(messages.markup("since", &[("time", hostile.clone())]).as_str(), "since &#60;b&#62;");
    assert_eq!(messages.text("since", &[("time", hostile)]), "since <b>", "the template escapes it");
    let time = Argument::Markup(Markup::trusted("<time>12:00</time>".into()));
    assert_eq!(messages.markup("since", &[("time", time)]).as_str(), "since <time>12:00</time>");
}
