//! Variables of the environment in a configuration: `$NAME`, `${NAME}`, and `$$` for a dollar sign, as Gatus expands them.
//!
//! A variable that is not known stays in the text between two marks, so that it is never mistaken for a value.

use std::collections::BTreeMap;

/// Begins the name of a variable that is not known: a character for private use, which no configuration has.
const BEGIN: char = '\u{f5f0}';

/// Ends the name of a variable that is not known.
const END: char = '\u{f5f1}';

/// Replaces a doubled dollar sign until the variables are expanded.
const DOLLAR: char = '\u{f5f2}';

/// A text with its variables expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    /// The text.
    pub(crate) text: String,
    /// The names whose values are in the text.
    pub(crate) used: Vec<String>,
}

/// A variable of which a file uses the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedVariable {
    /// The file.
    pub(crate) file: String,
    /// The name.
    pub(crate) name: String,
}

/// Expands the variables of a text as `os.Expand` of Go does.
pub(crate) fn expand(text: &str, values: &BTreeMap<String, String>) -> Expanded {
    let text: String = text.chars().filter(|c| ![BEGIN, END, DOLLAR].contains(c)).collect();
    let text = text.replace("$$", &DOLLAR.to_string());
    let mut expanded = Expanded::default();
    let mut rest = text.as_str();
    while let Some(position) = rest.find('$') {
        expanded.text.push_str(&rest[..position]);
        let (name, length) = variable_name(&rest[position + 1..]);
        if name.is_empty() {
            // `$` before something that is no name stays; `${}` is removed.
            if length == 0 {
                expanded.text.push('$');
            }
        } else if let Some(value) = values.get(name) {
            expanded.text.push_str(value);
            if !expanded.used.iter().any(|used| used == name) {
                expanded.used.push(name.to_owned());
            }
        } else {
            expanded.text.push_str(&mark_unknown(name));
        }
        rest = &rest[position + 1 + length..];
    }
    expanded.text.push_str(rest);
    expanded.text = expanded.text.replace(DOLLAR, "$");
    expanded
}

/// Returns the name behind a `$`, and the length of what belongs to it in bytes.
fn variable_name(text: &str) -> (&str, usize) {
    let special = |c: char| c.is_ascii_digit() || "*#$@!?-".contains(c);
    match text.chars().next() {
        Some('{') => {
            if let Some(c) = text[1..].chars().next().filter(|c| special(*c))
                && text[1 + c.len_utf8()..].starts_with('}')
            {
                return (&text[1..2], 3);
            }
            match text.find('}') {
                // `${}` is invalid, and is removed.
                Some(1) => ("", 2),
                Some(end) => (&text[1..end], end + 1),
                // Without a closing brace only `${` is removed.
                None => ("", 1),
            }
        }
        Some(c) if special(c) => (&text[..1], 1),
        _ => {
            let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
            (&text[..end], end)
        }
    }
}

/// Returns a variable that is not known, as it is in a text.
pub(crate) fn mark_unknown(name: &str) -> String {
    format!("{BEGIN}{name}{END}")
}

/// Returns the names of the variables in a text that are not known.
pub(crate) fn unknown_names(text: &str) -> Vec<&str> {
    text.split(BEGIN).skip(1).filter_map(|part| part.split_once(END)).map(|(name, _)| name).collect()
}

/// Returns the text as it was written, for a message.
pub(crate) fn as_written(text: &str) -> String {
    text.replace(BEGIN, "${").replace(END, "}")
}

/// Parses the lines `NAME=value` of a file. Quotes around a value are removed; lines that begin with `#` are skipped.
pub fn parse_env_file(text: &str) -> BTreeMap<String, String> {
    let parse_line = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        let value = value.trim();
        let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        Some((name.trim().to_owned(), quoted('"').or_else(|| quoted('\'')).unwrap_or(value).to_owned()))
    };
    text.lines().filter_map(parse_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded_as_in_go() {
        let values = parse_env_file("A=1\nexport B=\"two words\"\n# C=3\nD='x=y'\n");
        for (text, expected) in [
            ("$A ${A} $B", "1 1 two words"),
            ("$$A $$$A", "$A $1"),
            ("${D}", "x=y"),
            ("$C-${C}", "${C}-${C}"),
            ("$A_B", "${A_B}"),
            ("pat(*$$5*)", "pat(*$5*)"),
            ("100$ and $.", "100$ and $."),
            ("${} ${", " "),
            ("$5", "${5}"),
            ("{\"a\":\"$\"}", "{\"a\":\"$\"}"),
        ] {
            assert_eq!(as_written(&expand(text, &values).text), expected, "{text}");
        }
        assert_eq!(unknown_names(&expand("$A ${X}/$Y", &values).text), ["X", "Y"]);
        assert_eq!(expand("$A $A $B", &values).used, ["A", "B"]);
    }
}
