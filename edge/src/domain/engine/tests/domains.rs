//! The expiration of domains: kept with the monitor, and told to the owner if nobody knows it.

use super::*;
use crate::domain::check::domain_record::DomainRecord;

#[test]
fn an_expiration_that_is_not_known_is_a_problem_and_no_outage() {
    let text = r#"[{"id":"api","kind":"http","url":"https://api.example.com","conditions":["[STATUS] == 200","[DOMAIN_EXPIRATION] > 720h"]}]"#;
    let config = MonitorConfig::parse(Some(text), false);
    assert_eq!(config.problems, []);
    let hour = 3_600_000;
    let probe = |minute: i64, found: Option<i64>, before: Option<&DomainRecord>| {
        let now = UnixMillis(minute * MINUTE);
        let found = found.map(|hours| UnixMillis(now.0 + hours * hour));
        let record = DomainRecord::after_lookup(before, "example.com", found, now);
        let response = ProbeResponse {
            domain_left_ms: record.time_left(now),
            domain: Some(record),
            ..ProbeResponse::new(200, Duration::from_millis(9), ResponseBody::Unread)
        };
        ProbeResult { result: Ok(response), ..probed("api", minute, Found::Down) }
    };
    let mut engine = Engine::default();
    let shown = |engine: &Engine, minute: i64| {
        let mut snapshot = engine.snapshot(&config, UnixMillis(minute * MINUTE));
        let reason = snapshot.monitors[0].reason.take().map(|reason| reason.text);
        (snapshot.monitors[0].state, reason, snapshot.problems.len())
    };

    let _ = engine.apply_tick(&config, tick(0), &[probe(0, None, None)]);
    assert_eq!(shown(&engine, 0), (State::Up, None, 1));
    let reason = &engine.snapshot(&config, UnixMillis(0)).problems[0].reason;
    assert!(
        reason.contains("`example.com` cannot be looked up by RDAP since 1970-01-01T00:00:00Z"),
        "{reason}"
    );

    let _ = engine.apply_tick(&config, tick(1), &[probe(1, Some(721), None)]);
    assert_eq!(shown(&engine, 1), (State::Up, None, 0));
    let known = engine.domain_record("example.com").unwrap().clone();
    let _ = engine.apply_tick(&config, tick(2), &[probe(2, Some(100), Some(&known))]);
    let reason = "condition failed: [DOMAIN_EXPIRATION] (100h) > 720h".to_owned();
    assert_eq!(shown(&engine, 2), (State::Down, Some(reason), 0));
    let stored = heapbeat_shared::codec::decode::<PersistedStates>(&engine.encode_states()).unwrap();
    assert_eq!(
        stored[0].1.domain.as_ref().and_then(|record| record.time_left(UnixMillis(2 * MINUTE))),
        Some(100 * hour)
    );
}
