//! `GET /api/v1/incidents`, a page at a time.
//!
//! A page ends with the id of its last incident, and the next one begins behind it: what opens meanwhile moves nothing.

use super::records::{newest_first, put};
use super::{incident, json};
use crate::domain::incident::Incident;

/// What one hub tells of its newest incidents.
pub fn incidents_told(list: &[Incident]) -> String {
    let mut out = String::new();
    for it in list {
        let body = json::object(|o| incident(o, it));
        put(&mut out, it.opened.0.div_euclid(1000), it.monitor.as_str(), &[&body]);
    }
    out
}

/// The body of a page of at most `limit` incidents, and the path of the next one, from what all hubs told.
pub fn incidents_page(told: &str, limit: usize) -> (String, Option<String>) {
    let mut all = newest_first(told);
    let more = all.len() > limit;
    all.truncate(limit);
    let last = all.last().filter(|_| more);
    let next = last.map(|it| format!("/api/v1/incidents?limit={limit}&before={}-{}", it.name, it.at));
    let body = json::object(|o| {
        o.list("incidents", |list| all.iter().for_each(|it| list.written(it.field(0))));
        o.set("next", next.as_ref());
    });
    (body, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let mut told = String::new();
        for (at, monitor) in [(30, "api"), (20, "web"), (20, "api"), (10, "api")] {
            put(&mut told, at, monitor, &[&format!(r#"{{"id":"{monitor}-{at}"}}"#)]);
        }
        let (body, next) = incidents_page(&told, 2);
        assert_eq!(
            body,
            r#"{"incidents":[{"id":"api-30"},{"id":"api-20"}],"next":"/api/v1/incidents?limit=2&before=api-20"}"#
        );
        assert_eq!(next.as_deref(), Some("/api/v1/incidents?limit=2&before=api-20"));
        let (body, next) = incidents_page(&told, 4);
        assert!(body.ends_with(r#"{"id":"api-10"}],"next":null}"#), "{body}");
        assert_eq!(next, None);
        assert_eq!(incidents_page("", 50).0, r#"{"incidents":[],"next":null}"#);
    }
}
