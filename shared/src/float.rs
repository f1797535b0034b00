//! Numbers with a fraction: read to the nearest that there is, written with the fewest digits that read as the same.
//!
//! Either takes tables of 10 kB that do not compress. In a Worker the engine around it has them: its `Number()` reads what is
//! written like a number, to the nearest as well, and its `String()` writes the fewest digits.

use serde_json::Number;

/// The number in `text`: digits with a sign, a point and an exponent, as Rust and JavaScript write them; not `inf`, not `NaN`,
/// no space around it. `None` where it is none, or too large.
pub fn parse(text: &str) -> Option<f64> {
    let written = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    (written && digits).then(|| short(text).unwrap_or_else(|| read(text))).filter(|number| number.is_finite())
}

/// The most digits that the whole numbers of an `f64` hold exactly, all of them; a power of ten has no more zeros than it
/// holds either.
const EXACT_DIGITS: u32 = 15;

/// A number of few digits and without an exponent, which nearly all are. Both the digits and the power of ten that they are
/// divided by are exact, so that the quotient is the nearest there is. Asking the engine is two calls and a text for it, and
/// there are nine such numbers in a report.
fn short(text: &str) -> Option<f64> {
    let (sign, number) = text.strip_prefix('-').map_or((1.0, text), |number| (-1.0, number));
    let (mut whole, mut digits, mut scale, mut point) = (0i64, 0, 1i64, false);
    for byte in number.bytes() {
        match byte {
            b'0'..=b'9' if digits < EXACT_DIGITS => {
                whole = whole * 10 + i64::from(byte - b'0');
                digits += 1;
                scale *= if point { 10 } else { 1 };
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    (digits > 0).then(|| sign * (whole as f64 / scale as f64))
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

/// The digits of a finite number, the first of which counts `10^exponent`; no zeros at either end but for zero itself.
pub fn digits(number: f64) -> (String, i32) {
    digits_of(&written(number.abs()))
}

/// A finite number without an exponent, as `Display` has it.
pub fn plain(number: f64) -> String {
    let (digits, exponent) = digits(number);
    let minus = if number.is_sign_negative() { "-" } else { "" };
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    if exponent < 0 {
        return [minus, "0.", &zeros(-exponent - 1), &digits].concat();
    }
    match digits.split_at_checked(usize::try_from(exponent + 1).unwrap_or(1)) {
        Some((whole, "")) => [minus, whole].concat(),
        Some((whole, fraction)) => [minus, whole, ".", fraction].concat(),
        None => [minus, &digits, &zeros(exponent + 1 - i32::try_from(digits.len()).unwrap_or(0))].concat(),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn written(number: f64) -> String {
    number.to_string()
}

#[cfg(target_arch = "wasm32")]
fn written(number: f64) -> String {
    use wasm_bindgen::JsValue;
    (JsValue::from_str("") + JsValue::from_f64(number)).as_string().unwrap_or_default()
}

/// Reads `12.5`, `1e+21`, `1.5e-7`.
fn digits_of(written: &str) -> (String, i32) {
    let (number, exponent) = written.split_once('e').unwrap_or((written, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let exponent: i32 = exponent.trim_start_matches('+').parse().unwrap_or(0);
    let all = [whole, fraction].concat();
    let digits = all.trim_start_matches('0');
    let first =
        i32::try_from(whole.len() + digits.len()).unwrap_or(0) - i32::try_from(all.len()).unwrap_or(0);
    match digits.trim_end_matches('0') {
        "" => ("0".to_owned(), 0),
        digits => (digits.to_owned(), exponent + first - 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_digits_are_read_to_the_nearest(whole in 0u64..10_000_000_000, fraction in "[0-9]{0,12}", minus: bool) {
            let text = format!("{}{whole}.{fraction}", if minus { "-" } else { "" });
            let read: f64 = text.parse().unwrap();
            prop_assert_eq!(short(&text).unwrap_or(read).to_bits(), read.to_bits(), "{}", text);
            prop_assert_eq!(short(&text).is_some(), text.bytes().filter(u8::is_ascii_digit).count() <= 15);
        }

        #[test]
        fn plain_is_what_rust_displays(number: f64) {
            prop_assume!(number.is_finite());
            prop_assert_eq!(plain(number), number.to_string());
        }

        /// As Rust writes it, with an exponent and without, and as JavaScript does.
        #[test]
        fn digits_are_those_of_the_exponential_form(number: f64) {
            let number = if number.is_finite() { number.abs() } else { 0.0 };
            let scientific = format!("{number:e}");
            let (mantissa, exponent) = scientific.split_once('e').unwrap();
            let expected = (mantissa.replace('.', ""), exponent.parse().unwrap());
            prop_assert_eq!(digits(number), expected.clone());
            prop_assert_eq!(digits_of(&scientific), expected.clone());
            prop_assert_eq!(digits_of(&scientific.replace('e', "e+").replace("+-", "-")), expected);
        }
    }

    #[test]
    fn what_is_a_number() {
        let cases = [
            ("1", Some(1.0)),
            ("-0.5", Some(-0.5)),
            ("-0.0", Some(-0.0)),
            ("0.30000000000000004", Some(0.300_000_000_000_000_04)),
            ("123456789012345", Some(123_456_789_012_345.0)),
            ("9007199254740993", Some(9_007_199_254_740_992.0)),
            (".", None),
            ("-", None),
            ("+-1", None),
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
