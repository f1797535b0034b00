//! Asking a heapbeat server with a secret, and reading its answer.

use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, RequestSignature};
use wasm_bindgen::JsCast;
use web_sys::WorkerGlobalScope;

use crate::config::MonitorId;
use crate::domain::ProbeSkipped;
use crate::domain::check::outcome::{ProbeError, ProbeResponse};
use crate::domain::report::verification;
use crate::domain::report::verification::SigningKey;
use crate::platform::clock::wall_clock;

/// What each monitor that has a secret is asked with; or that the secret it names is not there.
pub type Keys = Vec<(MonitorId, Result<SigningKey, ProbeSkipped>)>;

/// One question, signed.
#[derive(Debug)]
pub(super) struct Question {
    nonce: Nonce,
    signature: RequestSignature,
}

impl Question {
    /// Signs a `GET` of `target`, a path with its query. The time is the edge's own clock, whatever the tick's is.
    pub(super) fn new(key: &SigningKey, target: &str) -> Result<Self, ProbeError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce).ok_or(ProbeSkipped::Platform)?;
        let nonce = Nonce(nonce);
        Ok(Question { nonce, signature: key.secret.sign_request("GET", target, wall_clock(), nonce) })
    }

    /// The header of the request: its name and its value.
    pub(super) fn header(&self) -> (&'static str, String) {
        (HEADER, self.signature.to_string())
    }

    /// Believes the answer or says why not.
    pub(super) fn open(
        &self,
        answer: ProbeResponse,
        header: Option<&str>,
        key: &SigningKey,
    ) -> Result<ProbeResponse, ProbeError> {
        verification::verify_response(answer, self.nonce, header, key).map_err(ProbeError::Failed)
    }
}

/// Fills `bytes` with what nobody can foresee; `None` where the platform does not.
pub(crate) fn random(bytes: &mut [u8]) -> Option<()> {
    let crypto = js_sys::global().unchecked_into::<WorkerGlobalScope>().crypto().ok()?;
    crypto.get_random_values_with_u8_array(bytes).ok().map(|_| ())
}
