//! Asks the server and the edge.

use std::time::{Duration, SystemTime};

use heapbeat_shared::signing::Secret;
use serde_json::Value;
use ureq::Agent;

use super::findings::{Answers, EdgeAnswer, ServerAnswer, ServerFailure, version_of};
use crate::clock::wall_time;
use crate::http_client::{build_http_client, describe_failure, read_reason, without_userinfo};
use crate::inspect::{InspectTarget, TargetError, measure_once, parse_health_address};

/// Longest wait for a response: an instance that sleeps has to wake first.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Size limit of a document of the edge, in bytes.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// Gathers the answers of a server and an edge; neither is asked that was not given.
pub(super) fn gather(url: Option<&str>, edge: Option<&str>, secret: Option<Secret>) -> Answers {
    let agent = build_http_client(TIMEOUT);
    let skew_seconds = url.and_then(|url| measure_skew(&agent, url));
    let has_secret = secret.is_some();
    let server = url.map(|url| ask_server(url, secret));
    let now = wall_time();
    Answers { has_secret, skew_seconds, server, edge: edge.map(|edge| ask_edge(&agent, edge)), now }
}

/// Asks the server for its report, or for the public figures.
fn ask_server(url: &str, secret: Option<Secret>) -> Result<ServerAnswer, ServerFailure> {
    let target = InspectTarget::Url { url: url.to_owned(), secret: secret.map(Box::new) };
    let snapshot = measure_once(&target).map_err(|error| ServerFailure {
        text: error.to_string(),
        status: match error {
            TargetError::Status { status, .. } => Some(status),
            _ => None,
        },
    })?;
    Ok(ServerAnswer {
        target: snapshot.target,
        is_signed: snapshot.version.is_some(),
        note: snapshot.note,
        rss: snapshot.sample.rss,
        limit: snapshot.limit,
        version: snapshot.version,
        unavailable_sources: snapshot.unavailable_sources,
    })
}

/// Returns by how many seconds the server's clock is ahead of this one, if its response states a time. Asks `/health`, which does not
/// wait for the program.
fn measure_skew(agent: &Agent, url: &str) -> Option<i64> {
    let url = parse_health_address(url).ok()?.url;
    let before = wall_time();
    let response = agent.get(url).call().ok()?;
    let after = wall_time();
    let date = response.headers().get("date")?.to_str().ok()?;
    let date = httpdate::parse_http_date(date).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let stated = i64::try_from(date.as_millis()).ok()?;
    // The time is stated in whole seconds, somewhere between the request and the response.
    let middle = i64::midpoint(before.0, after.0);
    Some((stated + 500 - middle) / 1000)
}

/// Asks the edge for its status, and for the version in its description of the API.
fn ask_edge(agent: &Agent, edge: &str) -> Result<EdgeAnswer, String> {
    let mut answer =
        read_json(agent, edge, "/api/v1/status").and_then(|(url, status)| EdgeAnswer::parse(url, &status))?;
    let openapi = read_json(agent, edge, "/api/v1/openapi.json");
    answer.version = openapi.ok().and_then(|(_, openapi)| version_of(&openapi));
    Ok(answer)
}

/// Reads a document of the edge. Returns it with its address.
fn read_json(agent: &Agent, edge: &str, path: &str) -> Result<(String, Value), String> {
    let address = format!("{}{path}", edge.trim_end_matches('/'));
    let url = without_userinfo(&address).to_owned();
    let mut response = agent
        .get(&address)
        .call()
        .map_err(|error| format!("{url} does not answer: {}", describe_failure(&error)))?;
    if response.status() != 200 {
        let reason = read_reason(response.body_mut()).map(|reason| format!(": {reason}")).unwrap_or_default();
        return Err(format!("{url} answered {}{reason}", response.status().as_u16()));
    }
    let body = response.body_mut().with_config().limit(MAX_DOCUMENT_BYTES).read_to_vec();
    let body = body.map_err(|error| format!("{url} does not answer: {error}"))?;
    let document =
        serde_json::from_slice(&body).map_err(|_| format!("{url} is not the status of an edge"))?;
    Ok((url, document))
}
