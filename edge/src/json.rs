//! JSON, written as it goes.
//!
//! What the edge tells is a handful of shapes, made once each. A writer that is derived for every type, or a tree that is
//! built to be written, would be a tenth of the Worker.

use std::fmt::Write as _;

use serde_json::Value;

/// A value without parts.
#[derive(Clone, Copy, Debug)]
pub enum Plain<'v> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// A number with three decimals at most.
    Real(f64),
    /// Text.
    Text(&'v str),
}

impl From<bool> for Plain<'_> {
    fn from(value: bool) -> Self {
        Plain::Bool(value)
    }
}

impl From<i64> for Plain<'_> {
    fn from(value: i64) -> Self {
        Plain::Whole(value)
    }
}

impl From<u32> for Plain<'_> {
    fn from(value: u32) -> Self {
        Plain::Whole(value.into())
    }
}

impl From<u64> for Plain<'_> {
    /// Above 2^63 no figure of ours is real.
    fn from(value: u64) -> Self {
        Plain::Whole(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Plain<'_> {
    fn from(value: f64) -> Self {
        Plain::Real(value)
    }
}

impl<'v> From<&'v str> for Plain<'v> {
    fn from(value: &'v str) -> Self {
        Plain::Text(value)
    }
}

impl<'v> From<&'v String> for Plain<'v> {
    fn from(value: &'v String) -> Self {
        Plain::Text(value)
    }
}

impl<'v, T: Into<Plain<'v>>> From<Option<T>> for Plain<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Plain::Null, Into::into)
    }
}

/// An object with the fields that `write` gives it.
pub fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    Parts::within(&mut out, '{', '}', |parts| write(&mut Object(parts)));
    out
}

/// A list with the items that `write` gives it.
pub fn list(write: impl FnOnce(&mut List<'_>)) -> String {
    let mut out = String::new();
    Parts::within(&mut out, '[', ']', |parts| write(&mut List(parts)));
    out
}

/// `text` between quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    put_text(&mut out, text);
    out
}

/// The fields of an object.
pub struct Object<'o>(Parts<'o>);

/// The items of a list.
pub struct List<'o>(Parts<'o>);

impl Object<'_> {
    /// A field with a plain value.
    pub fn set<'v>(&mut self, name: &str, value: impl Into<Plain<'v>>) {
        self.name(name);
        put(self.0.out, value.into());
    }

    /// A field with what was read.
    pub fn value(&mut self, name: &str, value: &Value) {
        self.name(name);
        put_value(self.0.out, value);
    }

    /// A field that is JSON already.
    pub fn written(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.out.push_str(json);
    }

    /// A field with an object.
    pub fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Parts::within(self.0.out, '{', '}', |parts| write(&mut Object(parts)));
    }

    /// A field with a list.
    pub fn list(&mut self, name: &str, write: impl FnOnce(&mut List<'_>)) {
        self.name(name);
        Parts::within(self.0.out, '[', ']', |parts| write(&mut List(parts)));
    }

    /// A field with a list of texts.
    pub fn texts<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t str>) {
        self.list(name, |list| texts.into_iter().for_each(|text| list.push(text)));
    }

    fn name(&mut self, name: &str) {
        self.0.next();
        put_text(self.0.out, name);
        self.0.out.push(':');
    }
}

impl List<'_> {
    /// A plain item.
    pub fn push<'v>(&mut self, value: impl Into<Plain<'v>>) {
        self.0.next();
        put(self.0.out, value.into());
    }

    /// An object.
    pub fn object(&mut self, write: impl FnOnce(&mut Object<'_>)) {
        self.0.next();
        Parts::within(self.0.out, '{', '}', |parts| write(&mut Object(parts)));
    }

    /// An item that is JSON already.
    pub fn written(&mut self, json: &str) {
        self.0.next();
        self.0.out.push_str(json);
    }

    /// A list in the list.
    pub fn list(&mut self, write: impl FnOnce(&mut List<'_>)) {
        self.0.next();
        Parts::within(self.0.out, '[', ']', |parts| write(&mut List(parts)));
    }
}

/// What stands between two brackets.
struct Parts<'o> {
    out: &'o mut String,
    begun: bool,
}

impl Parts<'_> {
    fn within(out: &mut String, opens: char, closes: char, write: impl FnOnce(Parts<'_>)) {
        out.push(opens);
        write(Parts { out: &mut *out, begun: false });
        out.push(closes);
    }

    fn next(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(',');
        }
    }
}

fn put(out: &mut String, value: Plain<'_>) {
    // Writing to a String cannot fail.
    let _ = match value {
        Plain::Null => out.write_str("null"),
        Plain::Bool(value) => out.write_str(if value { "true" } else { "false" }),
        Plain::Whole(value) => write!(out, "{value}"),
        Plain::Real(value) => write!(out, "{value}"),
        Plain::Text(text) => {
            put_text(out, text);
            Ok(())
        }
    };
}

fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => put(out, Plain::Null),
        Value::Bool(value) => put(out, Plain::Bool(*value)),
        Value::Number(number) => {
            // As it was written.
            let _ = write!(out, "{number}");
        }
        Value::String(text) => put_text(out, text),
        Value::Array(items) => Parts::within(out, '[', ']', |mut parts| {
            for item in items {
                parts.next();
                put_value(parts.out, item);
            }
        }),
        Value::Object(fields) => Parts::within(out, '{', '}', |parts| {
            let mut object = Object(parts);
            fields.iter().for_each(|(name, value)| object.value(name, value));
        }),
    }
}

/// RFC 8259: quotes, backslashes and control characters are escaped; everything else is itself.
fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_there_is() {
        let text = object(|o| {
            o.set("null", None::<&str>);
            o.set("yes", true);
            o.set("whole", -5_i64);
            o.set("share", 99.98);
            o.object("inside", |o| o.set("a", "b"));
            o.object("empty", |_| ());
            o.list("list", |list| {
                list.push(1_u64);
                list.object(|o| o.set("x", Some(2_u32)));
            });
            o.texts("texts", ["p", "q"]);
            o.written("written", "[1]");
            o.value("value", &json!({"a": [null, 1.50, true, {}], "b": "\n"}));
        });
        let expected = r#"{"null":null,"yes":true,"whole":-5,"share":99.98,"inside":{"a":"b"},"empty":{},"list":[1,{"x":2}],"texts":["p","q"],"written":[1],"value":{"a":[null,1.5,true,{}],"b":"\n"}}"#;
        assert_eq!(text, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was(name: String, text: String) {
            let written = object(|o| o.set(&name, &text));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), json!({ name: text.clone() }));
            prop_assert_eq!(serde_json::from_str::<String>(&quoted(&text)).unwrap(), text);
        }
    }
}
