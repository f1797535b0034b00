//! What a condition observes of a response: a placeholder, or a function of one (`len()`, `has()`, `age()`).

use std::borrow::Cow;

use super::eval_context::EvalContext;
use super::path::Path;
use super::{ConditionError, header, print, typos};

/// The value that an operand has of its property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PropertyFunction {
    Identity,
    Length,
    Has,
    /// How long ago a date is, in milliseconds.
    Age,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Status,
    ResponseTime,
    Connected,
    Body,
    BodyPath(Path),
    /// A header, by its name in lower case.
    Header(String),
    DnsRcode,
    DomainExpiration,
}

impl Property {
    /// Returns whether the value is a time in milliseconds.
    pub(super) fn is_time(&self) -> bool {
        matches!(self, Property::ResponseTime | Property::DomainExpiration)
    }

    /// Parses a placeholder; `None` is literal text. Names are not case-sensitive.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, ConditionError> {
        const BODY: usize = "[BODY]".len();
        const HEADER: &str = "[HEADER].";
        let upper = text.to_ascii_uppercase();
        Ok(Some(match upper.as_str() {
            "[STATUS]" => Property::Status,
            "[RESPONSE_TIME]" => Property::ResponseTime,
            "[CONNECTED]" => Property::Connected,
            "[BODY]" => Property::Body,
            "[IP]" => return Err(ConditionError::Unavailable("[IP]")),
            "[CERTIFICATE_EXPIRATION]" => return Err(ConditionError::Certificate),
            "[DOMAIN_EXPIRATION]" => Property::DomainExpiration,
            "[DNS_RCODE]" => Property::DnsRcode,
            _ if upper.starts_with("[CONTEXT]") => return Err(ConditionError::Context),
            _ if upper.starts_with(HEADER) => {
                let name = header::parse_name(&text[HEADER.len()..]).ok_or(ConditionError::HeaderName)?;
                Property::Header(name)
            }
            "[HEADER]" => return Err(ConditionError::HeaderName),
            _ if upper.starts_with("[BODY].") || upper.starts_with("[BODY][") => {
                if !typos::has_valid_indexes(&text[BODY..]) {
                    return Err(ConditionError::Index(text.to_owned()));
                }
                Property::BodyPath(Path::parse(&text[BODY..]))
            }
            _ => return typos::find_misspelling(text).map_or(Ok(None), Err),
        }))
    }

    pub(super) fn resolve<'s>(
        &self,
        function: PropertyFunction,
        context: &'s EvalContext<'_>,
    ) -> Option<Cow<'s, str>> {
        let value = match self {
            Property::Status => context.outcome.status.to_string(),
            Property::ResponseTime => context.outcome.millis().to_string(),
            Property::Connected => context.outcome.connected.to_string(),
            Property::DnsRcode => context.dns_rcode().unwrap_or_default().to_owned(),
            Property::DomainExpiration => context.domain_expiration()?.to_string(),
            Property::Header(name) => return resolve_header(name, function, context),
            Property::Body => return resolve_body(function, context),
            Property::BodyPath(path) => return resolve_body_path(path, function, context),
        };
        Some(match function {
            PropertyFunction::Identity | PropertyFunction::Age => value.into(),
            PropertyFunction::Length => value.len().to_string().into(),
            PropertyFunction::Has => "true".into(),
        })
    }
}

/// Resolves a function of a header. A header that is missing has no value, and `has()` of it is false.
fn resolve_header<'s>(
    name: &str,
    function: PropertyFunction,
    context: &'s EvalContext<'_>,
) -> Option<Cow<'s, str>> {
    let headers = context.headers();
    let value = headers.and_then(|headers| headers.get(name));
    Some(match function {
        PropertyFunction::Identity => Cow::Borrowed(value?),
        PropertyFunction::Length => value?.len().to_string().into(),
        PropertyFunction::Has => value.is_some().to_string().into(),
        PropertyFunction::Age => format!("{}ms", headers?.age(name)?).into(),
    })
}

/// Resolves a function of `[BODY]`.
fn resolve_body<'s>(function: PropertyFunction, context: &'s EvalContext<'_>) -> Option<Cow<'s, str>> {
    let bytes = context.bytes()?;
    Some(match function {
        PropertyFunction::Identity | PropertyFunction::Age => context.text()?,
        PropertyFunction::Has => (!context.text()?.is_empty()).to_string().into(),
        PropertyFunction::Length => {
            let list = bytes.starts_with(b"[") && bytes.ends_with(b"]");
            let items = list.then(|| context.json()).flatten().and_then(|json| json.as_array());
            match items {
                Some(items) => items.len(),
                None if list => context.text()?.len(),
                None => bytes.len(),
            }
            .to_string()
            .into()
        }
    })
}

/// Resolves a function of a path into the body.
fn resolve_body_path<'s>(
    path: &Path,
    function: PropertyFunction,
    context: &'s EvalContext<'_>,
) -> Option<Cow<'s, str>> {
    let found = context.json().and_then(|json| path.find(json));
    if function == PropertyFunction::Has {
        return context.bytes().map(|_| found.is_some().to_string().into());
    }
    let found = found?;
    Some(match (function, found) {
        (PropertyFunction::Identity, serde_json::Value::String(text)) => Cow::Borrowed(text.as_str()),
        (PropertyFunction::Identity, value) => print::format_with_length(value).0.into(),
        (_, value) => print::format_with_length(value).1.to_string().into(),
    })
}
