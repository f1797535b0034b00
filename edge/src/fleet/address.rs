//! Whom a question is for, as far as the question itself says so. Pure.

use crate::config::MOST_HUBS;

/// The monitor that a question to a hub is about; `None` where it is about none, or about all.
pub fn subject(path: &str) -> Option<&str> {
    let mut parts = path.split('?').next()?.split('/').skip(1);
    let (kind, id) = (parts.next()?, parts.next()?);
    match kind {
        "monitors" | "heartbeats" => Some(id),
        // `api-1767225900`
        "incidents" => id.rsplit_once('-').map(|(monitor, _)| monitor),
        _ => None,
    }
}

/// The hub that a page of an export names: `?7-0-0` of the path, or `"hub":7` in the first line of what is to be imported.
pub fn paged(path: &str, body: Option<&str>) -> usize {
    let named = match (path.split_once('?'), body) {
        (Some(("/export", from)), _) => {
            from.split_once('-').filter(|(_, more)| more.contains('-')).map(|(hub, _)| hub)
        }
        (Some(("/import", _)), Some(body)) => {
            let line = body.lines().next().unwrap_or_default();
            line.split_once("\"hub\":").map(|(_, hub)| hub.trim_end_matches('}'))
        }
        _ => None,
    };
    named.and_then(|hub| hub.parse().ok()).filter(|hub| *hub < MOST_HUBS).unwrap_or(0)
}

/// The number of the hub that a request is for.
pub fn named(url: &str) -> usize {
    let name = url.trim_start_matches("https://hub-");
    name.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_question_is_about() {
        let cases = [
            ("/status", None),
            ("/monitors", None),
            ("/monitors?dry-run=true", None),
            ("/incidents", None),
            ("/monitors/api/uptime?86400000", Some("api")),
            ("/monitors/api", Some("api")),
            ("/heartbeats/backup?exit=0", Some("backup")),
            ("/heartbeats/backup?", Some("backup")),
            ("/incidents/my-api-1767225900", Some("my-api")),
            ("/incidents/x", None),
            ("/export?0-0", None),
        ];
        for (path, expected) in cases {
            assert_eq!(subject(path), expected, "{path}");
        }
    }

    #[test]
    fn pages_of_an_export() {
        let cases = [
            ("/export?", None, 0),
            ("/export?3-7", None, 0),
            ("/export?3-0-7", None, 3),
            ("/export?45-0-7", None, 0),
            ("/import?7", Some("{\"schema\":7,\"hub\":12}\n{\"table\""), 12),
            ("/import?7", Some("{\"schema\":7}\n\"hub\":9}"), 0),
            ("/import?7", None, 0),
            ("/status", None, 0),
        ];
        for (path, body, hub) in cases {
            assert_eq!(paged(path, body), hub, "{path} {body:?}");
        }
        assert_eq!((named("https://hub-12/tick?at=1"), named("https://hub/")), (12, 0));
    }
}
