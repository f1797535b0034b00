//! `GET /calendar.ics`: announced work as iCalendar (RFC 5545).

use crate::web::api::text_of as text;

/// The calendar, from the body of `GET /api/v1/status`. `origin` is where it stands, such as `https://status.example.com`.
pub fn calendar(status: &str, origin: &str) -> String {
    let status = serde_json::from_str::<serde_json::Value>(status).unwrap_or_default();
    let host = origin.split("//").nth(1).unwrap_or("heapbeat");
    let mut out = String::new();
    let mut line = |name: &str, value: &str| fold(&mut out, &[name, ":", value].concat());
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//heapbeat//status//EN");
    line("X-WR-CALNAME", "Announced work");
    // A calendar holds something; where nothing is announced, that is what time is.
    line("BEGIN", "VTIMEZONE");
    line("TZID", "UTC");
    line("BEGIN", "STANDARD");
    line("DTSTART", "19700101T000000");
    line("TZOFFSETFROM", "+0000");
    line("TZOFFSETTO", "+0000");
    line("END", "STANDARD");
    line("END", "VTIMEZONE");
    for work in status["maintenance"].as_array().into_iter().flatten() {
        let (from, to) = (basic(text(&work["from"])), basic(text(&work["to"])));
        let monitors: Vec<&str> = work["monitors"].as_array().into_iter().flatten().map(text).collect();
        line("BEGIN", "VEVENT");
        line("UID", &[text(&work["id"]), "-", &from, "@", host].concat());
        line("DTSTAMP", &from);
        line("DTSTART", &from);
        line("DTEND", &to);
        line("SUMMARY", &escaped(text(&work["title"])));
        if !monitors.is_empty() {
            line("DESCRIPTION", &escaped(&monitors.join(", ")));
        }
        line("URL", &[origin, "/"].concat());
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    out
}

/// `20260131T140300Z`.
fn basic(rfc3339: &str) -> String {
    rfc3339.chars().filter(|c| *c != '-' && *c != ':').collect()
}

/// A text of 3.3.11.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Writes a line, in lines of at most 75 bytes (3.1).
fn fold(out: &mut String, line: &str) {
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
    use super::*;

    #[test]
    fn an_event() {
        let status = r#"{"maintenance":[{"id":"move","title":"We move; all, of\\it\nnow","monitors":["api","db"],
            "from":"2026-01-01T00:02:00Z","to":"2026-01-01T00:05:00Z"}]}"#;
        let text = calendar(status, "https://status.example.com");
        let event = text.split("BEGIN:VEVENT\r\n").nth(1).unwrap();
        let expected = concat!(
            "UID:move-20260101T000200Z@status.example.com\r\nDTSTAMP:20260101T000200Z\r\n",
            "DTSTART:20260101T000200Z\r\nDTEND:20260101T000500Z\r\n",
            "SUMMARY:We move\\; all\\, of\\\\it\\nnow\r\nDESCRIPTION:api\\, db\r\nURL:https://status.example.com/\r\n",
            "END:VEVENT\r\nEND:VCALENDAR\r\n",
        );
        assert_eq!(event, expected);
        assert_eq!(calendar("{}", "http://x").matches("BEGIN:").count(), 3);
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let title = "é".repeat(100);
        let status = format!(r#"{{"maintenance":[{{"id":"a","title":"{title}","from":"","to":""}}]}}"#);
        let text = calendar(&status, "https://a.example");
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        assert!(text.replace("\r\n ", "").contains(&format!("SUMMARY:{title}\r\n")));
    }
}
