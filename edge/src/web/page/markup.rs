//! HTML that templates do not escape.
//!
//! [`Markup::escape`] makes it from a text, with askama's escaper; the functions that draw SVG make it from numbers. So text of a
//! monitored server is always escaped.

use std::fmt;

use askama::filters::{Escaper, Html, HtmlSafe};

/// A piece of HTML or SVG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// Wraps HTML that code of this folder wrote. It must not contain unescaped text from elsewhere.
    pub(super) const fn trusted(html: String) -> Self {
        Markup(html)
    }

    /// Escapes a text.
    pub(super) fn escape(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        // Writing to a string cannot fail.
        let _ = Html.write_escaped_str(&mut html, text);
        Markup(html)
    }

    /// The HTML.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HtmlSafe for Markup {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_is_markup(text: String) {
            let html = Markup::escape(&text);
            prop_assert!(!html.as_str().contains(['<', '>', '"', '\'']));
            let pairs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
            let back = pairs.iter().fold(html.to_string(), |back, (from, to)| back.replace(from, to));
            prop_assert_eq!(back, text);
        }
    }
}
