//! Coverage of young monitors and of jobs, and time that is unobserved because of the target's zone.

use super::*;
use crate::domain::check::quorum::RegionVerdict;
use crate::domain::heartbeat::{JobSignal, JobState, check_job};
use crate::domain::instant::rfc3339;
use crate::monitor_config::Target;

const DAY: i64 = 1440;

#[test]
fn a_monitor_of_five_minutes_is_covered_since_it_exists() {
    let config = config(&["api"]);
    let mut engine = Engine::default();
    for minute in 100..105 {
        let _ = engine.apply_tick(&config, tick(minute), &[probed("api", minute, Found::Up(minute))]);
    }
    let snapshot = engine.snapshot(&config, UnixMillis(104 * MINUTE));
    for uptime in &snapshot.monitors[0].uptime {
        let since = uptime.since.map(rfc3339);
        assert_eq!((uptime.percent, uptime.coverage), (Some(100.0), 100.0), "{uptime:?}");
        assert_eq!(since.as_deref(), Some("1970-01-01T01:40:00Z"));
        assert_eq!(uptime.observed, Duration::from_secs(240));
    }
}

#[test]
fn a_daily_job_on_time_covers_its_day() {
    let text = r#"[{"id":"job","kind":"heartbeat","schedule":"0 3 * * *"}]"#;
    let config = MonitorConfig::parse(Some(text), false);
    let Target::Heartbeat(job) = &config.monitors[0].target else { panic!("a job: {:?}", config.problems) };
    let (mut engine, mut state) = (Engine::default(), None);
    for minute in 0..=3 * DAY {
        let at = UnixMillis(minute * MINUTE);
        if minute % DAY == 182 {
            state = Some(JobState::after_signal(state.as_ref(), job, JobSignal::Success, at, |_| 0));
        }
        let result = check_job(state.as_ref(), job, at, |_| 0, Vec::new);
        let probe = ProbeResult { monitor: "job".parse().unwrap(), received: at, result };
        let _ = engine.apply_tick(&config, tick(minute), &[probe]);
    }
    let now = UnixMillis(3 * DAY * MINUTE);
    let uptime = engine.snapshot(&config, now).monitors.remove(0).uptime;
    let shown: Vec<_> = uptime.iter().map(|it| (it.percent, it.coverage, it.since.is_some())).collect();
    let full = (Some(100.0), 100.0);
    assert_eq!(shown, [(full.0, full.1, false), (full.0, full.1, true), (full.0, full.1, true)]);
    let days = engine.days(&"job".parse().unwrap(), now);
    let shown: Vec<_> = days[86..89].iter().map(|day| (day.percent, day.coverage)).collect();
    assert_eq!(shown, [full, full, full], "also the day of the first report, since that report");
}

#[test]
fn an_answer_of_cloudflare_in_the_targets_place_is_no_outage_of_a_monitor_that_never_was_up() {
    let own_zone = |minute: i64| ProbeResult {
        result: Err(ProbeSkipped::OwnZone(522).into()),
        ..probed("api", minute, Found::Down)
    };
    let region = |verdict| {
        vec![(
            "api".parse().unwrap(),
            vec![RegionVerdict { region: "weur", verdict: Some(verdict), latency_ms: None }],
        )]
    };
    let text = r#"[{"id":"api","kind":"http","url":"https://api.example","regions":["weur"]}]"#;
    let config = MonitorConfig::parse(Some(text), false);
    let skipped = CheckVerdict::Skipped(ProbeSkipped::OwnZone(522));
    let http = |minute: i64| ProbeResult {
        result: Ok(ProbeResponse::new(200, Duration::from_millis(9), ResponseBody::Unread)),
        ..probed("api", minute, Found::Down)
    };

    let mut engine = Engine::default();
    engine.set_region_verdicts(region(skipped));
    let _ = engine.apply_tick(&config, tick(0), &[own_zone(0)]);
    let shown = engine.snapshot(&config, UnixMillis(0)).monitors.remove(0);
    assert_eq!(shown.state, State::Unobserved);
    assert_eq!(shown.reason.unwrap().code, "skipped-own-zone");

    // A region that finds an outage decides.
    engine.set_region_verdicts(region(CheckVerdict::Failed(Failure::Status(500))));
    let _ = engine.apply_tick(&config, tick(1), &[own_zone(1)]);
    assert_eq!(engine.snapshot(&config, UnixMillis(MINUTE)).monitors[0].state, State::Down);

    // Once it was up, its zone is no reason.
    let mut engine = Engine::default();
    engine.set_region_verdicts(region(CheckVerdict::Up));
    let _ = engine.apply_tick(&config, tick(0), &[http(0)]);
    engine.set_region_verdicts(region(skipped));
    let _ = engine.apply_tick(&config, tick(1), &[own_zone(1)]);
    let shown = engine.snapshot(&config, UnixMillis(MINUTE)).monitors.remove(0);
    assert_eq!((shown.state, shown.reason.unwrap().code.as_str()), (State::Down, "connect-timeout"));
}
