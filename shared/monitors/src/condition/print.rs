//! Formats JSON values as the text that conditions compare: as Go prints them, as Gatus compares that.
//!
//! Objects are minified JSON with sorted keys (`encoding/json`), lists are `[1 2 x]` and scalars themselves (`%v` of
//! `fmt`). There is one intended difference: a whole number within
//! 64 bits is written as it is, while Gatus reads every number as a float and writes 1000000 as `1e+06`, which then equals
//! nothing (its pull request 403).

use std::fmt::Write;

use serde_json::{Number, Value};

/// Formats a value, and returns the text with its length for `len()`: the items of a list, the bytes of anything else.
pub(super) fn format_with_length(value: &Value) -> (String, usize) {
    let text = match value {
        Value::Object(_) => format_minified(value),
        _ => format_plain(value),
    };
    let length = value.as_array().map_or(text.len(), Vec::len);
    (text, length)
}

/// Formats a value like `%v`.
fn format_plain(value: &Value) -> String {
    let mut text = String::new();
    write_plain(&mut text, value);
    text
}

fn write_plain(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::Bool(bool) => text.push_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number, -5),
        Value::String(string) => text.push_str(string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                write_plain(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push_str("map[");
            for (index, (key, item)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(' ');
                }
                text.push_str(key);
                text.push(':');
                write_plain(text, item);
            }
            text.push(']');
        }
    }
}

/// Formats a value like `json.Marshal`.
fn format_minified(value: &Value) -> String {
    let mut text = String::new();
    write_minified(&mut text, value);
    text
}

fn write_minified(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Number(number) => write_number(text, number, -7),
        Value::String(string) => write_quoted(text, string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_minified(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (index, (key, item)) in fields.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_quoted(text, key);
                text.push(':');
                write_minified(text, item);
            }
            text.push('}');
        }
        Value::Bool(_) => write_plain(text, value),
    }
}

/// Writes a quoted text. As Go does, it also escapes the characters that could end a script.
fn write_quoted(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// Writes a number. Whole numbers are exact; others have the fewest digits, and an exponent up to `10^small` and from 10^21.
fn write_number(text: &mut String, number: &Number, small: i32) {
    // Writing to a String does not fail.
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        let _ = write!(text, "{number}");
        return;
    };
    // The shortest text that is parsed as the same number, such as `1.5e-7`.
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent <= 20 && exponent > small {
        let _ = write!(text, "{float}");
        return;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_formatted_as_in_go() {
        let cases = [
            (r#""text""#, "text", 4),
            (r#""ü""#, "ü", 2),
            ("true", "true", 4),
            ("18", "18", 2),
            ("-0.5", "-0.5", 4),
            ("1.0", "1", 1),
            ("1e2", "100", 3),
            ("123.40000000000005", "123.40000000000005", 18),
            ("1000000", "1000000", 7),
            ("9007199254740993", "9007199254740993", 16),
            ("18446744073709551615", "18446744073709551615", 20),
            ("1e21", "1e+21", 5),
            ("1.5e-7", "1.5e-07", 7),
            ("0.0001", "0.0001", 6),
            ("0.00001", "1e-05", 5),
            ("-0.0", "-0", 2),
            ("[1, 2]", "[1 2]", 2),
            ("[]", "[]", 0),
            (r#"[null, "a b", [true], {"b": 1, "a": [2]}]"#, "[<nil> a b [true] map[a:[2] b:1]]", 4),
            (r#"{ "name" : "john.doe" }"#, r#"{"name":"john.doe"}"#, 19),
            (
                r#"{"b":1.0,"a":[1,"<&>",null,true,{}]}"#,
                r#"{"a":[1,"\u003c\u0026\u003e",null,true,{}],"b":1}"#,
                49,
            ),
            (r#"{"t":"\"\\\n\t\u0001\u2028é"}"#, r#"{"t":"\"\\\n\t\u0001\u2028é"}"#, 30),
            (r#"{"n":0.000001}"#, r#"{"n":0.000001}"#, 14),
            (r#"{"n":0.0000001}"#, r#"{"n":1e-07}"#, 11),
        ];
        for (json, text, length) in cases {
            let value = serde_json::from_str(json).unwrap();
            assert_eq!(format_with_length(&value), (text.to_owned(), length), "{json}");
        }
    }
}
