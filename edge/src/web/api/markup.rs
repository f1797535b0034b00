//! Escaping of text in XML and HTML.

/// Escapes a text for use between tags or quotes. Characters that XML 1.0 does not allow are left out.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(text, &mut out);
    out
}

/// Writes an escaped text.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() && c != '\n' && c != '\t' => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_control_characters_are_removed() {
        assert_eq!(escaped("a<b>&\"c'\u{0}\u{7}\u{fffe}\u{85}\n\té"), "a&lt;b&gt;&amp;&quot;c&#39;\n\té");
    }
}
