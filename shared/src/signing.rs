//! Signatures of requests for the report, and of its responses.
//!
//! A request carries one header, `heapbeat-signature: v2 t=<unix seconds> n=<nonce> o=<origin> s=<hex>`, where `s` is the
//! HMAC-SHA256 (RFC 2104, FIPS 180-4) under `HEAPBEAT_SECRET` of
//!
//! ```text
//! heapbeat request v2\n<method>\n<origin>\n<path with query>\n<t>\n<n>
//! ```
//!
//! The origin is the scheme, host and port that the client was configured with ([`RequestOrigin`]). A server accepts only those by which
//! it is known, so a request that was signed for one server cannot be relayed to another one with the same secret.
//!
//! The response carries `heapbeat-signature: v2 s=<hex>`, the same MAC over `heapbeat response v2\n<n>\n<body>`, so
//! that a cached or substituted response is refused. The first line differs, so that no request can be replayed as a
//! response. A request is valid for [`CLOCK_TOLERANCE`] to either side of the server's clock,
//! and its nonce once ([`NonceCache`]).
//!
//! The hash is that of `hmac-sha256`, a single crate, while `hmac` and `sha2` would add ten to every application that embeds the server. It
//! does not use SHA instructions, which hardly matters for 30 kB per minute.

mod nonces;
mod origin;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hmac_sha256::HMAC;

use crate::units::UnixMillis;

pub use nonces::{NonceCache, NonceError};
pub use origin::{OriginError, RequestOrigin};

/// Name of the header in requests and responses.
pub const HEADER: &str = "heapbeat-signature";

/// The maximum difference between the clocks of client and server.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(CLOCK_TOLERANCE_S as u64);

/// [`CLOCK_TOLERANCE`] in seconds.
pub const CLOCK_TOLERANCE_S: u32 = 60;

/// Least length of a secret in bytes: 128 bits.
pub const MIN_SECRET: usize = 16;

/// Length of a nonce in bytes, long enough that random nonces do not collide.
pub const NONCE_BYTES: usize = 16;

/// Longest signature header that is parsed, in bytes; a valid one has about 160.
const MAX_HEADER: usize = 512;

/// The key that server and edge share. `Debug` does not reveal it.
#[derive(Clone)]
pub struct Secret(HMAC);

/// A number used once, drawn at random by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; NONCE_BYTES]);

/// What of a request is signed, besides its time and its nonce.
#[derive(Clone, Copy, Debug)]
pub struct SignedParts<'r> {
    /// The method.
    pub method: &'r str,
    /// The scheme, host and port to which it is sent.
    pub origin: &'r RequestOrigin,
    /// The path with the query.
    pub target: &'r str,
}

/// The header of a request.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestSignature {
    /// The time of the signature in whole seconds since 1970.
    pub seconds: i64,
    /// The nonce of the request.
    pub nonce: Nonce,
    /// The scheme, host and port for which it was signed.
    pub origin: RequestOrigin,
    mac: [u8; 32],
}

/// The reason why a signature is refused. The client gets a 401 without the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is missing.
    #[error("there is no {HEADER} header")]
    Missing,
    /// The header does not have the documented form.
    #[error("the {HEADER} header is not of the form `v2 t=… n=… o=… s=…`")]
    Malformed,
    /// The clocks differ too much, or the request is too old.
    #[error(
        "the time of the signature differs by {0} s from this clock; at most {CLOCK_TOLERANCE_S} s are allowed"
    )]
    ClockSkew(i64),
    /// The signature is wrong: another secret, or a modified request.
    #[error("the signature does not match")]
    Mismatch,
    /// The signature is valid, but for an address by which this server is not known.
    #[error("it was signed for {0}, by which this server is not known: if it is, add it to HEAPBEAT_HOSTS")]
    UnknownHost(RequestOrigin),
    /// The nonce was used before, or the nonce cache is full.
    #[error(transparent)]
    Nonce(#[from] NonceError),
}

/// The secret is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret needs at least {MIN_SECRET} bytes; generate one with `openssl rand -base64 32`")]
pub struct WeakSecret;

impl Secret {
    /// Makes a secret from the bytes of `text`, without surrounding white space.
    pub fn new(text: &str) -> Result<Self, WeakSecret> {
        let text = text.trim();
        if text.len() < MIN_SECRET {
            return Err(WeakSecret);
        }
        Ok(Secret(HMAC::new(text)))
    }

    /// Signs a request at `now`.
    pub fn sign_request(&self, parts: SignedParts<'_>, now: UnixMillis, nonce: Nonce) -> RequestSignature {
        let seconds = now.0.div_euclid(1000);
        let mac = self.request_mac(parts, seconds, nonce).finalize();
        RequestSignature { seconds, nonce, origin: parts.origin.clone(), mac }
    }

    /// Returns whether `signature` was made with this secret for this request. The time does not depend on the secret.
    pub fn matches(&self, method: &str, target: &str, signature: &RequestSignature) -> bool {
        let parts = SignedParts { method, origin: &signature.origin, target };
        self.request_mac(parts, signature.seconds, signature.nonce).finalize_verify(&signature.mac)
    }

    /// Returns the header of the response `body` to the request with `nonce`.
    pub fn sign_response(&self, nonce: Nonce, body: &[u8]) -> String {
        format!("v2 s={}", Hex(&self.response_mac(nonce, body).finalize()))
    }

    /// Verifies the header of a response.
    pub fn verify_response(&self, nonce: Nonce, body: &[u8], header: &str) -> Result<(), SignatureError> {
        let mac = header.strip_prefix("v2 s=").and_then(unhex::<32>).ok_or(SignatureError::Malformed)?;
        let matches = self.response_mac(nonce, body).finalize_verify(&mac);
        if matches { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    fn request_mac(&self, parts: SignedParts<'_>, seconds: i64, nonce: Nonce) -> HMAC {
        let SignedParts { method, origin, target } = parts;
        let message = format!("heapbeat request v2\n{method}\n{origin}\n{target}\n{seconds}\n{nonce}");
        let mut mac = self.0.clone();
        mac.update(message);
        mac
    }

    fn response_mac(&self, nonce: Nonce, body: &[u8]) -> HMAC {
        let mut mac = self.0.clone();
        mac.update(format!("heapbeat response v2\n{nonce}\n"));
        mac.update(body);
        mac
    }
}

impl PartialEq for Secret {
    /// Compares two secrets in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.clone().finalize_verify(&other.0.clone().finalize())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Signs a message to a webhook by <https://www.standardwebhooks.com>: its id, the second in which it is sent, and its body, separated by
/// dots.
pub fn webhook_mac(key: &[u8], id: &str, seconds: i64, body: &str) -> [u8; 32] {
    hmac(key, &[format!("{id}.{seconds}.{body}").as_bytes()])
}

/// Computes HMAC-SHA256 (RFC 2104, FIPS 180-4) of the concatenated `parts` with `key`.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = HMAC::new(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize()
}

/// Verifies a request with every valid secret (two during a rotation), and stores its nonce. Returns the index of the secret of the
/// signature, with which the response must be signed. `is_known` says whether an origin is a name of this server.
///
/// The nonce is stored last, so that requests without a valid signature cannot fill the store.
pub fn verify_request(
    secrets: &[Secret],
    nonces: &mut NonceCache,
    (method, target): (&str, &str),
    header: Option<&str>,
    is_known: impl FnOnce(&RequestOrigin) -> bool,
    now: UnixMillis,
) -> Result<(usize, Nonce), SignatureError> {
    let signature: RequestSignature = header.ok_or(SignatureError::Missing)?.parse()?;
    let clock_skew_s = now.0.div_euclid(1000).saturating_sub(signature.seconds);
    if clock_skew_s.unsigned_abs() > CLOCK_TOLERANCE.as_secs() {
        return Err(SignatureError::ClockSkew(clock_skew_s));
    }
    let index = secrets
        .iter()
        .position(|secret| secret.matches(method, target, &signature))
        .ok_or(SignatureError::Mismatch)?;
    if !is_known(&signature.origin) {
        return Err(SignatureError::UnknownHost(signature.origin));
    }
    nonces.spend(signature.nonce, UnixMillis(signature.seconds.saturating_mul(1000)), now)?;
    Ok((index, signature.nonce))
}

impl fmt::Debug for RequestSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestSignature(t={} n={} o={})", self.seconds, self.nonce, self.origin)
    }
}

impl fmt::Display for RequestSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v2 t={} n={} o={} s={}", self.seconds, self.nonce, self.origin, Hex(&self.mac))
    }
}

impl FromStr for RequestSignature {
    type Err = SignatureError;

    fn from_str(header: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (time, rest) = header.strip_prefix("v2 t=")?.split_once(" n=")?;
            let (nonce, rest) = rest.split_once(" o=")?;
            let (written, mac) = rest.split_once(" s=")?;
            // One text for each origin, so that what is signed is what is compared.
            let origin = written.parse().ok().filter(|origin: &RequestOrigin| origin.as_str() == written)?;
            let plain = !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit());
            let seconds = plain.then(|| time.parse().ok())??;
            Some(RequestSignature { seconds, nonce: Nonce(unhex(nonce)?), origin, mac: unhex(mac)? })
        };
        (header.len() <= MAX_HEADER).then(parse).flatten().ok_or(SignatureError::Malformed)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Parses exactly `N` bytes in lower-case hexadecimal.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
