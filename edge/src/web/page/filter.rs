//! What a template does with a value besides showing it: `{{since|time}}`.
//!
//! A filter writes HTML itself, so it writes nothing of the value but numbers, or what went through [`escape`].

use heapbeat_shared::UnixMillis;
use heapbeat_shared::units;
use serde_json::Value;

use super::chart;
use super::sparkline;
use super::template::{Maker, shown};
use crate::config::maintenance::read_instant;
use crate::domain::State;
use crate::domain::instant;
use crate::web::api::markup::escape;

/// Most pieces of evidence in a line.
const MOST_PIECES: usize = 3;

/// What `filter` makes of `value`; nothing of what it cannot read.
pub(super) fn apply(filter: &str, value: &Value, maker: &Maker<'_>, out: &mut String) {
    match filter {
        // How long ago, or how long: `3 h 5 min`.
        "ago" => {
            if let Some(at) = instant(value) {
                span(UnixMillis(maker.now).since(at).as_secs(), maker, out);
            }
        }
        "span" => span(whole(value).and_then(|n| u64::try_from(n).ok()).unwrap_or(0), maker, out),
        // An instant: for machines in the attribute, for people as text.
        "time" => {
            if let Some(at) = instant(value) {
                let written = [
                    "<time datetime=\"",
                    &instant::rfc3339(at),
                    "\">",
                    &maker.clock.short(at, maker.now),
                    " UTC</time>",
                ];
                out.extend(written);
            }
        }
        "day" => {
            if let Some(at) = instant(value) {
                out.push_str(&maker.clock.day(at));
            }
        }
        "percent" => {
            if let Some(share) = number(value) {
                percent(share, maker, out);
            }
        }
        // Bytes, as whole megabytes.
        "mb" => {
            let bytes = whole(value).unwrap_or(0);
            out.push_str(&((bytes + 524_288) / 1_048_576).to_string());
        }
        "say" => say(value, maker, out),
        // How many items there are.
        "count" => out.push_str(&whole(value).unwrap_or(0).to_string()),
        // Of days by their letters: how many were good, had trouble, were not seen.
        "good" => count(value, |state| matches!(state, State::Up | State::Maintenance), out),
        "trouble" => count(value, State::is_trouble, out),
        "unseen" => count(value, |state| state == State::Unobserved, out),
        // The first pieces of evidence; the API has all.
        "pieces" => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            for (index, item) in items.iter().take(MOST_PIECES).enumerate() {
                out.push_str(if index == 0 { "" } else { "; " });
                escape(&shown(item), out);
            }
        }
        "icon" => sparkline::icon(value.as_str().unwrap_or_default(), out),
        "bars" => {
            sparkline::bars(value, maker.now, maker.query, |at| maker.clock.day(at), out);
        }
        "spark" => sparkline::spark(value, out),
        "plot" => chart::plot(value, maker, out),
        // That this is the one that is shown: `{{range|is 24h}}`.
        filter if filter.strip_prefix("is ") == value.as_str() && value.is_string() => {
            out.push_str(" aria-current=\"true\"");
        }
        _ => {}
    }
}

/// How many days, by their letters, are of these states.
fn count(value: &Value, which: fn(State) -> bool, out: &mut String) {
    let days = value.as_str().unwrap_or_default().chars();
    let of = |letter: char| State::ALL.into_iter().any(|state| state.letter() == letter && which(state));
    out.push_str(&days.filter(|letter| of(*letter)).count().to_string());
}

/// A whole number, or how many items a list has.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Array(items) => i64::try_from(items.len()).ok(),
        value => value.as_i64(),
    }
}

/// Any number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        _ => None,
    }
}

/// An instant: RFC 3339, a date, which is its beginning, or Unix milliseconds.
fn instant(value: &Value) -> Option<UnixMillis> {
    match value {
        Value::String(date) if date.len() == 10 => read_instant(&[date, "T00:00Z"].concat()),
        Value::String(text) => read_instant(text),
        value => whole(value).map(UnixMillis),
    }
}

/// In the largest unit or two, by their names in the reader's language.
fn span(seconds: u64, maker: &Maker<'_>, out: &mut String) {
    let unit = |unit| match unit {
        "s" => maker.messages.get("unit.s"),
        "min" => maker.messages.get("unit.min"),
        "h" => maker.messages.get("unit.h"),
        _ => maker.messages.get("unit.d"),
    };
    out.push_str(&instant::span(seconds, unit, '\u{a0}'));
}

/// A share in percent, cut rather than rounded: 99.996 is not 100.
fn percent(share: f64, maker: &Maker<'_>, out: &mut String) {
    if share >= 100.0 {
        out.push_str("100");
    } else {
        out.push_str(
            &format!("{:.2}", units::floor_to(share, 2)).replace('.', maker.messages.get("decimal")),
        );
    }
    out.push_str("\u{a0}%");
}

/// A sentence of the hub's; in English, and marked as that, where it is not translated.
fn say(value: &Value, maker: &Maker<'_>, out: &mut String) {
    let sentence = shown(value);
    match maker.messages.say(&sentence) {
        Some(said) => escape(&said, out),
        None if maker.messages.language() == "en" => escape(&sentence, out),
        None => {
            out.push_str("<span lang=\"en\">");
            escape(&sentence, out);
            out.push_str("</span>");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::web::page::messages::Messages;

    const NOW: i64 = 1_769_860_800_000; // 2026-01-31T12:00:00Z

    fn with(filter: &str, value: &Value) -> String {
        let messages = Messages::english();
        let maker = Maker::new(&messages, NOW, "");
        let mut out = String::new();
        apply(filter, value, &maker, &mut out);
        out.replace('\u{a0}', " ")
    }

    #[test]
    fn values_become_words() {
        let cases = [
            ("span", json!(0), "0 s"),
            ("span", json!(59), "59 s"),
            ("span", json!(3599), "59 min"),
            ("span", json!(3600), "1 h"),
            ("span", json!(11_100), "3 h 5 min"),
            ("span", json!(352_800), "4 d 2 h"),
            ("span", json!("x"), "0 s"),
            ("ago", json!("2026-01-31T11:48:00Z"), "12 min"),
            ("ago", json!("2027-01-31T11:48:00Z"), "0 s"),
            ("ago", json!(null), ""),
            (
                "time",
                json!("2026-01-31T11:48:00Z"),
                "<time datetime=\"2026-01-31T11:48:00Z\">11:48 UTC</time>",
            ),
            (
                "time",
                json!(NOW - 86_400_000),
                "<time datetime=\"2026-01-30T12:00:00Z\">30 Jan 12:00 UTC</time>",
            ),
            ("time", json!("<script>"), ""),
            ("day", json!("2026-01-30T00:00:00Z"), "30 Jan"),
            ("day", json!("2026-01-30"), "30 Jan"),
            ("day", json!("2026-02-30"), ""),
            ("percent", json!(100), "100 %"),
            ("percent", json!(99.999), "99.99 %"),
            ("percent", json!(99.98), "99.98 %"),
            ("percent", json!(0), "0.00 %"),
            ("percent", json!(null), ""),
            ("mb", json!(1_048_576), "1"),
            ("mb", json!(1_572_864), "2"),
            ("say", json!("<b>"), "&lt;b&gt;"),
            ("unknown", json!("<b>"), ""),
            ("count", json!([1, 2]), "2"),
            ("good", json!("uum~d.."), "3"),
            ("trouble", json!("uum~d.."), "2"),
            ("unseen", json!("uum~d.."), "2"),
            ("pieces", json!(["a", "<b>", "c", "d"]), "a; &lt;b&gt;; c"),
            ("pieces", json!(null), ""),
            ("is 24h", json!("24h"), " aria-current=\"true\""),
            ("is 24h", json!("7d"), ""),
        ];
        for (filter, value, expected) in cases {
            assert_eq!(with(filter, &value), expected, "{value}|{filter}");
        }
    }
}
