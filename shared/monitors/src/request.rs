//! The request of an `http` monitor: method, headers, body, redirects, and the part of the body that is read.
//!
//! A header that carries a credential names a Worker secret. Its value has no place in a file that is committed,
//! nor in the hub's store, so a literal one is refused.

use heapbeat_shared::Bytes;
use serde_json::Value;

use super::field::{Fields, shown};
use super::{Header, HeaderValue, HttpCheck, HttpUrl, LONGEST_BODY, SecretName};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Most headers of one monitor.
const MOST_HEADERS: usize = 20;

/// Longest value of a header, and longest body that is sent, in bytes.
const LONGEST_VALUE: usize = 1024;
const LONGEST_SENT: usize = 4096;

/// Body that is read where nothing else is said, in bytes.
const DEFAULT_MAX_BODY: usize = 64 * 1024;

/// Reads the fields of an `http` monitor.
pub(super) fn read(fields: &mut Fields<'_>, url: Option<HttpUrl>) -> Option<HttpCheck> {
    let method = fields.optional("method", |text| {
        let found = METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("`{}` is no method; those are {}", shown(text), METHODS.join(", ")))
    });
    let method = method.unwrap_or("GET");
    let headers = fields.table("headers").map(|table| {
        if table.len() > MOST_HEADERS {
            return Err(vec![(
                "headers".to_owned(),
                format!("has {} fields, more than {MOST_HEADERS}", table.len()),
            )]);
        }
        let read = table.iter().map(|(name, value)| {
            header(name, value).map_err(|reason| (format!("headers.{}", shown(name)), reason))
        });
        let (good, bad): (Vec<_>, Vec<_>) = read.partition(Result::is_ok);
        let bad: Vec<_> = bad.into_iter().filter_map(Result::err).collect();
        if bad.is_empty() { Ok(good.into_iter().filter_map(Result::ok).collect()) } else { Err(bad) }
    });
    let headers = match headers {
        None => Vec::new(),
        Some(Ok(headers)) => headers,
        Some(Err(problems)) => {
            for (position, reason) in problems {
                fields.refuse(&position, reason);
            }
            Vec::new()
        }
    };
    let body = fields.optional("body", |text| {
        if text.len() > LONGEST_SENT {
            return Err(format!("has {} bytes, more than {LONGEST_SENT}", text.len()));
        }
        Ok(text.to_owned())
    });
    if body.is_some() && matches!(method, "GET" | "HEAD") {
        fields
            .refuse("body", format!("a {method} request has no body; say method = \"POST\", or take it out"));
    }
    let redirects = fields.optional("redirects", |text| match text {
        "follow" => Ok(true),
        "refuse" => Ok(false),
        other => Err(format!(
            "`{}` should be \"follow\" or \"refuse\"; with refuse, a redirect is the answer",
            shown(other)
        )),
    });
    let max_body = fields.optional("max-body", |text| {
        let size = text.parse::<Bytes>().map_err(|error| format!("`{}`: {error}", shown(text)))?;
        let size = usize::try_from(size.0).unwrap_or(usize::MAX);
        if !(1..=LONGEST_BODY).contains(&size) {
            return Err(format!("`{}` is out of range: 1B to 256kB", shown(text)));
        }
        Ok(size)
    });
    Some(HttpCheck {
        url: url?,
        method,
        headers,
        body,
        follow_redirects: redirects.unwrap_or(true),
        max_body: max_body.unwrap_or(DEFAULT_MAX_BODY),
    })
}

fn header(name: &str, value: &Value) -> Result<Header, String> {
    // RFC 9110, 5.6.2: a token.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        return Err("is no name of a header".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), "host" | "content-length" | "connection" | "transfer-encoding" | "upgrade") {
        return Err("is the platform's to set; take it out".to_owned());
    }
    let value = match value {
        Value::String(_) if is_credential(&lower) => {
            return Err(
                r#"carries a credential, which no file should hold: write { secret = "NAME" } and set it by `wrangler secret put NAME`"#
                    .to_owned(),
            );
        }
        Value::String(text) => HeaderValue::Plain(valid_value(text)?),
        Value::Object(table) => {
            if let Some(odd) = table.keys().find(|key| !matches!(key.as_str(), "secret" | "prefix")) {
                return Err(format!(
                    "`{}` is no setting of a header; those are secret and prefix",
                    shown(odd)
                ));
            }
            let text = |key: &str| match table.get(key) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.as_str())),
                Some(_) => Err(format!("{key} should be a text in quotes")),
            };
            let name = text("secret")?.ok_or("names no secret")?;
            let name = name.parse::<SecretName>().map_err(|error| format!("secret {error}"))?;
            HeaderValue::Secret { name, prefix: valid_value(text("prefix")?.unwrap_or_default())? }
        }
        _ => {
            return Err(
                r#"should be a text in quotes, or { secret = "NAME", prefix = "Bearer " }"#.to_owned()
            );
        }
    };
    Ok(Header { name: name.to_owned(), value })
}

fn is_credential(lower: &str) -> bool {
    matches!(lower, "authorization" | "proxy-authorization" | "cookie")
        || ["token", "secret", "api-key", "apikey", "password"].iter().any(|part| lower.contains(part))
}

fn valid_value(text: &str) -> Result<String, String> {
    if text.len() > LONGEST_VALUE || !text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        return Err(format!("a value is one line of at most {LONGEST_VALUE} printable ASCII characters"));
    }
    Ok(text.to_owned())
}
