//! Parses the request of an `http` monitor: method, headers, body, redirects, and the largest response body.
//!
//! A header with a credential must name a Worker secret. A literal credential is refused, as it must be neither in a committed file nor
//! in the hub's store; one in the address or the body needs the owner's word that it may be.

use heapbeat_shared::Bytes;
use heapbeat_shared::units::ParseBytesError;
use serde_json::Value;

use super::credential::{find_in_body, find_in_query, is_credential_header};
use super::field::{FieldReader, excerpt};
use super::{Header, HeaderValue, HttpCheck, HttpUrl, MAX_BODY_BYTES, SecretName};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Most headers of one monitor.
const MAX_HEADERS: usize = 20;

/// Length limit of the value of a header, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// Size limit of a request body, in bytes.
const MAX_REQUEST_BODY_BYTES: usize = 4096;

/// Default of `max-body`, in bytes.
const DEFAULT_MAX_BODY: usize = 64 * 1024;

/// Parses the fields of an `http` monitor.
pub(super) fn parse_request(fields: &mut FieldReader<'_>, url: Option<HttpUrl>) -> Option<HttpCheck> {
    let method = fields.optional_text("method", |text| {
        let found = METHODS.into_iter().find(|method| method.eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            format!("unknown method `{}`; the methods are {}", excerpt(text), METHODS.join(", "))
        })
    });
    let method = method.unwrap_or("GET");
    let headers = fields.table("headers").map(|table| {
        if table.len() > MAX_HEADERS {
            return Err(vec![(
                "headers".to_owned(),
                format!("has {} headers; at most {MAX_HEADERS} are allowed", table.len()),
            )]);
        }
        let parsed = table.iter().map(|(name, value)| {
            parse_header(name, value).map_err(|reason| (format!("headers.{}", excerpt(name)), reason))
        });
        let (valid, invalid): (Vec<_>, Vec<_>) = parsed.partition(Result::is_ok);
        let problems: Vec<_> = invalid.into_iter().filter_map(Result::err).collect();
        if problems.is_empty() {
            Ok(valid.into_iter().filter_map(Result::ok).collect())
        } else {
            Err(problems)
        }
    });
    let headers = match headers {
        None => Vec::new(),
        Some(Ok(headers)) => headers,
        Some(Err(problems)) => {
            for (position, reason) in problems {
                fields.report(&position, reason);
            }
            Vec::new()
        }
    };
    let body = fields.optional_text("body", |text| {
        if text.len() > MAX_REQUEST_BODY_BYTES {
            return Err(format!("has {} bytes; at most {MAX_REQUEST_BODY_BYTES} are allowed", text.len()));
        }
        Ok(text.to_owned())
    });
    if body.is_some() && matches!(method, "GET" | "HEAD") {
        fields.report(
            "body",
            format!("a {method} request has no body; set method = \"POST\", or remove the body"),
        );
    }
    if fields.flag("literal-credentials", false) == Some(false) {
        let advice = "looks like a credential, which would be committed, stored and exported: send it in a header with a secret, or write \
                      literal-credentials = true";
        if let Some(name) = url.as_ref().and_then(|url| find_in_query(url.as_str())) {
            fields.report("url", format!("the parameter `{}` {advice}", excerpt(name)));
        }
        if let Some(name) = body.as_deref().and_then(find_in_body) {
            fields.report("body", format!("the field `{}` {advice}", excerpt(&name)));
        }
    }
    let mut headers = headers;
    if body.as_deref().is_some_and(is_json) && !headers.iter().any(is_content_type) {
        // Without it, the platform would send the body as plain text.
        let value = HeaderValue::Literal("application/json".to_owned());
        headers.push(Header { name: "Content-Type".to_owned(), value });
    }
    let redirects = fields.optional_text("redirects", |text| match text {
        "follow" => Ok(true),
        "refuse" => Ok(false),
        other => Err(format!(
            "must be \"follow\" or \"refuse\", got `{}`; with \"refuse\" a redirect is the response",
            excerpt(other)
        )),
    });
    let max_body = fields.optional_text("max-body", |text| {
        let size = text.parse::<Bytes>().map_err(|error| match error {
            ParseBytesError::NoUnit(_) => {
                format!("`{0}` has no unit; write \"{0}B\" or \"{0}kB\"", excerpt(text.trim()))
            }
            error @ ParseBytesError::Form => format!("`{}` is not a size: {error}", excerpt(text)),
        })?;
        let size = usize::try_from(size.0).unwrap_or(usize::MAX);
        if !(1..=MAX_BODY_BYTES).contains(&size) {
            return Err(format!("must be from 1B to 256kB, got `{}`", excerpt(text)));
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

/// Returns whether a body is a JSON object or list.
fn is_json(body: &str) -> bool {
    body.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok()
}

fn is_content_type(header: &Header) -> bool {
    header.name.eq_ignore_ascii_case("content-type")
}

fn parse_header(name: &str, value: &Value) -> Result<Header, String> {
    // RFC 9110, 5.6.2: a token.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(token) {
        return Err("not a valid name of a header".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), "host" | "content-length" | "connection" | "transfer-encoding" | "upgrade") {
        return Err("the platform sets this header; remove it".to_owned());
    }
    let value = match value {
        Value::String(_) if is_credential_header(&lower) => {
            return Err(
                r#"contains a credential, which must not be in a file: write { secret = "NAME" } and set the value with `wrangler secret put NAME`"#
                    .to_owned(),
            );
        }
        Value::String(text) => HeaderValue::Literal(parse_value(text)?),
        Value::Object(table) => {
            if let Some(unknown) = table.keys().find(|key| !matches!(key.as_str(), "secret" | "prefix")) {
                return Err(format!(
                    "unknown setting `{}` of a header; the settings are secret and prefix",
                    excerpt(unknown)
                ));
            }
            let text = |key: &str| match table.get(key) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.as_str())),
                Some(_) => Err(format!("{key} must be text in quotes")),
            };
            let name = text("secret")?.ok_or("the name of the secret is missing")?;
            let name = SecretName::parse_sent(name).map_err(|error| format!("secret: {error}"))?;
            HeaderValue::Secret { name, prefix: parse_value(text("prefix")?.unwrap_or_default())? }
        }
        _ => {
            return Err(r#"must be text in quotes, or { secret = "NAME", prefix = "Bearer " }"#.to_owned());
        }
    };
    Ok(Header { name: name.to_owned(), value })
}

fn parse_value(text: &str) -> Result<String, String> {
    if text.len() > MAX_VALUE_BYTES || !text.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        return Err(format!(
            "a value must be one line of at most {MAX_VALUE_BYTES} printable ASCII characters"
        ));
    }
    Ok(text.to_owned())
}
