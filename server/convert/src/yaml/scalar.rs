//! The type of a plain scalar, as `yaml.v3` of Go resolves it: YAML 1.2, with the numbers of YAML 1.1.

use crate::tree::ScalarKind;

/// Returns the type of a plain scalar.
pub(super) fn resolve(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => ScalarKind::Bool,
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
        | ".NaN" | ".NAN" => ScalarKind::Number,
        _ if is_number(text) => ScalarKind::Number,
        _ => ScalarKind::Text,
    }
}

/// Returns whether the text is a number: `5`, `-0x1F`, `0o17`, `0b1`, `1_000`, `1.5e3`.
fn is_number(text: &str) -> bool {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text).replace('_', "");
    let radix = |prefix: &[&str]| prefix.iter().find_map(|prefix| digits.strip_prefix(prefix));
    let all = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    if let Some(hex) = radix(&["0x", "0X"]) {
        return all(hex, 16);
    }
    if let Some(octal) = radix(&["0o", "0O"]) {
        return all(octal, 8);
    }
    if let Some(binary) = radix(&["0b", "0B"]) {
        return all(binary, 2);
    }
    let allowed = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    allowed && digits.bytes().any(|b| b.is_ascii_digit()) && digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_types_of_yaml_v3() {
        for (text, kind) in [
            ("", ScalarKind::Null),
            ("~", ScalarKind::Null),
            ("null", ScalarKind::Null),
            ("True", ScalarKind::Bool),
            ("no", ScalarKind::Text),
            ("on", ScalarKind::Text),
            ("404", ScalarKind::Number),
            ("010", ScalarKind::Number),
            ("0x1F", ScalarKind::Number),
            ("1_000", ScalarKind::Number),
            ("1.5e3", ScalarKind::Number),
            (".5", ScalarKind::Number),
            (".inf", ScalarKind::Number),
            ("1h30m", ScalarKind::Text),
            ("1.2.3", ScalarKind::Text),
            ("-", ScalarKind::Text),
            ("e5", ScalarKind::Text),
            ("8.8.8.8", ScalarKind::Text),
        ] {
            assert_eq!(resolve(text), kind, "{text:?}");
        }
    }
}
