//! The texts of the pages in the visitor's language, by [Fluent](https://projectfluent.org): `edge/messages/*.ftl`.
//!
//! The files are compiled in. An isolate parses a language at its first use, and keeps it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};

use super::language::LANGUAGES;
use super::markup::Markup;

/// Returns the file of a language.
fn source(language: &str) -> &'static str {
    match language {
        "de" => include_str!("../../../messages/de.ftl"),
        "fr" => include_str!("../../../messages/fr.ftl"),
        "es" => include_str!("../../../messages/es.ftl"),
        "zh" => include_str!("../../../messages/zh.ftl"),
        "ja" => include_str!("../../../messages/ja.ftl"),
        _ => include_str!("../../../messages/en.ftl"),
    }
}

thread_local! {
    /// The languages that were parsed so far, at most all of [`LANGUAGES`].
    static PARSED: RefCell<Vec<Rc<Messages>>> = const { RefCell::new(Vec::new()) };
}

/// The texts of one language.
pub struct Messages {
    language: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("language", &self.language).finish_non_exhaustive()
    }
}

/// An argument of a message.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    /// A number, which also chooses the plural form.
    Number(i64),
    /// A text, which is escaped if the message becomes HTML.
    Text(String),
    /// HTML, which is not escaped.
    Markup(Markup),
}

/// The arguments of a message by their names.
pub(super) type Arguments<'a> = &'a [(&'a str, Argument)];

impl Messages {
    /// Loads the texts of a language of [`LANGUAGES`]; of the first one for an unknown language.
    pub fn load(language: &str) -> Rc<Self> {
        let language =
            LANGUAGES.iter().find(|(tag, _)| *tag == language).map_or(LANGUAGES[0].0, |(tag, _)| tag);
        PARSED.with_borrow_mut(|parsed| {
            if let Some(known) = parsed.iter().find(|it| it.language == language) {
                return Rc::clone(known);
            }
            let messages = Rc::new(Messages::parse(language));
            parsed.push(Rc::clone(&messages));
            messages
        })
    }

    fn parse(language: &'static str) -> Self {
        // Messages that cannot be parsed are left out; a test checks that there are none.
        let resource = FluentResource::try_new(source(language).to_owned()).unwrap_or_else(|(good, _)| good);
        let mut bundle = FluentBundle::new(language.parse().into_iter().collect());
        // Isolation marks are only needed in texts that mix directions of writing.
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Messages { language, bundle }
    }

    /// The language as a BCP 47 tag.
    pub const fn language(&self) -> &'static str {
        self.language
    }

    /// Returns whether there is a message with this name.
    pub(super) fn has(&self, id: &str) -> bool {
        self.bundle.has_message(id)
    }

    /// Formats a message as text, which a template escapes.
    pub(super) fn text(&self, id: &str, arguments: Arguments<'_>) -> String {
        self.format(id, arguments, str::to_owned)
    }

    /// Formats a message as HTML: arguments that are text are escaped. Messages themselves have no HTML.
    pub(super) fn markup(&self, id: &str, arguments: Arguments<'_>) -> Markup {
        Markup::trusted(self.format(id, arguments, escape))
    }

    /// Formats a message as text; `None` if there is no such message, or if an argument is missing.
    pub(super) fn try_text(&self, id: &str, arguments: Arguments<'_>) -> Option<String> {
        self.try_format(id, arguments, str::to_owned).ok()
    }

    /// Formats a message as HTML; `None` if there is no such message, or if an argument is missing.
    pub(super) fn try_markup(&self, id: &str, arguments: Arguments<'_>) -> Option<Markup> {
        self.try_format(id, arguments, escape).ok().map(Markup::trusted)
    }

    /// Formats a message of this program. An unknown message or a missing argument panics in a debug build; in a release build
    /// the text is then incomplete.
    fn format(&self, id: &str, arguments: Arguments<'_>, escape: fn(&str) -> String) -> String {
        self.try_format(id, arguments, escape).unwrap_or_else(|incomplete| {
            debug_assert!(false, "message {id} in {}: unknown, or an argument is missing", self.language);
            incomplete
        })
    }

    /// Formats a message. The error is the incomplete text.
    fn try_format(
        &self,
        id: &str,
        arguments: Arguments<'_>,
        escape: fn(&str) -> String,
    ) -> Result<String, String> {
        let pattern =
            self.bundle.get_message(id).and_then(|message| message.value()).ok_or_else(String::new)?;
        let values = values(arguments, escape);
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&values), &mut errors).into_owned();
        if errors.is_empty() { Ok(text) } else { Err(text) }
    }
}

fn escape(text: &str) -> String {
    Markup::escape(text).to_string()
}

fn values<'a>(arguments: Arguments<'_>, escape: fn(&str) -> String) -> FluentArgs<'a> {
    let mut values = FluentArgs::with_capacity(arguments.len());
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Number(number) => FluentValue::from(*number),
            Argument::Text(text) => FluentValue::from(escape(text)),
            Argument::Markup(markup) => FluentValue::from(markup.to_string()),
        };
        values.set((*name).to_owned(), value);
    }
    values
}

#[cfg(test)]
mod tests;
