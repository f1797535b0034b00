//! Web push: a message to a browser, by way of its vendor's push service.
//!
//! RFC 8030 is the request, RFC 8291 what keeps the message from the service's eyes, and RFC 8292 what tells the service who
//! sends it. The two latter are in `push/seal.js`, as what they are made of is the platform's own.

mod vapid;

use heapbeat_shared::UnixMillis;
use js_sys::{Array, Promise};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

use crate::notify::http_client;
use crate::notify::http_client::HttpReply;
use crate::platform::url::parse_external;

pub(crate) use vapid::{VARIABLES, Vapid};

#[wasm_bindgen(module = "/src/notify/push/seal.js")]
extern "C" {
    /// The header `Authorization`, and the body.
    fn prepared(
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

/// Longest text: what a record of 4096 bytes has beside a header of 86, the mark of its end and the tag of AES-GCM (RFC 8291, 4).
pub(crate) const LONGEST: usize = 4096 - 86 - 1 - 16;

/// How long a push service keeps a message for a browser that is offline, in seconds. Older messages are on the status page.
const TTL_SECONDS: &str = "14400";

/// Where the browsers' vendors have their push services; what begins with a dot is any host below it.
/// Chrome and those made of it, Firefox, Safari, and Edge on Windows.
const SERVICES: [&str; 4] =
    ["fcm.googleapis.com", "updates.push.services.mozilla.com", ".push.apple.com", ".notify.windows.com"];

/// The address of a browser at its push service, as it is kept; `None` for any other. `private`: this is a run of one's own, where
/// everything may be asked.
pub(crate) fn address(url: &str, private: bool) -> Option<String> {
    let url = parse_external(url, private)?;
    (private || is_service(&url.host)).then_some(url.href)
}

fn is_service(host: &str) -> bool {
    SERVICES.iter().any(|known| if known.starts_with('.') { host.ends_with(known) } else { host == *known })
}

/// Whether these are so many bytes in Base64 for URLs, without padding (RFC 4648, 5).
pub(crate) fn is_key(text: &str, bytes: usize) -> bool {
    text.len() == (bytes * 4).div_ceil(3)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The keys of a browser as `PushSubscription` tells them, in one word, or nothing where they are none: a point of P-256, with which a
/// secret is agreed upon, and a secret of sixteen bytes.
pub(crate) fn keys(point: &str, auth: &str) -> Option<String> {
    let (point, auth) = (point.trim_end_matches('='), auth.trim_end_matches('='));
    (is_key(point, 65) && point.starts_with('B') && is_key(auth, 16)).then(|| [point, ":", auth].concat())
}

/// Sends `text`, of at most [`LONGEST`] bytes, to the browser with these [`keys`]. One with the same `topic` that still waits for it is
/// replaced.
pub(crate) async fn send(
    vapid: &Vapid,
    (url, keys): (&str, &str),
    text: &str,
    topic: &str,
    now: UnixMillis,
) -> Option<HttpReply> {
    let (point, auth) = keys.split_once(':')?;
    // Seconds since 1970 are far below 2^53.
    let now = now.0.div_euclid(1000) as f64;
    let made = prepared(url, text, point, auth, now, &vapid.subject, &vapid.public, &vapid.private);
    let Ok(made) = JsFuture::from(made).await else {
        worker::console_error!("push: the keys of VAPID do not belong together, or a browser's are none");
        return None;
    };
    let made = Array::from(&made);
    let authorization = made.get(0).as_string()?;
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/octet-stream"),
        ("content-encoding", "aes128gcm"),
        ("ttl", TTL_SECONDS),
        ("urgency", "high"),
        ("topic", topic),
    ];
    let said = http_client::post(url, &headers, &made.get(1)).await;
    if let Some(said) = said.as_ref().filter(|said| said.status >= 400) {
        // The rest of the address is the browser's secret.
        let service = url.split('/').nth(2).unwrap_or_default();
        worker::console_warn!("push: {service} answered with status {}", said.status);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8291, appendix A.
    const POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn only_push_services_are_asked() {
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
            assert_eq!(is_service(host), expected, "{host}");
        }
    }

    #[test]
    fn keys_of_browsers() {
        let both = format!("{POINT}:{AUTH}");
        assert_eq!(keys(POINT, AUTH).as_ref(), Some(&both));
        assert_eq!(keys(&[POINT, "="].concat(), &[AUTH, "=="].concat()), Some(both), "some browsers pad");
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
            assert_eq!(keys(point, auth), None, "{point} {auth}");
        }
    }
}
