//! From the result of a probe to a verdict, by the monitor's conditions.

use heapbeat_monitors::condition::{Condition, EvalContext, ObservedBody, Outcome, Placeholder};
use heapbeat_shared::{Health, HealthError, Statement};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::check::failed_condition::FailedCondition;
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};
use crate::domain::check::threshold::CheckResult;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::{Monitor, MonitorKind};

/// The verdict of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub enum CheckVerdict {
    /// Every condition holds.
    #[n(0)]
    Up,
    /// A `degraded` condition fails.
    #[n(1)]
    Degraded(#[n(0)] Failure),
    /// A condition fails, or there is no response.
    #[n(2)]
    Failed(#[n(0)] Failure),
    /// The edge could not probe.
    #[n(3)]
    Skipped(#[n(0)] ProbeSkipped),
}

impl CheckVerdict {
    /// The result that counts towards the state; `None` if the probe was skipped.
    pub fn check_result(self) -> Option<CheckResult> {
        match self {
            CheckVerdict::Up => Some(CheckResult::Up),
            CheckVerdict::Degraded(_) => Some(CheckResult::Degraded),
            CheckVerdict::Failed(_) => Some(CheckResult::Failed),
            CheckVerdict::Skipped(_) => None,
        }
    }

    /// Why the edge could not probe; `None` if it could.
    pub fn skipped(self) -> Option<ProbeSkipped> {
        match self {
            CheckVerdict::Skipped(reason) => Some(reason),
            CheckVerdict::Up | CheckVerdict::Degraded(_) | CheckVerdict::Failed(_) => None,
        }
    }

    /// The verdict as a statement for the public; `None` for a success.
    pub fn statement(self) -> Option<Statement> {
        match self {
            CheckVerdict::Up => None,
            CheckVerdict::Degraded(failure) | CheckVerdict::Failed(failure) => Some(failure.statement()),
            CheckVerdict::Skipped(reason) => Some(reason.statement()),
        }
    }
}

/// The verdict of a probe, with the figures of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The verdict.
    pub verdict: CheckVerdict,
    /// The latency of the response, in milliseconds.
    pub latency_ms: Option<u32>,
    /// The body of `/health`, for heapbeat monitors.
    pub health: Option<Health>,
}

/// Evaluates the conditions of `monitor` on the result of a probe.
///
/// Without a response the verdict is the reason for that, except for a monitor that expects none by a condition on `[CONNECTED]`.
/// The response of a heapbeat monitor must also be that of `/health`.
pub fn evaluate(monitor: &Monitor, result: &Result<ProbeResponse, ProbeError>) -> Evaluation {
    match result {
        Ok(response) => evaluate_response(monitor, response),
        Err(ProbeError::Skipped(reason)) => without_response(CheckVerdict::Skipped(*reason)),
        Err(ProbeError::Failed(_)) if expects_no_response(monitor) => without_response(CheckVerdict::Up),
        Err(ProbeError::Failed(failure)) => without_response(CheckVerdict::Failed(*failure)),
    }
}

/// Whether the probe failed in a way that another attempt may cure.
pub fn should_retry(monitor: &Monitor, result: &Result<ProbeResponse, ProbeError>) -> bool {
    matches!(evaluate(monitor, result).verdict, CheckVerdict::Failed(_))
}

/// Whether the monitor's conditions hold without a response.
fn expects_no_response(monitor: &Monitor) -> bool {
    matches!(monitor.kind(), MonitorKind::Http | MonitorKind::Tcp | MonitorKind::Dns)
        && monitor.conditions.iter().any(|condition| condition.uses(Placeholder::Connected))
        && first_failed(
            monitor,
            &monitor.conditions,
            &EvalContext::new(Outcome::UNREACHED),
            &ResponseBody::Unread,
        )
        .is_none()
}

/// Returns the first of `conditions` that does not hold, as a failure. What a target says to a request with a secret is not quoted, as a
/// failure is public.
fn first_failed(
    monitor: &Monitor,
    conditions: &[Condition],
    context: &EvalContext<'_>,
    body: &ResponseBody,
) -> Option<Failure> {
    let condition = conditions.iter().find(|condition| !condition.holds(context))?;
    let observed = context.outcome;
    let uses = |placeholder| condition.uses(placeholder);
    Some(match body {
        ResponseBody::Unusable(failure) if uses(Placeholder::Body) => *failure,
        _ if observed.connected && uses(Placeholder::Status) => Failure::Status(observed.status),
        _ if observed.connected && uses(Placeholder::ResponseTime) => Failure::Slow(observed.millis()),
        _ if !monitor.secrets().is_empty() => Failure::Condition(FailedCondition::new(condition.as_str())),
        _ => Failure::Condition(FailedCondition::new(&condition.evaluate(context).description)),
    })
}

fn evaluate_response(monitor: &Monitor, response: &ProbeResponse) -> Evaluation {
    let body = match &response.body {
        ResponseBody::Whole(bytes) => ObservedBody::Whole(bytes),
        ResponseBody::Unread => ObservedBody::Whole(b""),
        ResponseBody::Unusable(_) => ObservedBody::Unusable,
    };
    let outcome = Outcome { connected: true, status: response.status, duration: response.latency, body };
    let context = EvalContext::new(outcome)
        .with_headers(&response.headers)
        .with_dns_rcode(response.dns_rcode)
        .with_domain_expiration(response.domain_left_ms);
    let health = match monitor.kind() {
        MonitorKind::Http | MonitorKind::Tcp | MonitorKind::Dns | MonitorKind::Heartbeat => Ok(None),
        MonitorKind::Heapbeat => parse_health(&response.body).map(Some),
    };
    let failed = |conditions| first_failed(monitor, conditions, &context, &response.body);
    // A 500 with an error page is a 500 first, and not JSON second.
    let verdict = match (failed(&monitor.conditions), &health) {
        (Some(failure), _) => CheckVerdict::Failed(failure),
        (None, Err(failure)) => CheckVerdict::Failed(*failure),
        (None, Ok(_)) => failed(&monitor.degraded).map_or(CheckVerdict::Up, CheckVerdict::Degraded),
    };
    Evaluation { verdict, latency_ms: Some(outcome.millis()), health: health.ok().flatten() }
}

/// The evaluation of a probe without figures.
fn without_response(verdict: CheckVerdict) -> Evaluation {
    Evaluation { verdict, latency_ms: None, health: None }
}

/// Parses the body as that of `/health`.
fn parse_health(body: &ResponseBody) -> Result<Health, Failure> {
    let bytes = match body {
        ResponseBody::Whole(bytes) => bytes.as_slice(),
        ResponseBody::Unread => &[],
        ResponseBody::Unusable(failure) => return Err(*failure),
    };
    Health::parse(bytes).map_err(|error| match error {
        HealthError::TooLong { .. } => Failure::BodyTooLarge,
        HealthError::Malformed(error) if error.is_data() => Failure::NotHealth,
        HealthError::Malformed(_) => Failure::NotJson,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::check::body_encoding::BodyEncoding;
    use crate::monitor_config::MonitorConfig;

    const HEALTH: &str =
        r#"{"status":"healthy","memory":{"rss":1,"heapUsed":2,"heapTotal":3,"external":4},"uptime":5}"#;

    fn monitor(kind: &str, extra: &str) -> Monitor {
        let text = format!(r#"[{{"id":"m","kind":"{kind}","url":"https://m.example"{extra}}}]"#);
        let config = MonitorConfig::parse(Some(&text), false);
        assert_eq!(config.problems, []);
        config.monitors[0].clone()
    }

    #[allow(clippy::unnecessary_wraps)] // it stands in tables beside failures
    fn answer(status: u16, millis: u64, body: ResponseBody) -> Result<ProbeResponse, ProbeError> {
        Ok(ProbeResponse::new(status, Duration::from_millis(millis), body))
    }

    fn whole(body: &str) -> ResponseBody {
        ResponseBody::Whole(body.as_bytes().to_vec())
    }

    #[test]
    fn a_heapbeat_monitor() {
        let monitor = monitor("heapbeat", r#","degraded":["[RESPONSE_TIME] < 100"]"#);
        let cases = [
            ("all is well", answer(200, 99, whole(HEALTH)), CheckVerdict::Up),
            ("slow", answer(200, 100, whole(HEALTH)), CheckVerdict::Degraded(Failure::Slow(100))),
            ("an error page", answer(500, 1, whole("<html>")), CheckVerdict::Failed(Failure::Status(500))),
            (
                "an error in the contract's shape",
                answer(503, 1, whole(HEALTH)),
                CheckVerdict::Failed(Failure::Status(503)),
            ),
            ("a page", answer(200, 1, whole("<html>")), CheckVerdict::Failed(Failure::NotJson)),
            ("nothing", answer(200, 1, whole("")), CheckVerdict::Failed(Failure::NotJson)),
            ("cut short", answer(200, 1, whole(&HEALTH[..50])), CheckVerdict::Failed(Failure::NotJson)),
            ("other JSON", answer(200, 1, whole(r#"{"ok":true}"#)), CheckVerdict::Failed(Failure::NotHealth)),
            (
                "a flood",
                answer(200, 1, ResponseBody::Unusable(Failure::BodyTooLarge)),
                CheckVerdict::Failed(Failure::BodyTooLarge),
            ),
            (
                "refused",
                Err(Failure::ConnectionRefused.into()),
                CheckVerdict::Failed(Failure::ConnectionRefused),
            ),
            ("our own fault", Err(ProbeSkipped::Budget.into()), CheckVerdict::Skipped(ProbeSkipped::Budget)),
        ];
        for (name, result, verdict) in cases {
            assert_eq!(evaluate(&monitor, &result).verdict, verdict, "{name}");
        }
        let evaluation = evaluate(&monitor, &answer(503, 7, whole(HEALTH)));
        assert_eq!(evaluation.latency_ms, Some(7));
        assert_eq!(evaluation.health.unwrap().uptime, 5, "the figures of a failing server are figures");
    }

    #[test]
    fn an_http_monitor_may_want_any_status_or_none_at_all() {
        let teapot = monitor("http", r#","conditions":["[STATUS] == 418"]"#);
        assert_eq!(evaluate(&teapot, &answer(418, 1, ResponseBody::Unread)).verdict, CheckVerdict::Up);
        assert_eq!(
            evaluate(&teapot, &answer(200, 1, ResponseBody::Unread)).verdict,
            CheckVerdict::Failed(Failure::Status(200))
        );
        let worded = monitor("http", r#","conditions":["[BODY].status == UP","len([BODY].jobs) < 3"]"#);
        let failed = |shown| CheckVerdict::Failed(Failure::Condition(FailedCondition::new(shown)));
        let cases = [
            (r#"{"status":"UP","jobs":[1,2]}"#, CheckVerdict::Up),
            (r#"{"status":"DOWN","jobs":[]}"#, failed("[BODY].status (DOWN) == UP")),
            (r#"{"status":"UP","jobs":[1,2,3]}"#, failed("len([BODY].jobs) (3) < 3")),
            ("<html>", failed("[BODY].status (not JSON: <html>) == UP")),
        ];
        for (body, verdict) in cases {
            assert_eq!(evaluate(&worded, &answer(200, 1, whole(body))).verdict, verdict, "{body}");
        }
        let flood = CheckVerdict::Failed(Failure::BodyTooLarge);
        assert_eq!(
            evaluate(&worded, &answer(200, 1, ResponseBody::Unusable(Failure::BodyTooLarge))).verdict,
            flood
        );
        let encoded = Failure::Undecodable(BodyEncoding::Zstd);
        let response = answer(200, 1, ResponseBody::Unusable(encoded));
        assert_eq!(evaluate(&worded, &response).verdict, CheckVerdict::Failed(encoded));
        assert_eq!(evaluate(&teapot, &response).verdict, CheckVerdict::Failed(Failure::Status(200)));
        let secret =
            r#","conditions":["[BODY].status == UP"],"headers":{"authorization":{"secret":"TOKEN"}}"#;
        let private = answer(200, 1, whole(r#"{"status":"balance of J. Doe"}"#));
        assert_eq!(evaluate(&monitor("http", secret), &private).verdict, failed("[BODY].status == UP"));
        let closed = monitor("http", r#","conditions":["[CONNECTED] == false"]"#);
        assert_eq!(evaluate(&closed, &Err(Failure::ConnectionRefused.into())).verdict, CheckVerdict::Up);
        assert_eq!(
            evaluate(&closed, &answer(200, 1, ResponseBody::Unread)).verdict,
            failed("[CONNECTED] (true) == false")
        );
    }
}
