//! `GET /calendar.ics`: announced maintenance as iCalendar (RFC 5545).
//!
//! The `icalendar` crate is not used: it stamps events by the system's clock and names them by random UUIDs, and a Worker has neither. Here
//! ids and stamps come from the announcement, so the calendar changes only with it.

use super::feed::plain_text;
use crate::view::{MaintenanceView, Timestamp};

/// Renders the calendar. `origin` is that of the page, such as `https://status.example.com`.
pub fn render_calendar(maintenance: &[MaintenanceView], origin: &str) -> String {
    let host = origin.split("//").nth(1).unwrap_or("heapbeat");
    let mut out = String::new();
    let mut line = |name: &str, value: &str| write_folded(&mut out, &[name, ":", value].concat());
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//heapbeat//status//EN");
    line("X-WR-CALNAME", "Announced maintenance");
    // A calendar needs at least one component, and there may be no event.
    line("BEGIN", "VTIMEZONE");
    line("TZID", "UTC");
    line("BEGIN", "STANDARD");
    line("DTSTART", "19700101T000000");
    line("TZOFFSETFROM", "+0000");
    line("TZOFFSETTO", "+0000");
    line("END", "STANDARD");
    line("END", "VTIMEZONE");
    for window in maintenance {
        let (from, to) = (date_time(window.from), date_time(window.to));
        line("BEGIN", "VEVENT");
        line("UID", &format!("{}-{from}@{host}", window.id));
        line("DTSTAMP", &from);
        line("DTSTART", &from);
        line("DTEND", &to);
        line("SUMMARY", &escape_text(&window.title));
        if let Some(monitors) = window.monitors.as_ref().filter(|monitors| !monitors.is_empty()) {
            let ids: Vec<_> = monitors.iter().map(ToString::to_string).collect();
            line("DESCRIPTION", &escape_text(&ids.join(", ")));
        }
        line("URL", &[origin, "/"].concat());
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    out
}

/// Formats an instant as `20260131T140300Z`.
fn date_time(at: Timestamp) -> String {
    at.to_string().chars().filter(|c| *c != '-' && *c != ':').collect()
}

/// Escapes a value of type TEXT (3.3.11).
fn escape_text(text: &str) -> String {
    let mut out = String::new();
    for c in plain_text(text).chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

/// Writes a content line, folded into lines of at most 75 bytes (3.1).
fn write_folded(out: &mut String, line: &str) {
    let mut length = 0;
    for c in line.chars() {
        if length + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(c);
        length += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;

    fn maintenance(title: &str, monitors: &[&str]) -> MaintenanceView {
        MaintenanceView {
            id: "move".parse().unwrap(),
            title: title.to_owned(),
            monitors: Some(monitors.iter().map(|id| id.parse().unwrap()).collect()),
            from: Timestamp(UnixMillis(1_767_225_720_000)),
            to: Timestamp(UnixMillis(1_767_225_900_000)),
        }
    }

    #[test]
    fn an_event_has_its_time_and_its_escaped_title() {
        let window = maintenance("We move; all, of\\it\nnow", &["api", "db"]);
        let text = render_calendar(&[window], "https://status.example.com");
        let event = text.split("BEGIN:VEVENT\r\n").nth(1).unwrap();
        let expected = concat!(
            "UID:move-20260101T000200Z@status.example.com\r\nDTSTAMP:20260101T000200Z\r\n",
            "DTSTART:20260101T000200Z\r\nDTEND:20260101T000500Z\r\n",
            "SUMMARY:We move\\; all\\, of\\\\it\\nnow\r\nDESCRIPTION:api\\, db\r\nURL:https://status.example.com/\r\n",
            "END:VEVENT\r\nEND:VCALENDAR\r\n",
        );
        assert_eq!(event, expected);
        assert_eq!(render_calendar(&[], "http://x").matches("BEGIN:").count(), 3);
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let title = "é".repeat(100);
        let text = render_calendar(&[maintenance(&title, &[])], "https://a.example");
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        assert!(text.replace("\r\n ", "").contains(&format!("SUMMARY:{title}\r\n")));
    }
}
