//! Templates, read as they are filled.
//!
//! A page is a text with holes and a tree of JSON. Code that is generated for every page would be a twentieth of the
//! Worker; reading the text anew for every page costs a millisecond of it, once in some seconds.
//!
//! `{{name}}` is a value, escaped; `{{name|filter}}` is what a filter makes of it ([`super::filter`]). `{{#name}} … {{/name}}` is
//! repeated for each item of a list, and there once for anything else that is not nothing; `{{?name}} … {{/name}}` is there
//! once for a list, too; `{{^name}} … {{/name}}` is there for nothing. `{{>name}}` is another template; `{{$name}}` is a message
//! in the reader's language, a template itself, and `{{$name count}}` the form of it that goes with a number. `a.b` is a part
//! of a part, `.` the item itself, and `@name` in the name of a message is replaced by the value of that name. Nothing is null,
//! false, an empty text and an empty list.

use serde_json::Value;

use super::clock::Clock;
use super::filter;
use super::messages::Messages;
use crate::web::api::markup::escape;

/// Deepest nesting of templates, messages and sections. Ours have eight; beyond that a template contains itself.
const DEEPEST: usize = 24;

/// What a page is made with.
pub(super) struct Maker<'m> {
    /// Templates, and messages in the reader's language.
    pub(super) messages: &'m Messages,
    /// The instant that the page is as of, in Unix milliseconds.
    pub(super) now: i64,
    /// What is added to addresses of ours: the language that was chosen.
    pub(super) query: &'m str,
    /// How dates are written.
    pub(super) clock: Clock,
}

/// A value and what is around it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    value: &'s Value,
    around: Option<&'s Scope<'s>>,
    depth: usize,
}

impl<'s> Scope<'s> {
    fn find(&self, name: &str) -> &'s Value {
        const NOTHING: &Value = &Value::Null;
        if name == "." {
            return self.value;
        }
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(mut value) = part(here.value, first) {
                for name in rest.into_iter().flat_map(|rest| rest.split('.')) {
                    value = part(value, name).unwrap_or(NOTHING);
                }
                return value;
            }
            scope = here.around;
        }
        NOTHING
    }
}

impl<'m> Maker<'m> {
    pub(super) fn new(messages: &'m Messages, now: i64, query: &'m str) -> Self {
        Maker { messages, now, query, clock: Clock::new(messages.language()) }
    }

    /// The template of this name, filled with `value`.
    pub(super) fn make(&self, template: &str, value: &Value) -> String {
        let mut out = String::with_capacity(16_384);
        self.fill(self.messages.template(template), Scope { value, around: None, depth: 0 }, &mut out);
        out
    }

    fn fill(&self, mut text: &str, scope: Scope<'_>, out: &mut String) {
        if scope.depth > DEEPEST {
            return;
        }
        let deeper = Scope { depth: scope.depth + 1, ..scope };
        while let Some((before, tag, rest)) = next_tag(text) {
            out.push_str(before);
            text = rest;
            let (kind, name) = tag.split_at_checked(1).unwrap_or((tag, ""));
            match kind {
                "#" | "?" | "^" => {
                    let (inside, after) = section(text, name);
                    text = after;
                    match (scope.find(name), kind) {
                        (Value::Array(items), "#") => {
                            for value in items {
                                self.fill(
                                    inside,
                                    Scope { value, around: Some(&scope), depth: deeper.depth },
                                    out,
                                );
                            }
                        }
                        (value, _) if is_nothing(value) == (kind == "^") => {
                            self.fill(
                                inside,
                                Scope { value, around: Some(&scope), depth: deeper.depth },
                                out,
                            );
                        }
                        _ => {}
                    }
                }
                ">" => self.fill(self.messages.template(name), deeper, out),
                "$" => self.fill(self.message(name, &scope), deeper, out),
                _ => match tag.split_once('|') {
                    Some((name, filter)) => filter::apply(filter, scope.find(name), self, out),
                    None => escape(&shown(scope.find(tag)), out),
                },
            }
        }
        out.push_str(text);
    }

    /// The message of `tag`: its name, with `@field` replaced, and the field whose number decides the form.
    fn message(&self, tag: &str, scope: &Scope<'_>) -> &str {
        let (name, count) = tag.split_once(' ').map_or((tag, None), |(name, count)| (name, Some(count)));
        let mut name = match name.split_once('@') {
            Some((before, field)) => format!("{before}{}", shown(scope.find(field))),
            None => name.to_owned(),
        };
        if let Some(count) = count {
            let count = filter::whole(scope.find(count)).unwrap_or(0);
            name.push_str(self.messages.form(count));
        }
        self.messages.get(&name)
    }
}

/// A field of an object, or an item of a list by its number.
fn part<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    }
}

/// What stands before the next tag, the tag, and what stands behind it.
fn next_tag(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (tag, rest) = rest.split_once("}}")?;
    Some((before, tag, rest))
}

/// What stands before the end of the section `name`, and what behind it.
fn section<'t>(text: &'t str, name: &str) -> (&'t str, &'t str) {
    let (mut depth, mut rest) = (0, text);
    while let Some((_, tag, behind)) = next_tag(rest) {
        let is = |kind| tag.strip_prefix(kind) == Some(name);
        if is('/') && depth == 0 {
            return (&text[..text.len() - behind.len() - tag.len() - 4], behind);
        }
        depth = depth + u32::from(is('#') || is('?') || is('^')) - u32::from(is('/'));
        rest = behind;
    }
    (text, "")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A plain value as text.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filled(text: &'static str, value: &Value) -> String {
        let file = r#"{"templates":{"itself":"{{>itself}}","one":"[{{a}}]"},"messages":{}}"#;
        let messages = Messages::new("en", file).unwrap();
        let maker = Maker::new(&messages, 0, "");
        let mut out = String::new();
        maker.fill(text, Scope { value, around: None, depth: 0 }, &mut out);
        out
    }

    #[test]
    fn everything_that_a_template_can_say() {
        let value = json!({"a": "<b>&\"'", "n": 7, "zero": 0, "no": false, "empty": [], "list": [{"x": 1}, {"x": 2, "a": "in"}],
            "deep": {"er": "d"}, "texts": ["p", "q"]});
        let cases = [
            ("plain", "plain"),
            ("{{a}} {{n}} {{missing}}", "&lt;b&gt;&amp;&quot;&#39; 7 "),
            ("{{deep.er}}{{deep.no}}", "d"),
            ("{{#list}}{{x}}{{a}};{{/list}}", "1&lt;b&gt;&amp;&quot;&#39;;2in;"),
            ("{{#texts}}{{.}}{{/texts}}", "pq"),
            ("{{#deep}}{{er}}{{/deep}}{{#n}}n{{/n}}", "dn"),
            ("{{#no}}a{{/no}}{{#zero}}b{{/zero}}{{#empty}}c{{/empty}}{{#missing}}d{{/missing}}", "b"),
            ("{{^no}}a{{/no}}{{^zero}}b{{/zero}}{{^empty}}c{{/empty}}{{^n}}d{{/n}}", "ac"),
            ("{{?list}}[{{#list}}{{x}}{{/list}}]{{/list}}{{?empty}}e{{/empty}}{{?a}}a{{/a}}", "[12]a"),
            ("{{#list}}{{#list}}{{x}}{{/list}}|{{/list}}", "12|12|"),
            ("{{list.1.x}}{{list.2.x}}{{#texts.0}}{{texts.0}}{{/texts.0}}", "2p"),
            ("{{>one}}", "[&lt;b&gt;&amp;&quot;&#39;]"),
            ("{{>itself}}end", "end"),
            ("{{unfinished", "{{unfinished"),
            ("{{#unfinished}}x", ""),
            ("{{$nothing}}", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text, &value), expected, "{text}");
        }
    }

    proptest! {
        /// Whatever a value is, it brings no mark-up along.
        #[test]
        fn no_value_is_mark_up(text: String) {
            let out = filled("{{a}}", &json!({ "a": text }));
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
            let back = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }
    }
}
