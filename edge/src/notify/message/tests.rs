use super::*;
use crate::domain::Failure;
use crate::domain::incident::cause::Cause;
use crate::domain::incident::notification::EndReason;
use heapbeat_shared::Statement;

fn minute(n: i64) -> UnixMillis {
    UnixMillis(1_767_225_600_000 + n * 60_000)
}

fn outage() -> Incident {
    let mut incident = Incident::new("api".parse().unwrap(), minute(0), Severity::Down);
    incident.cause = Cause::Failing(Failure::ConnectionRefused);
    incident
}

fn news(incident: &Incident, reason: NotificationReason) -> IncidentNews<'_> {
    IncidentNews { incident, name: "API", reason, told: None, is_latest: true, is_channel: true, behind: &[] }
}

fn render(news: &IncidentNews<'_>, at: i64) -> Message {
    Message::about_incident(news, "key".into(), minute(at), Some("https://status.example/"))
}

#[test]
fn a_message_says_the_cause_since_when_and_for_how_long_each_state_held() {
    let mut incident = outage();
    let opened = render(&news(&incident, NotificationReason::Opened), 0);
    assert_eq!(opened.title, "API is down: connection refused");
    assert_eq!(opened.text, "Cause: connection refused.\nSince 2026-01-01T00:00:00Z.");
    assert_eq!(opened.link.as_deref(), Some("https://status.example/monitors/api"));

    incident.phases.begin(minute(3), Severity::Degraded.into());
    incident.current = Some(Severity::Degraded);
    incident.cause = Cause::Failing(Failure::Slow(900));
    let told = Some(Severity::Down);
    let better = render(&IncidentNews { told, ..news(&incident, NotificationReason::Better) }, 5);
    assert_eq!(better.severity, Severity::Degraded, "what is so now");
    assert!(better.title.starts_with("API is degraded: "), "{}", better.title);
    assert!(better.text.contains("\nIt was down before."), "{}", better.text);

    incident.close(minute(34));
    let recovered = render(&news(&incident, NotificationReason::Recovered), 34);
    assert_eq!((recovered.title.as_str(), recovered.severity), ("API has recovered", Severity::Down));
    assert!(recovered.text.contains("From 2026-01-01T00:00:00Z to 2026-01-01T00:34:00Z (34 min)."));
    assert!(recovered.text.contains("Down for 3 min, degraded for 31 min."), "{}", recovered.text);
}

#[test]
fn an_end_that_is_no_recovery_says_why() {
    let incident = outage();
    let cases = [
        (EndReason::Resolved, true, "API: resolved manually"),
        (EndReason::Maintenance, true, "API: scheduled maintenance began"),
        (EndReason::Removed, true, "API: monitor removed from the configuration"),
        (EndReason::Elsewhere, true, "API: its alerts no longer go to this channel"),
        (EndReason::Elsewhere, false, "API: no further notifications about this monitor"),
    ];
    for (reason, is_channel, title) in cases {
        let news = IncidentNews { is_channel, ..news(&incident, NotificationReason::Ended(reason)) };
        assert_eq!(render(&news, 9).title, title);
    }
    let subscriber = IncidentNews {
        is_channel: false,
        ..news(&incident, NotificationReason::Ended(EndReason::Elsewhere))
    };
    assert!(
        !render(&subscriber, 9).text.contains("refused"),
        "a stranger learns nothing about a private monitor"
    );
}

#[test]
fn text_of_others_is_one_line_and_bounded() {
    let mut incident = outage();
    incident.evidence = (0..9).map(|_| Statement::note(&"x\r\ny".repeat(100))).collect();
    let names: Vec<String> = (0..90).map(|n| format!("monitor {n}\n")).collect();
    let behind: Vec<&str> = names.iter().map(String::as_str).collect();
    let news = IncidentNews { name: "A\nPI", behind: &behind, ..news(&incident, NotificationReason::Opened) };
    let message = render(&news, 1);
    assert_eq!(message.title, "A PI is down: connection refused");
    assert!(message.text.len() <= 1500 && !message.text.contains('\r'), "{}", message.text);
    assert!(message.text.contains("90 monitors that depend on it are affected: monitor 0 , monitor 1 "));
    assert!(message.text.contains(" more."), "{}", message.text);
}
