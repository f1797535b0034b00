//! Who a request comes from: anybody, or the owner, who signs it.
//!
//! One verifier serves everything that a process reports about, so that a nonce is good once, whatever it was used for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use heapbeat_shared::Cursor;
use heapbeat_shared::cursor::CursorError;
use heapbeat_shared::signing::{
    HEADER, Nonce, NonceCache, NonceError, RequestOrigin, Secret, SignatureError, verify_request,
};
use http::header::{HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;

use super::known_hosts::KnownHosts;
use super::problem::problem;
use super::spent_nonces::SpentNonces;
use crate::clock::Now;
use crate::config::{Config, EdgeTimeout, HostNames, Secrets, environment_variable};
use crate::flight_recorder::directory::RecorderLocation;

/// Number of nonces that are kept, and so of signed requests within two minutes: eight a second.
pub(super) const MAX_NONCES: usize = 1024;

/// Minimum seconds between two warnings about refused requests.
const WARNING_INTERVAL: u64 = 60;

/// The head of a request: all that the endpoints read of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

/// What a request is admitted to.
#[derive(Debug, PartialEq)]
pub(super) enum Admission {
    /// The public response.
    Public,
    /// The report after a cursor; the request is signed with one of the secrets.
    Owner { secret: usize, nonce: Nonce, after: Option<Cursor> },
    /// An error response.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// Verifies the signatures of requests.
#[derive(Debug)]
pub(crate) struct RequestVerifier {
    /// Secrets in the order in which they are tried.
    secrets: Vec<Secret>,
    hosts: KnownHosts,
    nonces: Mutex<NonceCache>,
    /// The nonces that other processes of this server spent.
    spent: SpentNonces,
    /// Age of the process, in seconds, from which a refusal is logged again.
    next_warning: AtomicU64,
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    fn from(request: &'a Request<B>) -> Self {
        RequestHead { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl<'a> From<&'a Parts> for RequestHead<'a> {
    fn from(parts: &'a Parts) -> Self {
        RequestHead { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

impl RequestHead<'_> {
    /// Whether the request carries a signature, valid or not.
    pub(crate) fn is_signed(&self) -> bool {
        self.headers.contains_key(HEADER)
    }
}

impl RequestVerifier {
    /// Creates the verifier of a process of the server whose flight recorder is at `location`.
    pub(crate) fn new(secrets: Secrets, hosts: KnownHosts, location: &RecorderLocation) -> Self {
        let secrets: Vec<_> = secrets.current.into_iter().chain(secrets.previous).collect();
        // Without a secret no nonce is spent, and no directory is needed.
        let location = if secrets.is_empty() { &RecorderLocation::Memory } else { location };
        RequestVerifier {
            hosts,
            spent: SpentNonces::open(location),
            secrets,
            nonces: Mutex::new(NonceCache::new(MAX_NONCES)),
            next_warning: AtomicU64::new(0),
        }
    }

    /// Creates the verifier that a configuration describes.
    pub(crate) fn of(config: &Config, location: &RecorderLocation) -> Self {
        let hosts = KnownHosts::new(&config.hosts, config.port, environment_variable);
        if config.secrets.current.is_some() && hosts.is_local_only() {
            tracing::warn!(
                "HEAPBEAT_SECRET is set, but this server is known as localhost only, and refuses (401) what is signed for another name: set \
                 HEAPBEAT_HOSTS to the host in the monitor's url, such as HEAPBEAT_HOSTS=api.example.com"
            );
        }
        for variable in useless_without_secret(config) {
            tracing::warn!("{variable} has no effect without HEAPBEAT_SECRET, as no request is signed then");
        }
        RequestVerifier::new(config.secrets.clone(), hosts, location)
    }

    /// Whether there is a secret; without one, all requests are public.
    pub(crate) fn has_secret(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Returns the secret that [`Admission::Owner`] names.
    pub(super) fn secret(&self, index: usize) -> &Secret {
        &self.secrets[index]
    }

    /// Verifies the signature of a request. Without a secret, all requests are public.
    pub(super) fn admit(&self, request: RequestHead<'_>, now: Now) -> Admission {
        let RequestHead { method, uri, headers } = request;
        if self.secrets.is_empty() || !(method == Method::GET || method == Method::HEAD) {
            return Admission::Public;
        }
        let mut signatures = headers.get_all(HEADER).iter();
        let signature = match (signatures.next(), signatures.next()) {
            (None, _) => return Admission::Public,
            (Some(one), None) => one.to_str().unwrap_or_default(),
            // Several signatures are refused, as the log could not tell which one was verified.
            (Some(_), Some(_)) => "",
        };
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let verified = {
            let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
            let is_known = |origin: &RequestOrigin| self.hosts.knows(origin, host);
            let request = (method.as_str(), target);
            verify_request(&self.secrets, &mut nonces, request, Some(signature), is_known, now.wall)
        };
        let verified = verified.and_then(|(secret, nonce)| {
            self.spent.spend(nonce, now.wall)?;
            Ok((secret, nonce))
        });
        match verified {
            Err(error) => Admission::Refused(error.into()),
            Ok((secret, nonce)) => match parse_cursor(uri.query()) {
                Ok(after) => Admission::Owner { secret, nonce, after },
                Err(error) => Admission::Refused(error.into()),
            },
        }
    }

    /// Creates the response to a refused request. The reason is only logged, so that a client cannot learn from it.
    pub(super) fn refuse(&self, refusal: &Refusal, now: Now) -> Response<Full<Bytes>> {
        let due = self.next_warning.load(Ordering::Relaxed);
        if now.age.as_secs() >= due {
            self.next_warning.store(now.age.as_secs() + WARNING_INTERVAL, Ordering::Relaxed);
            tracing::warn!("rejected a request for the report: {refusal}");
        }
        match refusal {
            Refusal::Signature(SignatureError::Nonce(error @ NonceError::Full)) => {
                let mut response = problem(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
                response
            }
            Refusal::Signature(_) => {
                let mut response = problem(
                    StatusCode::UNAUTHORIZED,
                    "the signature is not valid for this request, host and time",
                );
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(HEADER));
                response
            }
            Refusal::Cursor(error) => problem(StatusCode::BAD_REQUEST, &format!("after: {error}")),
        }
    }
}

/// Parses `?after=<cursor>`; other parameters are ignored.
fn parse_cursor(query: Option<&str>) -> Result<Option<Cursor>, CursorError> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == "after").map(|(_, text)| text.parse()).transpose()
}

/// Returns the settings of a configuration that are about signed requests, if none can be.
fn useless_without_secret(config: &Config) -> Vec<&'static str> {
    if config.secrets != Secrets::default() {
        return Vec::new();
    }
    let settings = [
        ("HEAPBEAT_HOSTS", config.hosts != HostNames::Auto),
        ("HEAPBEAT_EDGE_TIMEOUT", matches!(config.edge_timeout, EdgeTimeout::After(_))),
        ("HEAPBEAT_ALERT_WEBHOOK", config.alert_webhook.is_some()),
    ];
    settings.into_iter().filter(|(_, is_set)| *is_set).map(|(variable, _)| variable).collect()
}

#[cfg(test)]
mod tests;
