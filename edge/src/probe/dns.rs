//! The probe of a `dns` monitor: a query by HTTPS.

use std::time::Duration;

use wasm_bindgen::JsValue;
use web_sys::AbortSignal;

use super::fetch_error::{TcpCheck, classify_error, explain_error};
use super::request::USER_AGENT;
use crate::domain::check::dns_answer::{MAX_ANSWER, read_dns_answer};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::{DnsQuery, is_private_host};
use crate::platform::body::read_body;
use crate::platform::clock::wall_clock;
use crate::platform::deadline::run_within;
use crate::platform::fetch::OutgoingRequest;
use crate::platform::url::WebUrl;

/// Asks the resolver within `timeout`.
pub(super) async fn probe_dns(
    query: &DnsQuery,
    timeout: Duration,
    allow_private: bool,
) -> Result<ProbeResponse, ProbeError> {
    let asking = async |signal: &AbortSignal| ask_resolver(query, allow_private, signal).await;
    let answer = run_within(timeout, Result::is_ok, asking).await.map_err(|_| ProbeSkipped::Platform)?;
    answer.unwrap_or_else(|| Err(Failure::Timeout.into()))
}

async fn ask_resolver(
    query: &DnsQuery,
    allow_private: bool,
    signal: &AbortSignal,
) -> Result<ProbeResponse, ProbeError> {
    let resolver = query.resolver.as_str();
    let separator = if resolver.contains('?') { '&' } else { '?' };
    // The name has letters, digits, dots, `-` and `_` only.
    let url = format!("{resolver}{separator}name={}&type={}", query.name, query.record_type);
    let url = WebUrl::parse(&url).ok_or(Failure::Dns)?;
    if !allow_private && is_private_host(&url.host) {
        return Err(Failure::PrivateAddress.into());
    }
    let headers = [("user-agent", USER_AGENT), ("accept", "application/dns-json")];
    let request =
        OutgoingRequest::new("GET", headers, &JsValue::UNDEFINED).map_err(|_| ProbeSkipped::Platform)?;
    let began = wall_clock();
    let explain = |error: worker::Error| explain_error(classify_error(&error.to_string()), TcpCheck::Skipped);
    let response = request.send(&url.href, signal).await.map_err(explain)?;
    let latency = wall_clock().since(began);
    let status = response.status();
    let body = read_body(&response, MAX_ANSWER).await.map_err(explain)?;
    // Without an answer nothing is known of the name, but the lookup failed.
    let answer = body.filter(|_| status == 200).and_then(|body| read_dns_answer(&body, query.record_type));
    let answer = answer.ok_or(Failure::Dns)?;
    let body = ResponseBody::Whole(answer.value.into_bytes());
    Ok(ProbeResponse { dns_rcode: Some(answer.rcode), ..ProbeResponse::new(0, latency, body) })
}
