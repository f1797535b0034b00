//! Statements in the visitor's language: reasons, causes, evidence and the previous exit.

use heapbeat_shared::{Bytes, Param, Params, UnixMillis};

use super::Renderer;
use crate::monitor_config::maintenance::parse_instant;
use crate::view::{ExitView, TranslationView};
use crate::web::page::markup::Markup;
use crate::web::page::messages::Argument;

/// The most pieces of evidence in one line; the page of the incident and the API have all.
const MAX_EVIDENCE: usize = 3;

impl Renderer<'_> {
    /// The previous exit with its first pieces of evidence, as a sentence.
    pub(in crate::web::page) fn last_exit(&self, exit: &ExitView) -> Markup {
        let kind = Argument::Text(self.exit(exit.kind, exit.sure));
        let begin =
            self.markup("last-exit", &[("time", Argument::Markup(self.time(&exit.at.0))), ("exit", kind)]);
        let evidence = self.statements(&exit.evidence, &exit.evidence_statements);
        let text = evidence.into_iter().take(MAX_EVIDENCE).fold(begin, |before, next| {
            let pieces = [("before", Argument::Markup(before)), ("next", Argument::Markup(next))];
            self.markup("evidence-and", &pieces)
        });
        self.markup("sentence", &[("text", Argument::Markup(text))])
    }

    /// Statements in the visitor's language.
    pub(in crate::web::page) fn statements(
        &self,
        texts: &[String],
        statements: &[TranslationView],
    ) -> Vec<Markup> {
        let piece = |(index, text): (usize, &String)| match statements.get(index) {
            Some(TranslationView { code, params }) => self.statement(code, params, text),
            None => self.statement("", &Params::new(), text),
        };
        texts.iter().enumerate().map(piece).collect()
    }

    /// A statement in the visitor's language; in English, with `lang="en"`, if its code is unknown.
    pub(in crate::web::page) fn statement(&self, code: &str, params: &Params, text: &str) -> Markup {
        let arguments = self.arguments(params, |at| Argument::Markup(self.time(&at)));
        match self.messages.try_markup(&statement_id(code), &arguments) {
            Some(translation) => translation,
            None if self.language() == "en" => Markup::escape(text),
            None => Markup::trusted(format!("<span lang=\"en\">{}</span>", Markup::escape(text))),
        }
    }

    /// A statement as text, for the title of a page.
    pub(in crate::web::page) fn statement_text(&self, code: &str, params: &Params, text: &str) -> String {
        let arguments = self.arguments(params, |at| Argument::Text(self.time_text(at)));
        self.messages.try_text(&statement_id(code), &arguments).unwrap_or_else(|| text.to_owned())
    }

    /// A reason, which has its code in another field.
    pub(in crate::web::page) fn reason(&self, code: &Option<String>, params: &Params, text: &str) -> Markup {
        self.statement(code.as_deref().unwrap_or_default(), params, text)
    }

    /// The values in a statement as arguments of its message. The name of a value says how it is shown (`Params`).
    fn arguments<'p>(
        &self,
        params: &'p Params,
        show_time: impl Fn(UnixMillis) -> Argument,
    ) -> Vec<(&'p str, Argument)> {
        let argument = |(name, value): (&'p String, &'p Param)| {
            let argument = match value {
                Param::Number(bytes) if name.ends_with("_bytes") => {
                    Argument::Text(Bytes(u64::try_from(*bytes).unwrap_or(0)).to_string())
                }
                Param::Number(number) => Argument::Number(*number),
                Param::Text(level) if name == "pressure" || name.ends_with("_pressure") => {
                    Argument::Text(self.pressure_level(level))
                }
                Param::Text(text) => match parse_instant(text).filter(|_| name.ends_with("_time")) {
                    Some(at) => show_time(at),
                    None => Argument::Text(text.clone()),
                },
            };
            (name.as_str(), argument)
        };
        params.iter().map(argument).collect()
    }
}

/// The message of a statement.
fn statement_id(code: &str) -> String {
    ["statement-", code].concat()
}
