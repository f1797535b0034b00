//! The clocks of time zones, of which the platform has a table and the Worker need not.

use heapbeat_shared::UnixMillis;
use js_sys::{Date, Reflect};
use wasm_bindgen::JsValue;

use crate::platform::intl::date_format;

/// How far the clock of `zone` is ahead of UTC at an instant, in seconds; `None` where there is no such zone.
pub(crate) fn offset(zone: &str, at: UnixMillis) -> Option<i32> {
    if zone == "UTC" {
        return Some(0);
    }
    let format = date_format("en-US", &[("timeZone", zone), ("timeZoneName", "longOffset")])?;
    let date = Date::new(&JsValue::from_f64(at.0 as f64));
    let parts = format.format_to_parts(&date);
    let named = parts.iter().find_map(|part| {
        let text = |name: &str| Reflect::get(&part, &name.into()).ok()?.as_string();
        (text("type")? == "timeZoneName").then(|| text("value")).flatten()
    });
    read_offset(&named?)
}

/// Reads `GMT`, `GMT+02:00` or `GMT-03:30`.
fn read_offset(text: &str) -> Option<i32> {
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
    fn offsets_as_the_platform_writes_them() {
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
            assert_eq!(read_offset(text), seconds, "{text}");
        }
    }
}
