//! Measures a heapbeat server over HTTP.

use std::time::Duration;

use heapbeat_forecast::{Forecaster, Point, Reset};
use heapbeat_shared::report::{Limit, MAX_REPORT, Report};
use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, RequestOrigin, Secret, SignedParts};
use heapbeat_shared::{Bytes, Cursor, Health, UnixMillis};
use ureq::http::Uri;
use ureq::{Agent, Body};

use super::snapshot::{
    FAST_GROWTH, GIVEN_LIMIT, Snapshot, heap_of, sample_from_health, update_public_forecast,
};
use super::target::TargetError;
use crate::clock::wall_time;
use crate::http_client::{
    build_http_client, describe_failure, read_reason, suggest_address, without_userinfo,
};

/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// User agent of the requests, by which a server distinguishes them from those of the edge.
const USER_AGENT: &str = concat!("heapbeat-check-memory/", env!("CARGO_PKG_VERSION"));

/// The note if the server refused the signature.
const REFUSED: &str = "The server refused the signature (401): the secrets differ, the clocks are more than a minute apart, or the server does not know this address as one of its own (HEAPBEAT_HOSTS there; its log says which).";

/// The note if the server ignored the signature.
const UNSIGNED: &str = "The server did not sign its response: it has no HEAPBEAT_SECRET.";

/// A heapbeat server.
#[derive(Debug)]
pub(super) struct ServerSource {
    agent: Agent,
    url: String,
    /// Scheme, host and port, and the path, which are signed.
    origin: RequestOrigin,
    path: String,
    secret: Option<Secret>,
    limit: Option<Bytes>,
    forecaster: Forecaster,
    /// The last sample that was received; the next report has those after it.
    cursor: Option<Cursor>,
    /// The uptime that the last public figures state, in seconds.
    uptime: u64,
}

/// Reads the address of a server, and returns it with its origin.
pub(crate) fn parse_address(url: &str) -> Result<(Uri, RequestOrigin), TargetError> {
    let bad = |reason: &str| TargetError::BadUrl {
        url: without_userinfo(url).to_owned(),
        reason: reason.to_owned(),
    };
    let no_address = || bad("it cannot be read");
    let no_scheme = || match suggest_address(url) {
        Some(meant) => bad(&format!("it has to begin with http:// or https://; did you mean {meant}?")),
        None => bad("it has to begin with http:// or https://"),
    };
    let uri: Uri = url.parse().map_err(|_| if url.contains("://") { no_address() } else { no_scheme() })?;
    let scheme = uri.scheme_str().filter(|it| matches!(*it, "http" | "https")).ok_or_else(no_scheme)?;
    let authority = uri.authority().ok_or_else(no_address)?;
    if authority.as_str().contains('@') {
        return Err(bad("it may not have a user name or a password"));
    }
    let origin = format!("{scheme}://{authority}").parse().map_err(|_| no_address())?;
    Ok((uri, origin))
}

/// Where a server answers with its memory.
#[derive(Debug)]
pub(crate) struct HealthAddress {
    pub(crate) url: String,
    /// Scheme, host and port.
    origin: RequestOrigin,
    path: String,
}

/// Reads the address of a server, and adds `/health` where it has no path.
pub(crate) fn parse_health_address(url: &str) -> Result<HealthAddress, TargetError> {
    let (uri, origin) = parse_address(url)?;
    let path = match uri.path() {
        "" | "/" => "/health",
        path => path,
    };
    let url = format!(
        "{}://{}{path}",
        uri.scheme_str().unwrap_or("http"),
        uri.authority().map_or("", |it| it.as_str())
    );
    Ok(HealthAddress { url, origin, path: path.to_owned() })
}

impl ServerSource {
    pub(super) fn new(url: &str, secret: Option<Secret>, limit: Option<Bytes>) -> Result<Self, TargetError> {
        let HealthAddress { url, origin, path } = parse_health_address(url)?;
        let agent = build_http_client(TIMEOUT);
        Ok(ServerSource {
            agent,
            url,
            origin,
            path,
            secret,
            limit,
            forecaster: Forecaster::new(),
            cursor: None,
            uptime: 0,
        })
    }

    pub(super) fn measure(&mut self) -> Result<Snapshot, TargetError> {
        match self.secret.clone() {
            Some(secret) => self.measure_report(&secret),
            None => self.measure_health(None),
        }
    }

    /// Requests the report. If the server has no secret or a different one, returns the public figures with a note on the reason.
    fn measure_report(&mut self, secret: &Secret) -> Result<Snapshot, TargetError> {
        let nonce = random_nonce()?;
        let now = wall_time();
        let after = self.cursor.map_or_else(String::new, |cursor| format!("?after={cursor}"));
        let target = format!("{}{after}", self.path);
        let parts = SignedParts { method: "GET", origin: &self.origin, target: &target };
        let signature = secret.sign_request(parts, now, nonce).to_string();
        let request = self
            .agent
            .get(format!("{}{after}", self.url))
            .header(HEADER, signature)
            .header("user-agent", USER_AGENT);
        let (body, header) = match self.read_response(request.call()) {
            Err(TargetError::Status { status: 401, .. }) => return self.measure_health(Some(REFUSED)),
            // A report does not say why nothing is served; the public answer does.
            Err(TargetError::Status { status: 503, reason, .. }) if reason.is_empty() => {
                return self.measure_health(None);
            }
            response => response?,
        };
        let Some(header) = header else { return self.health_snapshot(&body, Some(UNSIGNED)) };
        let verified = secret.verify_response(nonce, &body, &header);
        verified.map_err(|error| TargetError::Forged { url: self.url.clone(), error })?;
        let (report, series) =
            Report::parse(&body).map_err(|error| TargetError::NotReport { url: self.url.clone(), error })?;
        // Another instance has nothing to do with the growth of the one before.
        if self.cursor.is_some_and(|cursor| cursor.instance != report.instance) {
            self.forecaster = Forecaster::new();
        }
        self.cursor = report.cursor();
        let limit = report.limit.bytes;
        for sample in &series.samples {
            let point = Point { at: sample.at, total: sample.working_set, heap: heap_of(sample) };
            self.forecaster.push(point);
        }
        let reaches_limit_in = self.forecaster.time_to_limit_within(limit, FAST_GROWTH);
        let snapshot = Snapshot::from_report(self.url.clone(), now, report, series.samples);
        Ok(Snapshot { reaches_limit_in, ..snapshot })
    }

    /// Requests the public figures.
    fn measure_health(&mut self, note: Option<&str>) -> Result<Snapshot, TargetError> {
        let (body, _) = self.read_response(self.agent.get(&self.url).call())?;
        self.health_snapshot(&body, note)
    }

    fn health_snapshot(&mut self, body: &[u8], note: Option<&str>) -> Result<Snapshot, TargetError> {
        self.snapshot_at(wall_time(), body, note)
    }

    fn snapshot_at(
        &mut self,
        at: UnixMillis,
        body: &[u8],
        note: Option<&str>,
    ) -> Result<Snapshot, TargetError> {
        let health =
            Health::parse(body).map_err(|error| TargetError::NotHealth { url: self.url.clone(), error })?;
        let sample = sample_from_health(at, &health);
        // An instance that is younger is another one.
        if health.uptime < std::mem::replace(&mut self.uptime, health.uptime) {
            self.forecaster.reset(Reset::Restart);
        }
        let forecast = update_public_forecast(&mut self.forecaster, &sample, self.limit);
        let limit = self.limit.map(|bytes| Limit { bytes, origin: GIVEN_LIMIT.into() });
        let limit_bytes = limit.as_ref().map_or(Bytes(u64::MAX), |limit| limit.bytes);
        let reaches_limit_in = self.forecaster.time_to_limit_within(limit_bytes, FAST_GROWTH);
        let snapshot = Snapshot::from_health(self.url.clone(), sample, &health, limit, forecast);
        Ok(Snapshot { reaches_limit_in, note: note.map(str::to_owned), ..snapshot })
    }

    /// Returns the body of a response with status 200, and its signature if it has one.
    fn read_response(
        &self,
        response: Result<ureq::http::Response<Body>, ureq::Error>,
    ) -> Result<(Vec<u8>, Option<String>), TargetError> {
        let unreachable = |error: ureq::Error| TargetError::Unreachable {
            url: self.url.clone(),
            reason: describe_failure(&error),
        };
        let mut response = response.map_err(unreachable)?;
        let status = response.status().as_u16();
        if status != 200 {
            let reason = match status {
                404 => "there is no heapbeat server at this path".to_owned(),
                300..400 => {
                    "a redirect, which is not followed with a signature; use the final address".to_owned()
                }
                _ => read_reason(response.body_mut()).unwrap_or_default(),
            };
            return Err(TargetError::Status { url: self.url.clone(), status, reason });
        }
        let signature =
            response.headers().get(HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response
            .body_mut()
            .with_config()
            .limit(MAX_REPORT as u64 + 1)
            .read_to_vec()
            .map_err(unreachable)?;
        Ok((body, signature))
    }
}

/// Returns a random nonce.
fn random_nonce() -> Result<Nonce, TargetError> {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| TargetError::Random(error.to_string()))?;
    Ok(Nonce(bytes))
}

#[cfg(test)]
mod tests {
    use heapbeat_forecast::{MemoryPart, Verdict};

    use super::*;
    use crate::inspect::advice::{Severity, advise, worst_severity};

    /// Returns the last of the snapshots of public figures that come every second, as a server of this machine would state them.
    fn assess_public(figures: impl IntoIterator<Item = [u64; 4]>) -> Snapshot {
        let mut source = ServerSource::new("http://x", None, Some(Bytes::from_mb(512))).unwrap();
        let start = wall_time();
        let mut last = None;
        for (second, [rss, heap_used, external, uptime]) in (0..).zip(figures) {
            let body = format!(
                r#"{{"status":"healthy","memory":{{"rss":{rss},"heapUsed":{heap_used},"heapTotal":{heap_used},"external":{external}}},"uptime":{uptime}}}"#
            );
            let at = start.plus(Duration::from_secs(second));
            last = Some(source.snapshot_at(at, body.as_bytes(), None).unwrap());
        }
        last.unwrap()
    }

    #[test]
    fn buffers_that_leak_are_judged_though_the_live_heap_is_steady() {
        // Node at 0.3 MB/s; what V8 keeps beside its live heap grows a little.
        let leak = |t: u64| [36 + t / 400 + 3 * t / 10, 5 + t % 3, 2 + 3 * t / 10, t];
        let found = assess_public((0..700).map(leak));
        let forecast = &found.forecast;
        assert_eq!((forecast.verdict, forecast.part), (Verdict::Leaking, MemoryPart::OutsideHeap));
        assert!(worst_severity(&found) > Severity::Ok);
        let advice = &advise(&found)[0].text;
        assert!(advice.starts_with("Memory outside the heap leaks 18.0 MB/min"), "{advice}");
        assert!(forecast.time_to_limit.is_some());
        let steady = assess_public((0..700).map(|t| [36 + t % 2, 5 + t % 3, 2, t]));
        assert_eq!(worst_severity(&steady), Severity::Ok);
    }

    #[test]
    fn figures_of_an_instance_do_not_count_for_the_next_one() {
        let restarted = assess_public((0..700).map(|t| [36 + t % 350, 5, 2 + t % 350, t % 350]));
        assert!(restarted.forecast.observed < Duration::from_secs(350), "{:?}", restarted.forecast);
    }

    #[test]
    fn an_address_without_a_path_gets_the_default_path() {
        let cases = [
            ("http://localhost:8080", "http://localhost:8080/health"),
            ("https://api.example.com/", "https://api.example.com/health"),
            ("https://api.example.com/health?x=1", "https://api.example.com/health"),
            ("http://[::1]:80/up", "http://[::1]:80/up"),
        ];
        for (given, used) in cases {
            assert_eq!(ServerSource::new(given, None, None).unwrap().url, used, "{given}");
        }
        for bad in ["", "localhost", "localhost:8080", "ftp://x/", "http://user:pass@x/", "http://"] {
            assert!(matches!(ServerSource::new(bad, None, None), Err(TargetError::BadUrl { .. })), "{bad:?}");
        }
        for with_password in ["https://user:hunter2@x/", "ftp://hunter2@x", "user:hunter2@x/health"] {
            let error = ServerSource::new(with_password, None, None).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
