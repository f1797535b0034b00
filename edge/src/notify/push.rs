//! Web push: messages to browsers by way of their vendors' push services.
//!
//! RFC 8030 defines the request, RFC 8291 the encryption of the message, and RFC 8292 the identification of the sender. The latter two
//! are in `push/seal.js`, as they use the platform's cryptography.

mod vapid;

use heapbeat_shared::UnixMillis;
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

use crate::notify::http_client;
use crate::notify::http_client::HttpReply;
use crate::platform::url::parse_external;

pub(crate) use vapid::{VARIABLES, Vapid, VapidError};

#[wasm_bindgen(module = "/src/notify/push/seal.js")]
extern "C" {
    /// Returns the header `Authorization` and the encrypted body.
    #[wasm_bindgen(js_name = preparePush)]
    fn prepare_push(
        url: &str,
        message: &str,
        point: &str,
        auth: &str,
        now: f64,
        subject: &str,
        public: &str,
        private: &str,
    ) -> Promise;
}

/// The maximum length of a text, in bytes: a record of 4096 less its header of 86, the mark of its end and the tag of AES-GCM
/// (RFC 8291, section 4).
pub(crate) const MAX_PAYLOAD: usize = 4096 - 86 - 1 - 16;

/// How long a push service keeps a message for a browser that is offline, in seconds. Older messages are on the status page.
const TTL_SECONDS: &str = "14400";

/// The hosts of the vendors' push services: of Chrome and browsers that are built on it, Firefox, Safari, and Edge on Windows. A name
/// that begins with a dot stands for any host below it.
const SERVICES: [&str; 4] =
    ["fcm.googleapis.com", "updates.push.services.mozilla.com", ".push.apple.com", ".notify.windows.com"];

/// Returns the canonical URL of a browser at its push service; `None` for any other URL. `private`: any host is allowed, for local
/// runs.
pub(crate) fn endpoint(url: &str, private: bool) -> Option<String> {
    let url = parse_external(url, private)?;
    (private || is_push_service(&url.host)).then_some(url.href)
}

pub(crate) fn is_push_service(host: &str) -> bool {
    SERVICES.iter().any(|known| if known.starts_with('.') { host.ends_with(known) } else { host == *known })
}

/// Whether a text is this number of bytes in Base64 for URLs, without padding (RFC 4648, section 5).
pub(crate) fn is_key(text: &str, bytes: usize) -> bool {
    text.len() == (bytes * 4).div_ceil(3)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Joins the keys of a browser's `PushSubscription` to one text: a point of P-256 for the key exchange, and a secret of sixteen bytes.
/// Returns `None` if they are not valid.
pub(crate) fn join_keys(point: &str, auth: &str) -> Option<String> {
    let (point, auth) = (point.trim_end_matches('='), auth.trim_end_matches('='));
    (is_key(point, 65) && point.starts_with('B') && is_key(auth, 16)).then(|| [point, ":", auth].concat())
}

/// Sends `text`, of at most [`MAX_PAYLOAD`] bytes, to the browser with these keys (see [`join_keys`]). It replaces a message with the
/// same `topic` that is still waiting.
pub(crate) async fn send_push(
    vapid: &Vapid,
    (url, keys): (&str, &str),
    text: &str,
    topic: &str,
    now: UnixMillis,
) -> Option<HttpReply> {
    let (point, auth) = keys.split_once(':')?;
    // Seconds since 1970 are far below 2^53.
    let now = now.0.div_euclid(1000) as f64;
    let prepared = prepare_push(url, text, point, auth, now, &vapid.subject, &vapid.public, &vapid.private);
    let Ok(prepared) = JsFuture::from(prepared).await else {
        worker::console_error!(
            "push: message not encrypted: the VAPID keys do not match, or the browser's keys are not valid"
        );
        return None;
    };
    let prepared = Array::from(&prepared);
    let authorization = prepared.get(0).as_string()?;
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/octet-stream"),
        ("content-encoding", "aes128gcm"),
        ("ttl", TTL_SECONDS),
        ("urgency", "high"),
        ("topic", topic),
    ];
    let reply = http_client::post(url, &headers, &prepared.get(1)).await;
    if let Some(reply) = reply.as_ref().filter(|reply| reply.status >= 400) {
        // The rest of the address is the browser's secret.
        let service = url.split('/').nth(2).unwrap_or_default();
        worker::console_warn!("push: {service} responded with status {}", reply.status);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8291, appendix A.
    const POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn only_push_services_are_allowed() {
        let cases = [
            ("fcm.googleapis.com", true),
            ("updates.push.services.mozilla.com", true),
            ("web.push.apple.com", true),
            ("wns2-par02p.notify.windows.com", true),
            ("push.apple.com", false),
            ("evilpush.apple.com", false),
            ("fcm.googleapis.com.evil.example", false),
            ("evil-fcm.googleapis.com", false),
            ("example.com", false),
            ("", false),
        ];
        for (host, expected) in cases {
            assert_eq!(is_push_service(host), expected, "{host}");
        }
    }

    #[test]
    fn the_keys_of_a_browser_are_checked() {
        let both = format!("{POINT}:{AUTH}");
        assert_eq!(join_keys(POINT, AUTH).as_ref(), Some(&both));
        assert_eq!(
            join_keys(&[POINT, "="].concat(), &[AUTH, "=="].concat()),
            Some(both),
            "some browsers pad"
        );
        let compressed = ["A", &POINT[1..]].concat();
        for (point, auth) in [
            ("", ""),
            (POINT, ""),
            (AUTH, POINT),
            (&POINT[4..], AUTH),
            (&compressed, AUTH),
            (POINT, "BTBZMqHH6r4Tts7J_aSIg!"),
            (POINT, "BTBZMqHH6r4Tts7J_aSIggBTBZMqHH6r4Tts7J_aSIgg"),
        ] {
            assert_eq!(join_keys(point, auth), None, "{point} {auth}");
        }
    }
}
