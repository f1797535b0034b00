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
use heapbeat_shared::tree;
use worker::{Env, Method, Request, Response, Result};

use super::keep::{Kept, asked};
use super::reply::{problem, too_many, unanswered};
use super::{limit, origin, table};
use crate::alert::send::post;
use crate::alert::subscriber::{browser, secret};
use crate::probe::{canonical, random, wall_clock};
use crate::push;
use crate::{env, json};

/// Longest body, in bytes.
pub(super) const LONGEST: usize = 4096;

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
    let private = env::allows_private(env);
    let vapid = env::vapid(env).unwrap_or_default();
    let (mut line, host) = match (&keys, &vapid) {
        (None, _) => {
            let Some(address) = canonical(&url, private) else {
                return problem(400, "url: should begin with https:// and be reachable for anybody").map(Err);
            };
            address
        }
        (Some(_), None) => return problem(400, "keys: no messages are sent to browsers here").map(Err),
        (Some(_), Some(_)) => {
            let Some(address) = push::address(&url, private) else {
                return problem(400, "url: should be at the push service of a browser that is known")
                    .map(Err);
            };
            // Its host is everybody's.
            (address.clone(), address)
        }
    };
    if !monitors.is_empty() {
        let Kept::Copy(status) = asked(env, "/status").await else { return unanswered().map(Err) };
        let shown = status.body.split("],\"problems\":").next().unwrap_or_default();
        for id in &monitors {
            if !shown.contains(&["{\"id\":\"", id, "\","].concat()) {
                return problem(400, &["monitors: there is no ", id].concat()).map(Err);
            }
        }
    }
    if limit::is_over(env, &["to ", &host].concat(), A_CHALLENGE).await {
        return too_many().map(Err);
    }
    if let (Some(keys), Some(vapid)) = (&keys, &vapid) {
        if begins {
            let page = origin(request, env);
            let first = json::object(|o| {
                o.set("event", "subscribe");
                o.set("page", page.as_ref());
            });
            let said = push::send(vapid, (&line, keys), &first, "subscribe", wall_clock()).await;
            if !said.is_some_and(|said| (200..300).contains(&said.status)) {
                return problem(403, UNPROVEN).map(Err);
            }
        }
        line.extend([" ", &browser(keys)]);
        line.extend(monitors.iter().flat_map(|id| [" ", id]));
        return Ok(Ok(line));
    }
    let (mut key, mut nonce) = ([0; KEY], [0; NONCE_BYTES]);
    random(&mut key).and(random(&mut nonce)).ok_or("no random bytes")?;
    let (secret, challenge) = (secret(&key), Nonce(nonce).to_string());
    let page = origin(request, env);
    let body = json::object(|o| {
        o.set("event", if begins { "subscribe" } else { "unsubscribe" });
        o.set("page", page.as_ref());
        o.set("challenge", &challenge);
        o.set("secret", begins.then_some(secret.as_str()));
    });
    let said = post(&line, &[], &body.into()).await;
    if !said.is_some_and(|said| (200..300).contains(&said.status) && said.body.trim() == challenge) {
        return problem(403, UNPROVEN).map(Err);
    }
    // An address that has answered has said all there is to say.
    if begins {
        line.extend([" ", &secret]);
    }
    line.extend(monitors.iter().flat_map(|id| [" ", id]));
    Ok(Ok(line))
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
        let body = tree::read(body).ok()?;
        let url = body.get("url")?.as_str()?;
        let mut monitors = Vec::new();
        if let Some(list) = body.get("monitors").filter(|_| begins) {
            for id in list.as_array()? {
                monitors.push(
                    id.as_str().filter(|id| table::is_id(id) && monitors.len() < MOST_MONITORS)?.to_owned(),
                );
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
