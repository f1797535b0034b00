//! Instants and days in the reader's language, in UTC; the script turns them into the reader's zone.

use heapbeat_shared::UnixMillis;

#[cfg(target_arch = "wasm32")]
pub(super) use platform::Clock;

#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::Clock;

/// The platform knows how dates are written; its formats are made once a page.
#[cfg(target_arch = "wasm32")]
mod platform {
    use js_sys::Function;
    use wasm_bindgen::JsValue;

    use super::UnixMillis;
    use crate::platform::intl::date_format;

    /// Of a day.
    const DAY_MS: i64 = 86_400_000;

    /// The formats of one language.
    pub(in crate::web::page) struct Clock {
        time: Option<Function>,
        full: Option<Function>,
        day: Option<Function>,
    }

    const UTC: (&str, &str) = ("timeZone", "UTC");
    const CLOCK: [(&str, &str); 3] = [("hour", "2-digit"), ("minute", "2-digit"), ("hourCycle", "h23")];

    impl Clock {
        pub(in crate::web::page) fn new(language: &str) -> Self {
            let make =
                |options: &[(&str, &str)]| date_format(language, options).map(|format| format.format());
            let [hour, minute, cycle] = CLOCK;
            let (month, day) = (("month", "short"), ("day", "numeric"));
            Clock {
                time: make(&[UTC, hour, minute, cycle]),
                full: make(&[UTC, month, day, hour, minute, cycle]),
                day: make(&[UTC, month, day, ("year", "numeric")]),
            }
        }

        /// `14:03` on the day of `now`, else with the date.
        pub(in crate::web::page) fn short(&self, at: UnixMillis, now: i64) -> String {
            let same = at.0.div_euclid(DAY_MS) == now.div_euclid(DAY_MS);
            written(if same { self.time.as_ref() } else { self.full.as_ref() }, at)
        }

        /// The date.
        pub(in crate::web::page) fn day(&self, at: UnixMillis) -> String {
            written(self.day.as_ref(), at)
        }
    }

    fn written(format: Option<&Function>, at: UnixMillis) -> String {
        let at = JsValue::from_f64(at.0 as f64);
        let text = format.and_then(|format| format.call1(&JsValue::UNDEFINED, &at).ok());
        text.and_then(|text| text.as_string()).unwrap_or_default()
    }
}

/// In English, without the platform.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use super::UnixMillis;
    use crate::domain::instant;

    pub(in crate::web::page) struct Clock;

    // As the one of the platform has it.
    #[allow(clippy::unused_self)]
    impl Clock {
        pub(in crate::web::page) fn new(_language: &str) -> Self {
            Clock
        }

        pub(in crate::web::page) fn short(&self, at: UnixMillis, now: i64) -> String {
            instant::clock_by(at, UnixMillis(now))
        }

        pub(in crate::web::page) fn day(&self, at: UnixMillis) -> String {
            instant::day(at)
        }
    }
}
