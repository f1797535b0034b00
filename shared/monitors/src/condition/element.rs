//! One side of a condition: a placeholder, a function of one, a choice (`any()`, `pat()`) or a text as it stands.

use std::borrow::Cow;

use super::eval_context::EvalContext;
use super::glob::Glob;
use super::path::Path;
use super::{ConditionError, Placeholder, number, print};

/// Most values of one `any()`.
pub(super) const MOST_OPTIONS: usize = 50;

/// What Gatus appends to what leads nowhere.
const INVALID: &str = "(INVALID)";

/// One side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// As it was written, without the space around it.
    text: String,
    meaning: Meaning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    /// Itself.
    Literal,
    /// `pat(…)`
    Pattern(Glob),
    /// `any(…)`
    Any(Vec<String>),
    /// `[STATUS]`, `len([BODY].data)` and the like.
    Seen(Function, Subject),
    /// `len()` of what is no placeholder: never resolves.
    LengthOfNothing,
    /// `has()` of what is no placeholder: always `false`.
    HasNothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Itself,
    Length,
    Has,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Status,
    ResponseTime,
    Connected,
    Body,
    BodyPath(Path),
}

/// What a side stands for in one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved<'s> {
    Text(Cow<'s, str>),
    /// It leads nowhere; the text as written, for comparison as Gatus makes it.
    Invalid(&'s str),
}

impl Resolved<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Resolved::Text(text) => Cow::Borrowed(text),
            Resolved::Invalid(text) => Cow::Owned(format!("{text} {INVALID}")),
        }
    }

    /// As a side of `<` and its like.
    pub(super) fn number(&self) -> i64 {
        match self {
            Resolved::Text(text) => number::ordered(text),
            Resolved::Invalid(_) => 0,
        }
    }
}

impl Element {
    /// Reads one side.
    pub(super) fn parse(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        let meaning = if let Some(pattern) = inside(text, "pat(")? {
            Meaning::Pattern(Glob::parse(pattern)?)
        } else if let Some(options) = inside(text, "any(")? {
            if options.split(',').count() > MOST_OPTIONS {
                return Err(ConditionError::Options);
            }
            Meaning::Any(options.split(',').map(|option| option.trim().to_owned()).collect())
        } else if let Some(inner) = inside(text, "len(")? {
            Subject::parse(inner)?
                .map_or(Meaning::LengthOfNothing, |subject| Meaning::Seen(Function::Length, subject))
        } else if let Some(inner) = inside(text, "has(")? {
            Subject::parse(inner)?
                .map_or(Meaning::HasNothing, |subject| Meaning::Seen(Function::Has, subject))
        } else {
            Subject::parse(text)?.map_or(Meaning::Literal, |subject| Meaning::Seen(Function::Itself, subject))
        };
        Ok(Element { text: text.to_owned(), meaning })
    }

    /// Whether it is `pat()`.
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.meaning, Meaning::Pattern(_))
    }

    /// Whether it is `pat()` or `any()`.
    pub(super) fn is_choice(&self) -> bool {
        matches!(self.meaning, Meaning::Pattern(_) | Meaning::Any(_))
    }

    /// What it asks about.
    pub(super) fn placeholder(&self) -> Option<Placeholder> {
        let Meaning::Seen(_, subject) = &self.meaning else { return None };
        Some(match subject {
            Subject::Status => Placeholder::Status,
            Subject::ResponseTime => Placeholder::ResponseTime,
            Subject::Connected => Placeholder::Connected,
            Subject::Body | Subject::BodyPath(_) => Placeholder::Body,
        })
    }

    /// What it stands for.
    pub(super) fn resolve<'s>(&'s self, scene: &'s EvalContext<'_>) -> Resolved<'s> {
        let found = match &self.meaning {
            Meaning::Literal | Meaning::Pattern(_) | Meaning::Any(_) => {
                Some(Cow::Borrowed(self.text.as_str()))
            }
            Meaning::LengthOfNothing => None,
            Meaning::HasNothing => Some(Cow::Borrowed("false")),
            Meaning::Seen(function, subject) => subject.resolve(*function, scene),
        };
        found.map_or(Resolved::Invalid(&self.text), Resolved::Text)
    }

    /// It with what it stands for, where that is something else; at most `most` characters of it.
    pub(super) fn show(&self, resolved: &Resolved<'_>, ordered: bool, most: usize) -> String {
        // A duration in a condition is clear as it stands.
        let clear = matches!(self.meaning, Meaning::Literal) && number::duration_nanos(&self.text).is_some();
        let found = match resolved {
            _ if ordered && clear => return self.text.clone(),
            resolved if ordered => resolved.number().to_string(),
            Resolved::Invalid(_) => return resolved.text().into_owned(),
            Resolved::Text(text) => cut(text, most).into_owned(),
        };
        if found == self.text { found } else { format!("{} ({found})", self.text) }
    }
}

/// Whether two sides are equal, as Gatus has it: a pattern or a choice on one of them is matched with the other; two
/// whole numbers are compared as numbers; everything else as text.
pub(super) fn equal(left: (&Element, &Resolved<'_>), right: (&Element, &Resolved<'_>)) -> bool {
    match (&left.0.meaning, &right.0.meaning) {
        (Meaning::Pattern(a), Meaning::Pattern(b)) => a == b,
        (Meaning::Pattern(glob), _) => glob.matches(&right.1.text()),
        (_, Meaning::Pattern(glob)) => glob.matches(&left.1.text()),
        (Meaning::Any(a), Meaning::Any(b)) => a == b,
        (Meaning::Any(options), _) => options.iter().any(|option| *option == right.1.text()),
        (_, Meaning::Any(options)) => options.iter().any(|option| *option == left.1.text()),
        _ => {
            let (left, right) = (left.1.text(), right.1.text());
            match (number::whole(&left), number::whole(&right)) {
                (Some(left), Some(right)) => left == right,
                _ => left == right,
            }
        }
    }
}

/// What stands in the parentheses of a function.
fn inside<'t>(text: &'t str, function: &'static str) -> Result<Option<&'t str>, ConditionError> {
    match text.strip_prefix(function).map(|rest| rest.strip_suffix(')')) {
        None => Ok(None),
        Some(Some(inner)) => Ok(Some(inner)),
        Some(None) => Err(ConditionError::Unclosed(function)),
    }
}

/// At most `most` characters.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) if text.len() > most => Cow::Owned(format!("{}...(truncated)", &text[..end])),
        _ => Cow::Borrowed(text),
    }
}

impl Subject {
    /// A placeholder; `None` where it is a text like any other. Names may be written in either case.
    fn parse(text: &str) -> Result<Option<Self>, ConditionError> {
        const BODY: usize = "[BODY]".len();
        let upper = text.to_ascii_uppercase();
        Ok(Some(match upper.as_str() {
            "[STATUS]" => Subject::Status,
            "[RESPONSE_TIME]" => Subject::ResponseTime,
            "[CONNECTED]" => Subject::Connected,
            "[BODY]" => Subject::Body,
            "[IP]" => return Err(ConditionError::Invisible("[IP]")),
            "[CERTIFICATE_EXPIRATION]" => return Err(ConditionError::Invisible("[CERTIFICATE_EXPIRATION]")),
            "[DOMAIN_EXPIRATION]" => return Err(ConditionError::Whois),
            "[DNS_RCODE]" => return Err(ConditionError::DnsRcode),
            _ if upper.starts_with("[CONTEXT]") => return Err(ConditionError::Context),
            _ if upper.starts_with("[BODY].") || upper.starts_with("[BODY][") => {
                Subject::BodyPath(Path::parse(&text[BODY..]))
            }
            _ => return misspelt(text).map_or(Ok(None), Err),
        }))
    }

    fn resolve<'s>(&self, function: Function, scene: &'s EvalContext<'_>) -> Option<Cow<'s, str>> {
        let value = match self {
            Subject::Status => scene.outcome.status.to_string(),
            Subject::ResponseTime => scene.outcome.millis().to_string(),
            Subject::Connected => scene.outcome.connected.to_string(),
            Subject::Body => return whole_body(function, scene),
            Subject::BodyPath(path) => return in_body(path, function, scene),
        };
        Some(match function {
            Function::Itself => value.into(),
            Function::Length => value.len().to_string().into(),
            Function::Has => "true".into(),
        })
    }
}

fn whole_body<'s>(function: Function, scene: &'s EvalContext<'_>) -> Option<Cow<'s, str>> {
    let bytes = scene.bytes()?;
    Some(match function {
        Function::Itself => scene.text()?,
        Function::Has => (!scene.text()?.is_empty()).to_string().into(),
        Function::Length => {
            let list = bytes.starts_with(b"[") && bytes.ends_with(b"]");
            let items = list.then(|| scene.json()).flatten().and_then(|json| json.as_array());
            match items {
                Some(items) => items.len(),
                None if list => scene.text()?.len(),
                None => bytes.len(),
            }
            .to_string()
            .into()
        }
    })
}

fn in_body<'s>(path: &Path, function: Function, scene: &'s EvalContext<'_>) -> Option<Cow<'s, str>> {
    let found = scene.json().and_then(|json| path.walk(json));
    if function == Function::Has {
        return scene.bytes().map(|_| found.is_some().to_string().into());
    }
    let found = found?;
    Some(match (function, found) {
        (Function::Itself, serde_json::Value::String(text)) => Cow::Borrowed(text.as_str()),
        (Function::Itself, value) => print::text_and_length(value).0.into(),
        (_, value) => print::text_and_length(value).1.to_string().into(),
    })
}

/// A text that looks like a placeholder and is one letter away from one. Others, such as `[1 2]`, are texts.
fn misspelt(text: &str) -> Option<ConditionError> {
    const KNOWN: [&str; 4] = ["[STATUS]", "[RESPONSE_TIME]", "[CONNECTED]", "[BODY]"];
    let end = text.find(']')?;
    let found = text.get(..=end)?;
    let name = found.strip_prefix('[')?.strip_suffix(']')?;
    if name.len() < 4
        || name.len() > 20
        || !name.bytes().all(|b| b.is_ascii_alphabetic() || b"_- ".contains(&b))
    {
        return None;
    }
    let upper = found.to_ascii_uppercase().replace(['-', ' '], "_");
    let meant = KNOWN.into_iter().find(|known| strsim::levenshtein(&upper, known) <= 2)?;
    Some(ConditionError::Placeholder { found: found.to_owned(), meant })
}
