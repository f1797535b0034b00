//! Access to the endpoints, and the signatures of their responses.

use bytes::Bytes;
use heapbeat_shared::signing::{HEADER, Nonce, Secret};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::health::Endpoint;
use super::problem::problem;
use crate::config::{MetricsAccess, MetricsConfig};

/// The secret that signed a request, and its nonce.
pub(super) type Signer<'a> = (&'a Secret, Nonce);

/// Whether the endpoint has any readers; otherwise its path belongs to the application. Only a guarded program has a list of exits.
pub(crate) fn is_served(
    endpoint: Endpoint,
    metrics: &MetricsConfig,
    has_secret: bool,
    is_program: bool,
) -> bool {
    match endpoint {
        Endpoint::Exits => is_program && (has_secret || metrics.token.is_some()),
        Endpoint::Health | Endpoint::Live | Endpoint::Ready => true,
        Endpoint::Heap => has_secret,
        Endpoint::Metrics => match metrics.access {
            MetricsAccess::Off => false,
            MetricsAccess::Owner => has_secret || metrics.token.is_some(),
            MetricsAccess::Public => true,
        },
    }
}

/// Whether a request without a signature may read the metrics.
pub(super) fn may_read(metrics: &MetricsConfig, headers: &HeaderMap) -> bool {
    match metrics.access {
        MetricsAccess::Public => true,
        MetricsAccess::Owner => has_token(metrics, headers),
        MetricsAccess::Off => false,
    }
}

/// Whether a request carries the token.
pub(super) fn has_token(metrics: &MetricsConfig, headers: &HeaderMap) -> bool {
    let bearer = || headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    // Secrets are compared in constant time. A token that is too short is not a secret.
    let given = || bearer().and_then(|given| Secret::new(given).ok());
    metrics.token.as_ref().is_some_and(|token| given().is_some_and(|given| given == *token))
}

/// Creates a response that is not cached; it is signed if the request was.
pub(super) fn signed_response(
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    signer: Option<Signer>,
) -> Response<Full<Bytes>> {
    let signature =
        signer.and_then(|(secret, nonce)| HeaderValue::from_str(&secret.sign_response(nonce, &body)).ok());
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(signature) = signature {
        headers.insert(HEADER, signature);
    }
    response
}

/// Creates the response to an unsigned request, which names the required authentication and nothing else.
pub(super) fn unauthorized(endpoint: Endpoint) -> Response<Full<Bytes>> {
    let (scheme, detail) = match endpoint {
        Endpoint::Metrics | Endpoint::Exits => ("Bearer", "a token or a signature is required"),
        _ => (HEADER, "a signature is required"),
    };
    let mut response = problem(StatusCode::UNAUTHORIZED, detail);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a token of sixteen";

    fn metrics(readers: MetricsAccess, token: bool) -> MetricsConfig {
        MetricsConfig { access: readers, token: token.then(|| Secret::new(TOKEN).unwrap()) }
    }

    #[test]
    fn a_path_without_readers_belongs_to_the_application() {
        // readers, whether there is a token, whether there is a secret; whether metrics are served
        let cases = [
            (MetricsAccess::Off, true, true, false),
            (MetricsAccess::Owner, false, false, false),
            (MetricsAccess::Owner, true, false, true),
            (MetricsAccess::Owner, false, true, true),
            (MetricsAccess::Public, false, false, true),
        ];
        for (readers, token, secret, served) in cases {
            let metrics = metrics(readers, token);
            assert_eq!(
                is_served(Endpoint::Metrics, &metrics, secret, false),
                served,
                "{readers:?} {token} {secret}"
            );
            assert_eq!(is_served(Endpoint::Heap, &metrics, secret, false), secret);
            assert!(is_served(Endpoint::Ready, &metrics, secret, false));
            assert_eq!(is_served(Endpoint::Exits, &metrics, secret, true), token || secret);
            assert!(!is_served(Endpoint::Exits, &metrics, secret, false), "an application has its own");
        }
    }

    #[test]
    fn unsigned_metrics_need_public_access_or_the_token() {
        let with =
            |text: &'static str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(text))]);
        let cases = [
            (MetricsAccess::Owner, true, with("Bearer a token of sixteen"), true),
            (MetricsAccess::Owner, true, with("Bearer a token of sixteem"), false),
            (MetricsAccess::Owner, true, with("Bearer a token of sixteen and more"), false),
            (MetricsAccess::Owner, true, with("Bearer "), false),
            (MetricsAccess::Owner, true, with("Basic a token of sixteen"), false),
            (MetricsAccess::Owner, true, HeaderMap::new(), false),
            (MetricsAccess::Owner, false, with("Bearer a token of sixteen"), false),
            (MetricsAccess::Off, true, with("Bearer a token of sixteen"), false),
            (MetricsAccess::Public, true, HeaderMap::new(), true),
        ];
        for (readers, token, headers, may) in cases {
            assert_eq!(may_read(&metrics(readers, token), &headers), may, "{readers:?} {token} {headers:?}");
        }
    }
}
