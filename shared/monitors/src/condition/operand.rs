//! The operands of a condition: a placeholder, a function of one (`len()`, `has()`), `any()`, `pat()`, or literal text.

use std::borrow::Cow;

use super::eval_context::EvalContext;
use super::glob::Glob;
use super::possible_values::{PossibleValues, possible_values};
use super::property::{Property, PropertyFunction};
use super::{ConditionError, Placeholder, ValueLimits, number, typos};

/// The maximum number of values in one `any()`.
pub const MAX_OPTIONS: usize = 50;

/// Suffix of a value that does not exist, as in Gatus.
const INVALID: &str = "(INVALID)";

/// An operand of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    /// The text as written, without surrounding spaces.
    text: String,
    kind: OperandKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum OperandKind {
    /// Literal text.
    Literal,
    /// A pattern: `pat(…)`.
    Pattern(Glob),
    /// A choice of values: `any(…)`.
    Any(Vec<String>),
    /// A property of the outcome, such as `[STATUS]` or `len([BODY].data)`.
    Observed(PropertyFunction, Property),
    /// `len()` of literal text, which never resolves.
    LengthOfLiteral,
    /// `has()` of literal text, which is always `false`.
    HasLiteral,
}

/// The value of a side in one outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved<'s> {
    Text(Cow<'s, str>),
    /// The value does not exist; the text as written, which Gatus compares.
    Invalid(&'s str),
}

impl Resolved<'_> {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Resolved::Text(text) => Cow::Borrowed(text),
            Resolved::Invalid(text) => Cow::Owned(format!("{text} {INVALID}")),
        }
    }

    /// Returns the value as a side of `<`, `<=`, `>` or `>=`.
    pub(super) fn number(&self) -> i64 {
        match self {
            Resolved::Text(text) => number::parse_ordered(text),
            Resolved::Invalid(_) => 0,
        }
    }
}

impl Operand {
    /// Parses one side.
    pub(super) fn parse(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        if typos::has_copied_value(text) {
            return Err(ConditionError::CopiedValue(text.to_owned()));
        }
        let kind = if let Some(pattern) = function_argument(text, "pat(")? {
            OperandKind::Pattern(Glob::parse(pattern)?)
        } else if let Some(options) = function_argument(text, "any(")? {
            if options.trim().is_empty() {
                return Err(ConditionError::NoOptions);
            }
            if options.split(',').count() > MAX_OPTIONS {
                return Err(ConditionError::Options);
            }
            OperandKind::Any(options.split(',').map(|option| option.trim().to_owned()).collect())
        } else if let Some(inner) = function_argument(text, "len(")? {
            match Property::parse(inner)? {
                Some(property) => OperandKind::Observed(PropertyFunction::Length, property),
                None => {
                    typos::find_unknown_placeholder(inner).map_or(Ok(OperandKind::LengthOfLiteral), Err)?
                }
            }
        } else if let Some(inner) = function_argument(text, "age(")? {
            match Property::parse(inner)? {
                Some(property @ Property::Header(_)) => {
                    OperandKind::Observed(PropertyFunction::Age, property)
                }
                _ => return Err(ConditionError::Age),
            }
        } else if let Some(inner) = function_argument(text, "has(")? {
            match Property::parse(inner)? {
                Some(property) => OperandKind::Observed(PropertyFunction::Has, property),
                None => typos::find_unknown_placeholder(inner).map_or(Ok(OperandKind::HasLiteral), Err)?,
            }
        } else {
            Property::parse(text)?.map_or(OperandKind::Literal, |property| {
                OperandKind::Observed(PropertyFunction::Identity, property)
            })
        };
        Ok(Operand { text: text.to_owned(), kind })
    }

    /// Returns the text as written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text of a literal.
    pub(super) fn literal(&self) -> Option<&str> {
        matches!(self.kind, OperandKind::Literal).then_some(self.text.as_str())
    }

    /// Returns whether this is a property whose value is never empty text.
    pub(super) fn never_empty(&self) -> bool {
        match &self.kind {
            OperandKind::Observed(PropertyFunction::Identity, property) => {
                !matches!(property, Property::Body | Property::BodyPath(_) | Property::Header(_))
            }
            OperandKind::Observed(..) => true,
            _ => false,
        }
    }

    /// Returns the nanoseconds of a literal duration.
    fn duration(&self) -> Option<i64> {
        self.literal().and_then(number::parse_duration_nanos)
    }

    /// Returns whether the value of this side is a time in milliseconds.
    fn is_time(&self) -> bool {
        match &self.kind {
            OperandKind::Observed(PropertyFunction::Age, _) => true,
            OperandKind::Observed(PropertyFunction::Identity, property) => property.is_time(),
            _ => false,
        }
    }

    /// Returns whether this is `pat()`.
    pub(super) fn is_pattern(&self) -> bool {
        matches!(self.kind, OperandKind::Pattern(_))
    }

    /// Returns whether this is `pat()` or `any()`.
    pub(super) fn is_choice(&self) -> bool {
        matches!(self.kind, OperandKind::Pattern(_) | OperandKind::Any(_))
    }

    /// Returns the placeholder, if this side has one.
    pub(super) fn placeholder(&self) -> Option<Placeholder> {
        let OperandKind::Observed(_, property) = &self.kind else { return None };
        Some(match property {
            Property::Status => Placeholder::Status,
            Property::ResponseTime => Placeholder::ResponseTime,
            Property::Connected => Placeholder::Connected,
            Property::Body | Property::BodyPath(_) => Placeholder::Body,
            Property::Header(_) => Placeholder::Header,
            Property::DnsRcode => Placeholder::DnsRcode,
            Property::DomainExpiration => Placeholder::DomainExpiration,
        })
    }

    /// Returns the texts that a constant side is compared as.
    pub(super) fn constant_texts(&self) -> impl Iterator<Item = &str> {
        let options = match &self.kind {
            OperandKind::Any(options) => options.as_slice(),
            _ => &[],
        };
        let whole = options.is_empty().then_some(self.text.as_str());
        whole.into_iter().chain(options.iter().map(String::as_str))
    }

    /// Returns whether both sides are the same function of the same placeholder.
    pub(super) fn observes_same(&self, other: &Operand) -> bool {
        matches!(self.kind, OperandKind::Observed(..)) && self.kind == other.kind
    }

    /// Returns whether this is the age of a header.
    pub(super) fn is_age(&self) -> bool {
        matches!(self.kind, OperandKind::Observed(PropertyFunction::Age, _))
    }

    /// Returns the values that this side can have, if it has a placeholder.
    pub(super) fn possible_values(&self, limits: ValueLimits) -> Option<PossibleValues> {
        let OperandKind::Observed(function, property) = &self.kind else { return None };
        Some(possible_values(*function, property, limits))
    }

    /// Returns the name of the header that this side asks for.
    pub(super) fn header(&self) -> Option<&str> {
        match &self.kind {
            OperandKind::Observed(_, Property::Header(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns whether this is the age of a header that has no date.
    pub(super) fn lacks_date(&self, resolved: &Resolved<'_>) -> bool {
        matches!(self.kind, OperandKind::Observed(PropertyFunction::Age, _))
            && matches!(resolved, Resolved::Invalid(_))
    }

    /// Returns whether this is the expiration of a domain that is not known.
    pub(super) fn lacks_domain(&self, resolved: &Resolved<'_>) -> bool {
        matches!(self.kind, OperandKind::Observed(_, Property::DomainExpiration))
            && matches!(resolved, Resolved::Invalid(_))
    }

    /// Returns the value of this side.
    pub(super) fn resolve<'s>(&'s self, context: &'s EvalContext<'_>) -> Resolved<'s> {
        let found = match &self.kind {
            OperandKind::Literal | OperandKind::Pattern(_) | OperandKind::Any(_) => {
                Some(Cow::Borrowed(self.text.as_str()))
            }
            OperandKind::LengthOfLiteral => None,
            OperandKind::HasLiteral => Some(Cow::Borrowed("false")),
            OperandKind::Observed(function, property) => property.resolve(*function, context),
        };
        found.map_or(Resolved::Invalid(&self.text), Resolved::Text)
    }

    /// Returns why this side has no value: the body is not JSON, or there is no such header, or no date in it.
    pub(super) fn describe_missing(
        &self,
        resolved: &Resolved<'_>,
        context: &EvalContext<'_>,
    ) -> Option<String> {
        if !matches!(resolved, Resolved::Invalid(_)) {
            return None;
        }
        match &self.kind {
            OperandKind::Observed(_, Property::BodyPath(_)) => context.describe_no_json(),
            OperandKind::Observed(function, Property::Header(name)) => {
                let found = context.headers().and_then(|headers| headers.get(name));
                let is_age = *function == PropertyFunction::Age;
                Some(if found.is_some() && is_age { "no date" } else { "no such header" }.to_owned())
            }
            _ => None,
        }
    }

    /// Returns the text as written, followed by the value if that differs: at most `max_chars` of it, and a time beside a duration as one.
    pub(super) fn describe(
        &self,
        resolved: &Resolved<'_>,
        other: &Operand,
        ordered: bool,
        max_chars: usize,
    ) -> String {
        let found = match resolved {
            // A literal duration needs no value beside it.
            _ if ordered && self.duration().is_some() => return self.text.clone(),
            resolved if ordered && self.is_time() && other.duration().is_some_and(|nanos| nanos != 0) => {
                number::format_duration(resolved.number())
            }
            resolved if ordered => resolved.number().to_string(),
            Resolved::Invalid(_) => return resolved.text().into_owned(),
            Resolved::Text(text) => truncate(text, max_chars).into_owned(),
        };
        if found == self.text { found } else { format!("{} ({found})", self.text) }
    }
}

/// Returns whether two sides are equal by Gatus's rules: a pattern or a choice is matched with the other side, two whole numbers are
/// compared as numbers, and everything else is compared as text.
pub(super) fn equal(left: (&Operand, &Resolved<'_>), right: (&Operand, &Resolved<'_>)) -> bool {
    match (&left.0.kind, &right.0.kind) {
        (OperandKind::Pattern(a), OperandKind::Pattern(b)) => a == b,
        (OperandKind::Pattern(glob), _) => glob.matches(&right.1.text()),
        (_, OperandKind::Pattern(glob)) => glob.matches(&left.1.text()),
        (OperandKind::Any(a), OperandKind::Any(b)) => a == b,
        (OperandKind::Any(options), _) => options.iter().any(|option| *option == right.1.text()),
        (_, OperandKind::Any(options)) => options.iter().any(|option| *option == left.1.text()),
        _ => {
            let (left, right) = (left.1.text(), right.1.text());
            match (number::parse_whole(&left), number::parse_whole(&right)) {
                (Some(left), Some(right)) => left == right,
                _ => left == right,
            }
        }
    }
}

/// Returns the text in the parentheses of a function; `None` if the text is not this function.
fn function_argument<'t>(text: &'t str, function: &'static str) -> Result<Option<&'t str>, ConditionError> {
    match text.strip_prefix(function).map(|rest| rest.strip_suffix(')')) {
        None => Ok(None),
        Some(Some(inner)) => Ok(Some(inner)),
        Some(None) => Err(ConditionError::Unclosed(function)),
    }
}

/// Returns at most `max_chars` characters.
fn truncate(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) if text.len() > max_chars => Cow::Owned(format!("{}...(truncated)", &text[..end])),
        _ => Cow::Borrowed(text),
    }
}
