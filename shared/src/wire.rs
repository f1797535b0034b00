//! Reading what a stranger sent: a text becomes a tree of JSON once, and each type takes what it needs from it by name.
//!
//! The derived readers of `serde` are a copy of their code for every type, and were a sixth of the Worker; these are a line a
//! field. Unknown fields are ignored, one that is missing or of another kind is an error that names it, and what is nested
//! deeper than the 128 levels that [`tree`] reads is no JSON.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::float;
use crate::tree;
use crate::tree::NotJson;

/// Why a text cannot be read as the type that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is no JSON, or no UTF-8.
    #[error("it is no JSON: {0}")]
    NotJson(Box<NotJson>),
    /// It is JSON of another shape.
    #[error("`{0}` is missing or not of its kind")]
    Misshapen(&'static str),
}

impl From<NotJson> for WireError {
    fn from(error: NotJson) -> Self {
        // Boxed, as the result of every field that is read has room for it.
        WireError::NotJson(Box::new(error))
    }
}

impl WireError {
    /// Names the value that is not of its kind, where that has no name yet.
    fn in_field(self, name: &'static str) -> Self {
        match self {
            WireError::Misshapen("") => WireError::Misshapen(name),
            error => error,
        }
    }
}

/// A type that can be taken out of a tree of JSON.
pub trait Wire: Sized {
    /// Reads one value; the error names the innermost field that is missing or of another kind.
    fn read(value: &Value) -> Result<Self, WireError>;
}

/// Reads a text.
pub fn parse<T: Wire>(text: &[u8]) -> Result<T, WireError> {
    T::read(&tree::read(json_text(text))?).map_err(|error| error.in_field("{…}"))
}

/// A body as text; one that is no UTF-8 as a text that is no JSON.
pub(crate) fn json_text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap_or("\u{fffd}")
}

/// An object whose fields are read by name.
#[derive(Clone, Copy)]
pub struct Fields<'v>(&'v Map<String, Value>);

impl<'v> Fields<'v> {
    /// The fields of `value`; an error where it is no object.
    pub fn of(value: &'v Value) -> Result<Self, WireError> {
        plain(value.as_object().map(Fields))
    }

    /// The field of this name; one that is absent reads like `null`.
    pub fn take<T: Wire>(self, name: &'static str) -> Result<T, WireError> {
        T::read(self.0.get(name).unwrap_or(&Value::Null)).map_err(|error| error.in_field(name))
    }

    /// The field of this name; the usual value where it is absent.
    pub fn usual<T: Wire + Default>(self, name: &'static str) -> Result<T, WireError> {
        if self.0.contains_key(name) { self.take(name) } else { Ok(T::default()) }
    }
}

/// A value of one kind, whose field the caller names.
pub(crate) fn plain<T>(read: Option<T>) -> Result<T, WireError> {
    read.ok_or(WireError::Misshapen(""))
}

macro_rules! plain {
    ($($type:ty: $value:ident => $read:expr;)*) => {$(
        impl Wire for $type {
            fn read($value: &Value) -> Result<Self, WireError> {
                plain($read)
            }
        }
    )*};
}

plain! {
    bool: value => value.as_bool();
    u64: value => value.as_u64();
    i64: value => value.as_i64();
    u32: value => value.as_u64().and_then(|number| number.try_into().ok());
    usize: value => value.as_u64().and_then(|number| number.try_into().ok());
    u16: value => value.as_u64().and_then(|number| number.try_into().ok());
    f64: value => value.as_number().and_then(float::of);
    String: value => value.as_str().map(str::to_owned);
    // Seconds.
    Duration: value => value.as_number().and_then(float::of).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
}

impl<T: Wire> Wire for Option<T> {
    fn read(value: &Value) -> Result<Self, WireError> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn read(value: &Value) -> Result<Self, WireError> {
        match plain(value.as_array())?.as_slice() {
            [a, b] => Ok((A::read(a)?, B::read(b)?)),
            _ => plain(None),
        }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(value: &Value) -> Result<Self, WireError> {
        plain(value.as_array())?.iter().map(T::read).collect()
    }
}

/// An object: its fields, each under its own name or the one after the `=`; with `?`, the usual value where it is absent.
#[macro_export]
macro_rules! wire_object {
    ($($type:ty { $($field:ident $(? $usual:tt)? $(= $name:literal)?),* $(,)? })*) => {$(
        impl $crate::wire::Wire for $type {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::wire::WireError> {
                let fields = $crate::wire::Fields::of(value)?;
                Ok(Self { $($field: $crate::wire::object!(@ fields $field $(? $usual)? $(= $name)?)),* })
            }
        }
    )*};
    (@ $fields:ident $field:ident) => { $fields.take(stringify!($field))? };
    (@ $fields:ident $field:ident = $name:literal) => { $fields.take($name)? };
    (@ $fields:ident $field:ident ? usual) => { $fields.usual(stringify!($field))? };
}

/// A type with one value inside, written as that.
macro_rules! inside {
    ($($type:ident)*) => {$(
        impl $crate::wire::Wire for $type {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::wire::WireError> {
                $crate::wire::Wire::read(value).map($type)
            }
        }
    )*};
}

/// A word of a fixed set: of `ALL` by its `as_str`, or as it is listed.
macro_rules! word {
    ($type:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $crate::wire::Wire for $type {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::wire::WireError> {
                $crate::wire::plain(match value.as_str() {
                    $(Some($word) => Some($type::$variant),)*
                    _ => None,
                })
            }
        }
    };
    ($($type:ident $(or $other:ident)?),*) => {$(
        impl $crate::wire::Wire for $type {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::wire::WireError> {
                let text = $crate::wire::plain(value.as_str())?;
                let known = $type::ALL.into_iter().find(|word| word.as_str() == text);
                $crate::wire::plain(known$(.or(Some($type::$other)))?)
            }
        }
    )*};
}

/// A value that is written as text and read by `FromStr`.
macro_rules! text {
    ($($type:ident)*) => {$(
        impl $crate::wire::Wire for $type {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::wire::WireError> {
                $crate::wire::plain(value.as_str().and_then(|text| text.parse().ok()))
            }
        }
    )*};
}

pub use crate::wire_object as object;
pub(crate) use {inside, text, word};

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Pair {
        one: u64,
        two: Option<String>,
        three: Vec<u16>,
    }

    object! { Pair { one, two = "second", three ? usual } }

    #[test]
    fn what_is_missing_or_of_another_kind_is_named() {
        let cases = [
            (r#"{"one":1}"#, Ok(Pair { one: 1, two: None, three: vec![] })),
            (
                r#"{"one":1,"second":"x","three":[2,3],"four":{}}"#,
                Ok(Pair { one: 1, two: Some("x".into()), three: vec![2, 3] }),
            ),
            (r#"{"one":1,"second":null}"#, Ok(Pair { one: 1, two: None, three: vec![] })),
            (r#"{"second":"x"}"#, Err("`one` is missing or not of its kind")),
            (r#"{"one":-1}"#, Err("`one` is missing or not of its kind")),
            (r#"{"one":1,"second":2}"#, Err("`second` is missing or not of its kind")),
            (r#"{"one":1,"three":[70000]}"#, Err("`three` is missing or not of its kind")),
            (r#"{"one":1,"three":null}"#, Err("`three` is missing or not of its kind")),
            ("[]", Err("`{…}` is missing or not of its kind")),
            ("{", Err("it is no JSON: expected a name in quotes at line 1 column 2")),
        ];
        for (text, expected) in cases {
            let read = parse::<Pair>(text.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{text}");
        }
        assert!(matches!(parse::<u64>(b"\xff"), Err(WireError::NotJson(_))));
        let deep = "[".repeat(200);
        assert!(matches!(parse::<Vec<u64>>(deep.as_bytes()), Err(WireError::NotJson(_))));
    }
}
