//! A text as a tree of JSON (RFC 8259).
//!
//! `serde_json` keeps the tree; its reader is made for readers of any type, names what it did not expect in words that need
//! every way to print a number, and came with all of that to a seventh of the Worker. This one makes trees and nothing else.
//! Tests hold it against `serde_json`: the same texts are read, to the same trees, and the same are refused.

use serde_json::{Map, Number, Value};

/// What is nested deeper is no JSON, as with `serde_json`.
const DEEPEST: u8 = 127;

/// Why a text is no JSON, and where it ceases to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct NotJson {
    what: &'static str,
    line: usize,
    column: usize,
}

/// Reads a text; of a name that stands twice in an object the last one counts.
pub fn read(text: &str) -> Result<Value, NotJson> {
    let mut reader = Reader { text, at: 0 };
    let read = reader.value(0).and_then(|value| match reader.peek() {
        None => Ok(value),
        Some(_) => Err("trailing characters"),
    });
    read.map_err(|what| {
        let before = text.as_bytes().iter().take(reader.at);
        let (line, column) = before.fold((1, 1), |(line, column), byte| match byte {
            b'\n' => (line + 1, 1),
            _ => (line, column + 1),
        });
        NotJson { what, line, column }
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    /// Takes `byte` where it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let next = self.byte() == Some(byte);
        self.at += usize::from(next);
        next
    }

    fn value(&mut self, depth: u8) -> Read<Value> {
        match self.peek().ok_or("a value is missing")? {
            b'{' | b'[' if depth == DEEPEST => Err("it is nested too deeply"),
            b'{' => self.object(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => self.string().map(Value::String),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let words = [("null", Value::Null), ("true", true.into()), ("false", false.into())];
                let rest = &self.text.as_bytes()[self.at..];
                let found = words.into_iter().find(|(word, _)| rest.starts_with(word.as_bytes()));
                let (word, value) = found.ok_or("expected a value")?;
                self.at += word.len();
                Ok(value)
            }
        }
    }

    fn object(&mut self, depth: u8) -> Read<Value> {
        let mut fields = Map::new();
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err("expected a name in quotes");
            }
            let name = self.string()?;
            self.peek();
            if !self.takes(b':') {
                return Err("expected `:`");
            }
            let value = self.value(depth)?;
            fields.insert(name, value);
            if self.ends(b'}')? {
                return Ok(Value::Object(fields));
            }
        }
    }

    fn list(&mut self, depth: u8) -> Read<Value> {
        let mut items = Vec::new();
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.ends(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    /// Whether what is behind an item ends all of them.
    fn ends(&mut self, end: u8) -> Read<bool> {
        self.peek();
        if self.takes(end) {
            return Ok(true);
        }
        if self.takes(b',') { Ok(false) } else { Err("expected `,` or the end") }
    }

    /// A number, kept as it was written.
    fn number(&mut self) -> Read<Value> {
        let from = self.at;
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        if let Some(b'0'..=b'9') = self.byte() {
            return Err("a number begins with no 0");
        }
        Ok(Value::Number(Number::from_string_unchecked(self.text[from..self.at].to_owned())))
    }

    fn digits(&mut self) -> Read<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err("expected a digit") }
    }

    fn string(&mut self) -> Read<String> {
        let mut string = String::new();
        self.at += 1;
        loop {
            let from = self.at;
            while self.byte().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            string.push_str(&self.text[from..self.at]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                Some(_) => return Err("a control character in a text"),
                None => return Err("a text has no end"),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Read<char> {
        let byte = self.byte().ok_or("a text has no end")?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                const LONE: &str = "half of a surrogate pair";
                let high = self.hex()?;
                let code = match high {
                    0xd800..0xdc00 => {
                        if !(self.takes(b'\\') && self.takes(b'u')) {
                            return Err(LONE);
                        }
                        let low = self.hex()?;
                        if !(0xdc00..0xe000).contains(&low) {
                            return Err(LONE);
                        }
                        0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                    }
                    code => code,
                };
                char::from_u32(code).ok_or(LONE)?
            }
            _ => return Err("there is no such escape"),
        })
    }

    fn hex(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or("expected four hexadecimal digits")?;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Both read it to the same tree, or neither does.
    fn agree(text: &str) {
        let theirs: Result<Value, _> = serde_json::from_str(text);
        match (read(text), theirs) {
            // They write an exponent's sign.
            (Ok(ours), Ok(theirs)) => {
                let ours: Value = serde_json::from_str(&ours.to_string()).unwrap();
                assert_eq!(ours, theirs, "{text}");
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => panic!("{text}: {ours:?}, and serde_json {theirs:?}"),
        }
    }

    #[test]
    fn odd_texts() {
        let cases = [
            "",
            " ",
            "null",
            " true ",
            "false\n",
            "nul",
            "nulll",
            "NaN",
            "+1",
            "-",
            "-0",
            "0",
            "00",
            "01",
            "-01",
            "1.",
            ".5",
            "1.5",
            "1e5",
            "1E5",
            "1e+5",
            "1E-05",
            "1e",
            "1e+",
            "0e0",
            "-0.0e-0",
            "1 2",
            "123456789012345678901234567890",
            "1e999",
            "\"\"",
            "\"",
            "\"a",
            "\"\\",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u00e9\"",
            "\"\\u00E9\"",
            "\"\\u00g0\"",
            "\"\\u00",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\u0041\"",
            "\"\\/\\b\\f\\n\\r\\t\"",
            "\"a\nb\"",
            "\"a\u{7f}b\"",
            "\"\u{0}\"",
            "[]",
            "[ ]",
            "[1]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[",
            "[1",
            "]",
            "{}",
            "{ }",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{1:1}",
            "{\"a\":1,\"a\":2}",
            "{\"a\" : [ { } , null ] }",
            "{\"a\":1 \"b\":2}",
            "{",
            "{\"a\":1",
            "{\"$serde_json::private::Number\":\"1\"}x",
            "\u{feff}1",
            "\u{a0}1",
            "1\u{0}",
            "'a'",
            "// 1",
            "é",
        ];
        cases.into_iter().for_each(agree);
    }

    #[test]
    fn how_deep() {
        for depth in [1, 126, 127, 128, 129, 30_000] {
            agree(&("[".repeat(depth) + &"]".repeat(depth)));
            agree(&("{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)));
        }
    }

    #[test]
    fn where_it_is_wrong() {
        let cases = [
            ("{\"a\":1,\n  \"b\" 2}", "expected `:` at line 2 column 7"),
            ("", "a value is missing at line 1 column 1"),
            ("[1,2", "expected `,` or the end at line 1 column 5"),
            ("1 x", "trailing characters at line 1 column 3"),
        ];
        for (text, said) in cases {
            assert_eq!(read(text).unwrap_err().to_string(), said);
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_tree(value in tree()) {
            agree(&value.to_string());
            agree(&serde_json::to_string_pretty(&value).unwrap());
        }

        #[test]
        fn any_text(text in "[\\[\\]{}\",:.eE0-9+\\-\\\\untrfalsbd \n]{0,24}") {
            agree(&text);
        }

        #[test]
        fn what_is_broken_somewhere(value in tree(), at: prop::sample::Index, by in "[\\[\\]{}\",:1\\\\ x]?") {
            let text = value.to_string();
            let at = at.index(text.len() + 1);
            let cut = |text: &str| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let at = cut(&text);
            agree(&format!("{}{by}{}", &text[..at], text[at..].chars().skip(1).collect::<String>()));
            agree(&text[..at]);
        }
    }
}
