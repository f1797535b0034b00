//! A signed request to a heapbeat server, and the verification of the response.

use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, RequestSignature, SignedParts};

use crate::domain::ProbeSkipped;
use crate::domain::check::outcome::{ProbeError, ProbeResponse};
use crate::domain::report::verification;
use crate::domain::report::verification::SigningKey;
use crate::platform::clock::wall_clock;
use crate::platform::random::fill_random;
use crate::platform::url::WebUrl;

/// The nonce and the signature of one request.
#[derive(Debug)]
pub(super) struct SignedRequest {
    nonce: Nonce,
    signature: RequestSignature,
}

impl SignedRequest {
    /// Signs a `GET` of the configured address, with its scheme, host, port, path and query. The time is the edge's own clock, whatever the
    /// tick's is. Fails if the platform has no random bytes.
    pub(super) fn sign_get(key: &SigningKey, url: &WebUrl) -> Result<Self, ProbeSkipped> {
        let mut nonce = [0; NONCE_BYTES];
        fill_random(&mut nonce).ok_or(ProbeSkipped::Platform)?;
        let nonce = Nonce(nonce);
        let origin = url.origin.parse().map_err(|_| ProbeSkipped::Platform)?;
        let parts = SignedParts { method: "GET", origin: &origin, target: url.path_and_query() };
        let signature = key.secret.sign_request(parts, wall_clock(), nonce);
        Ok(SignedRequest { nonce, signature })
    }

    /// Returns the name and the value of the request's header.
    pub(super) fn header(&self) -> (&'static str, String) {
        (HEADER, self.signature.to_string())
    }

    /// Verifies the response by the value of its header.
    pub(super) fn verify_answer(
        &self,
        answer: ProbeResponse,
        header: Option<&str>,
        key: &SigningKey,
    ) -> Result<ProbeResponse, ProbeError> {
        verification::verify_response(answer, self.nonce, header, key).map_err(ProbeError::Failed)
    }
}
