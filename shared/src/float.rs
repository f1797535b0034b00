//! Numbers with a fraction, read to the nearest that there is.
//!
//! Reading them exactly takes a table of 10 kB that does not compress. In a Worker the engine around it has that table: its
//! `Number()` reads what is written like a number, to the nearest as well.

use serde_json::Number;

/// The number in `text`: digits with a sign, a point and an exponent, as Rust and JavaScript write them; not `inf`, not `NaN`,
/// no space around it. `None` where it is none, or too large.
pub fn parse(text: &str) -> Option<f64> {
    let written = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    (written && digits).then(|| read(text)).filter(|number| number.is_finite())
}

/// The number of a JSON text, which is kept as it was written.
pub fn of(number: &Number) -> Option<f64> {
    parse(number.as_str())
}

#[cfg(not(target_arch = "wasm32"))]
fn read(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

#[cfg(target_arch = "wasm32")]
fn read(text: &str) -> f64 {
    // A `+` before a text is `Number(text)`.
    wasm_bindgen::JsValue::from_str(text).unchecked_into_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_number() {
        let cases = [
            ("1", Some(1.0)),
            ("-0.5", Some(-0.5)),
            ("+1.", Some(1.0)),
            (".5", Some(0.5)),
            ("1e2", Some(100.0)),
            ("1E-2", Some(0.01)),
            ("0.1", Some(0.1)),
            ("123.40000000000005", Some(123.400_000_000_000_05)),
            ("", None),
            ("e5", None),
            ("1e", None),
            ("1.2.3", None),
            ("--1", None),
            (" 1", None),
            ("0x10", None),
            ("inf", None),
            ("NaN", None),
            ("1e999", None),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text), number, "{text}");
        }
    }
}
