//! When the registration of a monitor's domain ends, as RDAP says (RFC 9083). It is looked up once a day and kept with the monitor.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};
use serde::Deserialize;

/// The most bytes of a response that are read.
pub const MAX_RESPONSE: usize = 128 * 1024;

/// The most requests of one lookup: the bootstrap service redirects to the registry, which may redirect once more.
pub const MAX_REQUESTS: usize = 3;

/// How long a date is used before it is looked up again.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// The pause after a lookup that failed.
const RETRY_AFTER: Duration = Duration::from_secs(6 * 3600);

/// What is known of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DomainRecord {
    /// The domain.
    #[n(0)]
    pub domain: String,
    /// The end of the registration; `None` as long as no lookup found it.
    #[n(1)]
    pub expires: Option<UnixMillis>,
    /// When it was looked up last.
    #[n(2)]
    pub looked_up: UnixMillis,
    /// Since when lookups fail; `None` if the last one did not.
    #[n(3)]
    pub failing_since: Option<UnixMillis>,
}

impl DomainRecord {
    /// Returns the record after a lookup at `now`. A failure keeps the date that is known.
    pub fn after_lookup(
        before: Option<&DomainRecord>,
        domain: &str,
        found: Option<UnixMillis>,
        now: UnixMillis,
    ) -> DomainRecord {
        let before = before.filter(|before| before.domain == domain);
        let failing_since = before.and_then(|before| before.failing_since).unwrap_or(now);
        DomainRecord {
            domain: domain.to_owned(),
            expires: found.or(before.and_then(|before| before.expires)),
            looked_up: now,
            failing_since: found.is_none().then_some(failing_since),
        }
    }

    /// Returns the time that is left at `now`, in milliseconds; negative after the end.
    pub fn time_left(&self, now: UnixMillis) -> Option<i64> {
        self.expires.map(|expires| expires.0.saturating_sub(now.0))
    }
}

/// Whether a domain is to be looked up at `now`.
pub fn is_lookup_due(record: Option<&DomainRecord>, domain: &str, now: UnixMillis) -> bool {
    let Some(record) = record.filter(|record| record.domain == domain) else { return true };
    let pause = if record.failing_since.is_some() { RETRY_AFTER } else { LIFETIME };
    now.since(record.looked_up) >= pause
}

#[derive(Deserialize)]
struct RdapDomain {
    #[serde(default)]
    events: Vec<RdapEvent>,
}

#[derive(Deserialize)]
struct RdapEvent {
    #[serde(rename = "eventAction")]
    action: String,
    #[serde(rename = "eventDate")]
    date: Option<String>,
}

/// Reads the end of the registration from a response; `None` if it has none.
pub fn read_expiration(body: &[u8]) -> Option<UnixMillis> {
    let domain: RdapDomain = serde_json::from_slice(body).ok()?;
    let event = domain.events.into_iter().find(|event| event.action == "expiration")?;
    let date = chrono::DateTime::parse_from_rfc3339(&event.date?).ok()?;
    Some(UnixMillis(date.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn the_expiration_is_read_from_the_events() {
        let found = br#"{"objectClassName":"domain","ldhName":"example.com","events":[
            {"eventAction":"registration","eventDate":"1995-08-14T04:00:00Z"},
            {"eventAction":"expiration","eventDate":"2026-08-13T04:00:00Z","links":[]}]}"#;
        assert_eq!(read_expiration(found), Some(UnixMillis(1_786_593_600_000)));
        for body in [
            "",
            "{}",
            r#"{"events":[]}"#,
            r#"{"events":[{"eventAction":"expiration"}]}"#,
            r#"{"errorCode":404}"#,
        ] {
            assert_eq!(read_expiration(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_domain_is_looked_up_once_a_day_and_four_times_after_a_failure() {
        let at = |hours: i64| UnixMillis(hours * HOUR);
        assert!(is_lookup_due(None, "a.example", at(0)));
        let found = DomainRecord::after_lookup(None, "a.example", Some(at(1000)), at(0));
        let cases = [("a.example", 23, false), ("a.example", 24, true), ("b.example", 1, true)];
        for (domain, hours, due) in cases {
            assert_eq!(is_lookup_due(Some(&found), domain, at(hours)), due, "{domain} {hours}");
        }
        assert_eq!(found.time_left(at(400)), Some(600 * HOUR));
        let failed = DomainRecord::after_lookup(Some(&found), "a.example", None, at(24));
        assert_eq!((failed.expires, failed.failing_since), (Some(at(1000)), Some(at(24))));
        assert!(
            !is_lookup_due(Some(&failed), "a.example", at(29))
                && is_lookup_due(Some(&failed), "a.example", at(30))
        );
        let again = DomainRecord::after_lookup(Some(&failed), "a.example", None, at(30));
        assert_eq!(again.failing_since, Some(at(24)));
        let back = DomainRecord::after_lookup(Some(&again), "a.example", Some(at(2000)), at(36));
        assert_eq!((back.expires, back.failing_since), (Some(at(2000)), None));
        let other = DomainRecord::after_lookup(Some(&back), "b.example", None, at(37));
        assert_eq!((other.expires, other.time_left(at(37))), (None, None));
    }
}
