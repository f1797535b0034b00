//! Figures as people read them.

use heapbeat_shared::units::Fixed;

use crate::watch::State;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long ago, in its largest unit or two: `40 s`, `12 min`, `3 h 5 min`, `4 d 2 h`.
pub fn span(seconds: u64) -> String {
    let pair = |big: u64, unit: &str, small: u64, lesser: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {lesser}"),
    };
    match seconds {
        s if s < MINUTE => format!("{s} s"),
        s if s < HOUR => format!("{} min", s / MINUTE),
        s if s < DAY => pair(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        s => pair(s / DAY, "d", s % DAY / HOUR, "h"),
    }
}

/// A share in percent, cut rather than rounded: 99.996 is not 100.
pub fn percent(share: f64) -> String {
    if share >= 100.0 {
        return "100 %".into();
    }
    format!("{} %", Fixed::cut(share, 2))
}

/// The word for a state on the page.
pub fn state(state: State) -> &'static str {
    match state {
        State::Up => "Up",
        State::Degraded => "Degraded",
        State::Down => "Down",
        State::Waking => "Waking",
        State::Maintenance => "Maintenance",
        State::Unobserved => "Not observed",
    }
}

/// The shape for a state, for those who cannot tell the colours apart: the path of a 16 by 16 icon.
pub fn icon(state: State) -> &'static str {
    match state {
        State::Up => "M3 8.5l3.5 3.5L13 4.5",
        State::Degraded => "M8 2.5v7M8 13v.5",
        State::Down => "M4 4l8 8M12 4l-8 8",
        State::Waking => "M8 3v5l3 3",
        State::Maintenance => "M5 3v10M11 3v10",
        State::Unobserved => "M3.5 8h9",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (11_100, "3 h 5 min"),
            (352_800, "4 d 2 h"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(span(seconds), shown);
        }
    }

    #[test]
    fn nearly_all_is_not_all() {
        let cases =
            [(100.0, "100 %"), (99.999, "99.99 %"), (99.98, "99.98 %"), (0.0, "0.00 %"), (50.5, "50.50 %")];
        for (share, shown) in cases {
            assert_eq!(percent(share), shown);
        }
    }
}
