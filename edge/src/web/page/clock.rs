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
    use js_sys::Intl::{DateTimeFormatOptions, DayFormat, HourCycle, MonthFormat, NumericFormat, YearFormat};
    use wasm_bindgen::JsValue;

    use crate::platform::intl::date_format;

    const DAY_MS: i64 = 86_400_000;

    /// The formats of one language, built once for each page.
    #[derive(Debug)]
    pub(in crate::web::page) struct Clock {
        time: Option<Function>,
        date_and_time: Option<Function>,
        date: Option<Function>,
    }

    impl Clock {
        pub(in crate::web::page) fn new(language: &str) -> Self {
            let format = |set: &dyn Fn(&DateTimeFormatOptions)| {
                let options = DateTimeFormatOptions::new();
                options.set_time_zone("UTC");
                set(&options);
                date_format(language, &options).map(|format| format.format())
            };
            let set_time = |options: &DateTimeFormatOptions| {
                options.set_hour(NumericFormat::TwoDigit);
                options.set_minute(NumericFormat::TwoDigit);
                options.set_hour_cycle(HourCycle::H23);
            };
            let set_day = |options: &DateTimeFormatOptions| {
                options.set_month(MonthFormat::Short);
                options.set_day(DayFormat::Numeric);
            };
            Clock {
                time: format(&set_time),
                date_and_time: format(&|options| {
                    set_day(options);
                    set_time(options);
                }),
                date: format(&|options| {
                    set_day(options);
                    options.set_year(YearFormat::Numeric);
                }),
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
