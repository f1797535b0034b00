//! The secrets of probes: keys that sign requests, and secrets in configured headers.

use heapbeat_shared::signing::Secret;
use worker::Env;

use crate::domain::ProbeSkipped;
use crate::domain::report::last_report::LastReport;
use crate::domain::report::verification::SigningKey;
use crate::monitor_config::{DEFAULT_SECRET, HeaderValue, Monitor, Target};
use crate::platform::bindings::read_text;
use crate::probe::ProbeHeader;
use crate::settings::read_secret;

/// Returns the key that signs a monitor's requests, or why it is missing; `None` if they are not signed. A response has to be signed
/// if the monitor names a secret, or has sent a signed report before.
pub(super) fn read_signing_key(
    env: &Env,
    monitor: &Monitor,
    last_report: Option<&LastReport>,
) -> Option<Result<SigningKey, ProbeSkipped>> {
    let Target::Heapbeat { secret: named, .. } = &monitor.target else { return None };
    let Some(text) = read_text(env, named.as_ref().map_or(DEFAULT_SECRET, |name| name.as_str())) else {
        return named.is_some().then_some(Err(ProbeSkipped::Secret));
    };
    Some(match Secret::new(&text) {
        Ok(secret) => Ok(SigningKey {
            secret,
            after: last_report.and_then(|report| report.cursor),
            required: named.is_some() || last_report.is_some(),
        }),
        Err(_) => Err(ProbeSkipped::Secret),
    })
}

/// Returns the configured headers of a monitor, or that a secret is missing; `None` if it has none.
pub(super) fn read_headers(env: &Env, monitor: &Monitor) -> Option<Result<Vec<ProbeHeader>, ProbeSkipped>> {
    let Target::Http(check) = &monitor.target else { return None };
    let headers = check.headers.iter().map(|header| {
        let name = header.name.clone();
        match &header.value {
            HeaderValue::Literal(value) => Ok(ProbeHeader { name, value: value.clone() }),
            HeaderValue::Secret { name: secret, prefix } => {
                let text = read_secret(env, secret).filter(|text| !text.is_empty());
                let text = text.ok_or(ProbeSkipped::Secret)?;
                Ok(ProbeHeader { name, value: format!("{prefix}{text}") })
            }
        }
    });
    (!check.headers.is_empty()).then(|| headers.collect())
}
