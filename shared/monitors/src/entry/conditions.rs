//! Parses the conditions of an entry, and reports those that can never hold.

use std::time::Duration;

use crate::condition::{Condition, Placeholder, ValueLimits, find_impossible};
use crate::field::FieldReader;
use crate::{Monitor, MonitorKind};

/// Parses `conditions` and `degraded`. `longest` is the longest response time of the monitor, or the longest run of a job.
pub(super) fn parse_conditions(
    kind: Option<MonitorKind>,
    longest: Option<Duration>,
    fields: &mut FieldReader<'_>,
) -> Option<(Vec<Condition>, Vec<Condition>)> {
    let conditions = parse_required(kind, fields);
    let degraded = fields.list("degraded", &[], parse_condition);
    let (conditions, degraded, kind) = (conditions?, degraded?, kind?);
    let mut available = report_unavailable("conditions", kind, &conditions, fields);
    available &= report_unavailable("degraded", kind, &degraded, fields);
    if let Some(longest) = longest.filter(|_| available) {
        report_impossible(kind, (&conditions, &degraded), longest, fields);
    }
    Some((conditions, degraded))
}

fn parse_required(kind: Option<MonitorKind>, fields: &mut FieldReader<'_>) -> Option<Vec<Condition>> {
    let default: &[&str] = match kind {
        Some(MonitorKind::Tcp) => &["[CONNECTED] == true"],
        Some(MonitorKind::Dns) => &["[DNS_RCODE] == NOERROR"],
        Some(MonitorKind::Heartbeat) => &[],
        _ => &["[STATUS] == 200"],
    };
    let given = fields.contains("conditions");
    let conditions = fields.list("conditions", default, parse_condition)?;
    match kind {
        Some(MonitorKind::Heartbeat) if given => {
            let reason =
                "a heartbeat reports success or failure itself, so it has no conditions; remove this setting";
            fields.report("conditions", reason.to_owned());
        }
        Some(_) if given && conditions.is_empty() => {
            fields
                .report("conditions", format!("the list is empty; remove it to use the default {default:?}"));
        }
        _ => {}
    }
    Some(conditions)
}

/// Reports conditions on placeholders that this kind of monitor does not have. Returns whether there are none.
fn report_unavailable(
    list: &str,
    kind: MonitorKind,
    conditions: &[Condition],
    fields: &mut FieldReader<'_>,
) -> bool {
    let mut available = true;
    for (index, condition) in conditions.iter().enumerate() {
        let reason = condition.placeholders().find_map(|placeholder| match (kind, placeholder) {
            (MonitorKind::Tcp, Placeholder::Status) => Some("a TCP connection has no [STATUS]"),
            (MonitorKind::Tcp, Placeholder::Body) => {
                Some("a TCP connection has no [BODY], as nothing is sent or read")
            }
            (MonitorKind::Tcp, Placeholder::Header) => Some("a TCP connection has no [HEADER]"),
            (MonitorKind::Dns, Placeholder::Status | Placeholder::Header) => {
                Some("a DNS query has neither [STATUS] nor [HEADER]; use [DNS_RCODE] and [BODY]")
            }
            (MonitorKind::Http | MonitorKind::Heapbeat | MonitorKind::Tcp, Placeholder::DnsRcode) => {
                Some("only a monitor of kind dns has [DNS_RCODE]")
            }
            (MonitorKind::Heartbeat, Placeholder::ResponseTime) => None,
            (MonitorKind::Heartbeat, _) => {
                Some("the only placeholder of a heartbeat is [RESPONSE_TIME], the time from start to success")
            }
            _ => None,
        });
        if let Some(reason) = reason {
            fields.report(&format!("{list}[{index}]"), reason.to_owned());
            available = false;
        }
    }
    available
}

/// Reports a condition that can never hold, alone or with those before it. The `degraded` ones are evaluated only if all `conditions` hold.
fn report_impossible(
    kind: MonitorKind,
    (conditions, degraded): (&[Condition], &[Condition]),
    response_time: Duration,
    fields: &mut FieldReader<'_>,
) {
    let asks_for_connection = conditions.iter().any(|condition| condition.uses(Placeholder::Connected));
    let without_response =
        asks_for_connection && matches!(kind, MonitorKind::Http | MonitorKind::Tcp | MonitorKind::Dns);
    let limits = ValueLimits { response_time, without_response };
    let references: Vec<_> = conditions.iter().collect();
    if let Some(found) = find_impossible(&references, limits) {
        fields.report(&format!("conditions[{}]", found.position), found.reason);
        return;
    }
    let all: Vec<_> = conditions.iter().chain(degraded).collect();
    let with_response = ValueLimits { without_response: false, ..limits };
    if let Some(found) =
        find_impossible(&all, with_response).filter(|found| found.position >= conditions.len())
    {
        fields.report(&format!("degraded[{}]", found.position - conditions.len()), found.reason);
    }
}

/// Reports a condition on the expiration of a domain where there is none.
pub(super) fn report_missing_domain(monitor: &Monitor, fields: &mut FieldReader<'_>) {
    let lists = [("conditions", &monitor.conditions), ("degraded", &monitor.degraded)];
    for (list, conditions) in lists {
        let found = conditions.iter().position(|condition| condition.uses(Placeholder::DomainExpiration));
        if let Some(index) = found.filter(|_| monitor.domain().is_none()) {
            let reason = "[DOMAIN_EXPIRATION] needs a target with a public domain name".to_owned();
            fields.report(&format!("{list}[{index}]"), reason);
        }
    }
}

fn parse_condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
}
