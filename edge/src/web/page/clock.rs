//! Instants and days in the visitor's language, in UTC. The script converts them to the visitor's time zone.

#[cfg(target_arch = "wasm32")]
pub(super) use platform::Clock;

#[cfg(not(target_arch = "wasm32"))]
pub(super) use native::Clock;

/// Formats with the platform's `Intl`, which has the date formats of each language.
#[cfg(target_arch = "wasm32")]
mod platform {
    use heapbeat_shared::UnixMillis;
    use js_sys::Function;
    use wasm_bindgen::JsValue;

    use crate::platform::intl::date_format;

    const DAY_MS: i64 = 86_400_000;

    const UTC: (&str, &str) = ("timeZone", "UTC");
    const TIME: [(&str, &str); 3] = [("hour", "2-digit"), ("minute", "2-digit"), ("hourCycle", "h23")];

    /// The formats of one language, built once for each page.
    #[derive(Debug)]
    pub(in crate::web::page) struct Clock {
        time: Option<Function>,
        date_and_time: Option<Function>,
        date: Option<Function>,
    }

    impl Clock {
        pub(in crate::web::page) fn new(language: &str) -> Self {
            let format =
                |options: &[(&str, &str)]| date_format(language, options).map(|format| format.format());
            let [hour, minute, cycle] = TIME;
            let (month, day) = (("month", "short"), ("day", "numeric"));
            Clock {
                time: format(&[UTC, hour, minute, cycle]),
                date_and_time: format(&[UTC, month, day, hour, minute, cycle]),
                date: format(&[UTC, month, day, ("year", "numeric")]),
            }
        }

        /// Formats an instant as `14:03` on the day of `now`, else with the date.
        pub(in crate::web::page) fn short(&self, at: UnixMillis, now: UnixMillis) -> String {
            let is_today = at.0.div_euclid(DAY_MS) == now.0.div_euclid(DAY_MS);
            apply(if is_today { self.time.as_ref() } else { self.date_and_time.as_ref() }, at)
        }

        /// Formats the date.
        pub(in crate::web::page) fn day(&self, at: UnixMillis) -> String {
            apply(self.date.as_ref(), at)
        }
    }

    fn apply(format: Option<&Function>, at: UnixMillis) -> String {
        let at = JsValue::from_f64(at.0 as f64);
        let text = format.and_then(|format| format.call1(&JsValue::UNDEFINED, &at).ok());
        text.and_then(|text| text.as_string()).unwrap_or_default()
    }
}

/// Formats in English, for tests without the platform.
#[cfg(not(target_arch = "wasm32"))]
mod native {
    use heapbeat_shared::UnixMillis;

    use crate::domain::instant;

    #[derive(Debug)]
    pub(in crate::web::page) struct Clock;

    // The interface is that of the platform's clock.
    #[allow(clippy::unused_self)]
    impl Clock {
        pub(in crate::web::page) fn new(_language: &str) -> Self {
            Clock
        }

        pub(in crate::web::page) fn short(&self, at: UnixMillis, now: UnixMillis) -> String {
            instant::clock_on_day(at, now)
        }

        pub(in crate::web::page) fn day(&self, at: UnixMillis) -> String {
            instant::day(at)
        }
    }
}
