//! Which hub watches which monitor.

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
}
