//! `POST` and `DELETE /api/v1/subscriptions`: anybody may ask that an address be told, or be told no more.
//!
//! Nothing is believed but the address itself: it is sent a challenge, and has to answer with just that. The key that messages
//! are signed with goes along with it, so that it is known to the address and not to who asked. Whatever comes of that, who asked
//! is told in the same words, as it is not theirs to learn what answers where.
//!
//! A browser's address at its push service is known to the browser alone, and the service takes nothing for it that is not signed
//! with the key for which the browser asked. So one first message that is taken is its proof, and its own keys are that it wants
//! to hear no more.

use heapbeat_shared::signing::{NONCE_BYTES, Nonce};
use worker::{Env, Method, Request, Response, Result};

use super::cached_fetch::{Kept, asked};
use super::response::{problem, too_many_requests, unavailable};
use super::{origin, rate_limit};
use crate::config::MonitorId;
use crate::json;
use crate::notify::http_client::{Said, post};
use crate::notify::push;
use crate::notify::push::Vapid;
use crate::notify::subscriber::{browser, secret};
use crate::platform::env;
use crate::probe::{canonical, random, wall_clock};

/// Longest body, in bytes.
pub(super) const MAX_BYTES: usize = 4096;

/// Most monitors that one names.
pub(crate) const MOST_MONITORS: usize = 20;

/// Bytes of a key.
const KEY: usize = 24;

/// What who asked is told where it was no use, whatever came of it.
const UNPROVEN: &str = "the address did not answer as one that wants this";

/// As how many requests to one host a challenge counts.
const A_CHALLENGE: u32 = 30;

/// The line that the hub takes in, or out, for the body of a request. `asks`: whether that is a stranger's, whose address has to
/// prove that it wants this, and not the owner's.
pub(super) async fn line(
    request: &Request,
    env: &Env,
    body: &str,
    asks: bool,
) -> Result<std::result::Result<String, Response>> {
    let begins = request.method() == Method::Post;
    let Some(Asked { url, monitors, keys }) = Asked::read(body, begins) else {
        let example = r#"send {"url":"https://…"}, with "monitors":["…"] to be told of these only"#;
        return problem(400, example).map(Err);
    };
    if !asks {
        return Ok(Ok(url));
    }
    let who = match Who::read(env, &url, keys) {
        Ok(who) => who,
        Err(reason) => return problem(400, reason).map(Err),
    };
    if !monitors.is_empty() {
        let Kept::Copy(status) = asked(env, "/status").await else { return unavailable().map(Err) };
        let shown = status.body.split("],\"problems\":").next().unwrap_or_default();
        for id in &monitors {
            if !shown.contains(&["{\"id\":\"", id, "\","].concat()) {
                return problem(400, &["monitors: there is no ", id].concat()).map(Err);
            }
        }
    }
    if rate_limit::is_exceeded(env, &["to ", who.counted()].concat(), A_CHALLENGE).await {
        return too_many_requests().map(Err);
    }
    let page = origin(request, env);
    let (mut line, proof) = match who {
        Who::Webhook { url, .. } => {
            let proof = challenged(&url, begins, page.as_deref()).await?;
            (url, proof)
        }
        Who::Browser { url, keys, vapid } => {
            let taken = !begins || greeted(&vapid, (&url, &keys), page.as_deref()).await;
            (url, taken.then(|| browser(&keys)))
        }
    };
    let Some(proof) = proof else { return problem(403, UNPROVEN).map(Err) };
    let words = [proof].into_iter().filter(|proof| !proof.is_empty()).chain(monitors);
    words.for_each(|word| line.extend([" ", &word]));
    Ok(Ok(line))
}

/// Whose address it is, as it is kept.
enum Who {
    /// A program's, and its host.
    Webhook { url: String, host: String },
    /// A browser's at its push service, its keys, and what it is sent messages with.
    Browser { url: String, keys: String, vapid: Vapid },
}

impl Who {
    /// An error says what would be right.
    fn read(env: &Env, url: &str, keys: Option<String>) -> std::result::Result<Self, &'static str> {
        let private = env::allows_private(env);
        let Some(keys) = keys else {
            let (url, host) = canonical(url, private)
                .ok_or("url: should begin with https:// and be reachable for anybody")?;
            return Ok(Who::Webhook { url, host });
        };
        let vapid = env::vapid(env).ok().flatten().ok_or("keys: no messages are sent to browsers here")?;
        let url = push::address(url, private)
            .ok_or("url: should be at the push service of a browser that is known")?;
        Ok(Who::Browser { url, keys, vapid })
    }

    /// What is not to be asked too often: a host, but not that of a push service, which is everybody's.
    fn counted(&self) -> &str {
        match self {
            Who::Webhook { host, .. } => host,
            Who::Browser { url, .. } => url,
        }
    }
}

/// Sends a challenge. Where the address answers with it: the secret that it was sent, which is empty for one that wants no more, as it
/// has said all there is to say.
async fn challenged(url: &str, begins: bool, page: Option<&str>) -> Result<Option<String>> {
    let (mut key, mut nonce) = ([0; KEY], [0; NONCE_BYTES]);
    random(&mut key).and(random(&mut nonce)).ok_or("no random bytes")?;
    let secret = if begins { secret(&key) } else { String::new() };
    let challenge = Nonce(nonce).to_string();
    let body = json::object(|o| {
        o.set("event", if begins { "subscribe" } else { "unsubscribe" });
        o.set("page", page);
        o.set("challenge", &challenge);
        o.set("secret", begins.then_some(secret.as_str()));
    });
    let said = post(url, &[], &body.into()).await;
    let answered = said.is_some_and(|said| is_taken(&said) && said.body.trim() == challenge);
    Ok(answered.then_some(secret))
}

/// Sends a browser its first message, and says whether its service took it.
async fn greeted(vapid: &Vapid, to: (&str, &str), page: Option<&str>) -> bool {
    let first = json::object(|o| {
        o.set("event", "subscribe");
        o.set("page", page);
    });
    push::send(vapid, to, &first, "subscribe", wall_clock()).await.is_some_and(|said| is_taken(&said))
}

fn is_taken(said: &Said) -> bool {
    (200..300).contains(&said.status)
}

/// What a body says.
#[derive(PartialEq, Eq)]
struct Asked {
    url: String,
    monitors: Vec<String>,
    /// The keys, where it is a browser's.
    keys: Option<String>,
}

impl Asked {
    fn read(body: &str, begins: bool) -> Option<Self> {
        let body = serde_json::from_str::<serde_json::Value>(body).ok()?;
        let url = body.get("url")?.as_str()?;
        let mut monitors = Vec::new();
        if let Some(list) = body.get("monitors").filter(|_| begins) {
            for id in list.as_array()? {
                monitors
                    .push(id.as_str().filter(|id| is_id(id) && monitors.len() < MOST_MONITORS)?.to_owned());
            }
        }
        let mut sealed = None;
        if let Some(keys) = body.get("keys") {
            let key = |name: &str| keys.get(name)?.as_str();
            sealed = Some(push::keys(key("p256dh")?, key("auth")?)?);
        }
        let known = 1 + usize::from(!monitors.is_empty()) + usize::from(sealed.is_some());
        (body.as_object()?.len() == known).then(|| Asked { url: url.to_owned(), monitors, keys: sealed })
    }
}

fn is_id(text: &str) -> bool {
    text.parse::<MonitorId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn read(body: &str, begins: bool) -> Option<(String, Vec<String>)> {
        Asked::read(body, begins).map(|asked| (asked.url, asked.monitors))
    }

    #[test]
    fn keys_of_a_browser() {
        let body = |keys: &str| format!(r#"{{"url":"https://a.example/","keys":{keys}}}"#);
        let whole = format!(r#"{{"p256dh":"{POINT}","auth":"{AUTH}"}}"#);
        for begins in [true, false] {
            let asked = Asked::read(&body(&whole), begins).unwrap();
            assert_eq!(asked.keys, Some(format!("{POINT}:{AUTH}")), "{begins}");
        }
        for keys in
            ["null", "1", "[]", "{}", &format!(r#"{{"p256dh":"{POINT}"}}"#), r#"{"p256dh":"x","auth":"y"}"#]
        {
            assert!(Asked::read(&body(keys), true).is_none(), "{keys}");
        }
    }

    #[test]
    fn bodies() {
        let url = "https://a.example/".to_owned();
        let good = [
            (r#"{"url":"https://a.example/"}"#, true, vec![]),
            (r#"{"url":"https://a.example/"}"#, false, vec![]),
            (r#"{"monitors":["api","web"],"url":"https://a.example/"}"#, true, vec!["api", "web"]),
        ];
        for (body, begins, monitors) in good {
            let monitors = monitors.into_iter().map(str::to_owned).collect();
            assert_eq!(read(body, begins), Some((url.clone(), monitors)), "{body}");
        }
        let bad = [
            ("", true),
            ("[]", true),
            ("{}", true),
            (r#"{"url":1}"#, true),
            (r#"{"url":"x","more":1}"#, true),
            (r#"{"url":"x","monitors":"api"}"#, true),
            (r#"{"url":"x","monitors":[1]}"#, true),
            (r#"{"url":"x","monitors":["a b"]}"#, true),
            (r#"{"url":"x","monitors":["api"]}"#, false),
        ];
        for (body, begins) in bad {
            assert_eq!(read(body, begins), None, "{body}");
        }
        let many =
            |count: usize| format!(r#"{{"url":"x","monitors":[{}]}}"#, vec![r#""m""#; count].join(","));
        assert!(read(&many(20), true).is_some() && read(&many(21), true).is_none());
    }
}
