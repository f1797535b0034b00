//! Conditions with Gatus's grammar and kind, such as `[STATUS] == 200` or `[BODY].user.name == pat(jo*)`.
//!
//! A condition is parsed once, with the configuration. One on a property that a Worker cannot observe is refused with the reason. The
//! cost of an evaluation is bounded: by the length of the condition, the size of the body, the depth of its JSON, and patterns that
//! match in linear time. `docs/conditions.md` describes the kind and the differences from Gatus.
//!
//! `serde_json` parses the numbers of a body: whole numbers within 64 bits are exact, all others are the nearest `f64`, as all numbers
//! are in Gatus. A number too large for an `f64` makes the body invalid JSON, as in Go.

mod error;
mod eval_context;
mod glob;
mod header;
mod number;
mod operand;
mod path;
mod possibility;
mod possible_values;
mod print;
mod property;
mod typos;

pub use error::ConditionError;
pub use eval_context::{EvalContext, ObservedBody, Outcome};
pub use header::ObservedHeaders;
pub use number::parse_duration_nanos as parse_go_duration;
pub use operand::MAX_OPTIONS;
pub use possibility::{Impossible, ValueLimits, find_impossible};
pub use possible_values::RCODES;

use self::operand::{Operand, Resolved};

/// Length limit of a condition, in bytes.
pub const MAX_LENGTH: usize = 512;

/// Most characters of a value in [`ConditionResult::description`]; a longer value is marked as cut.
const MAX_VALUE_CHARS: usize = 200;

/// Most characters of a value that is compared with a pattern, as in Gatus.
const MAX_VALUE_CHARS_BESIDE_PATTERN: usize = 25;

/// One assertion on the outcome of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    text: String,
    left: Operand,
    operator: Operator,
    right: Operand,
}

/// The result of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionResult {
    /// Whether the condition holds.
    pub ok: bool,
    /// The condition as written; if it does not hold, with the observed values in parentheses. It may contain text of a target: escape
    /// it, and do not publish it.
    pub description: String,
}

/// A placeholder in a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// The HTTP status: `[STATUS]`.
    Status,
    /// The response time in milliseconds: `[RESPONSE_TIME]`.
    ResponseTime,
    /// Whether the target responded: `[CONNECTED]`.
    Connected,
    /// The response body, or a part of it: `[BODY]`, `[BODY].path`.
    Body,
    /// A header of the response: `[HEADER].name`.
    Header,
    /// The response code of a DNS query: `[DNS_RCODE]`.
    DnsRcode,
    /// The time until the registration of the domain ends, in milliseconds: `[DOMAIN_EXPIRATION]`.
    DomainExpiration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Greater,
    Less,
}

/// The operators in Gatus's order of precedence: the first one that occurs anywhere divides the condition.
const OPERATORS: [(&str, Operator); 6] = [
    (" == ", Operator::Equal),
    (" != ", Operator::NotEqual),
    (" <= ", Operator::LessOrEqual),
    (" >= ", Operator::GreaterOrEqual),
    (" > ", Operator::Greater),
    (" < ", Operator::Less),
];

impl Condition {
    /// Parses a condition.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if text.len() > MAX_LENGTH {
            return Err(ConditionError::TooLong);
        }
        let found = OPERATORS.iter().find(|(sign, _)| text.contains(sign));
        let (sign, operator) = *found.ok_or_else(|| error::missing_operator(text))?;
        let mut sides = text.split(sign);
        let (left, right) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if sides.next().is_some() {
            return Err(ConditionError::DuplicateOperator(sign.trim()));
        }
        let (left, right) = (Operand::parse(left)?, Operand::parse(right)?);
        let ordered = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if ordered && (left.is_choice() || right.is_choice()) {
            return Err(ConditionError::ChoiceOrdered);
        }
        typos::check_sides(&left, &right, ordered)?;
        let condition = Condition { text: text.to_owned(), left, operator, right };
        if condition.placeholders().next().is_none()
            && !condition.holds(&EvalContext::new(Outcome::UNREACHED))
        {
            return Err(ConditionError::NeverHolds);
        }
        Ok(condition)
    }

    /// Returns the condition as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the placeholders of the condition, with duplicates.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> + '_ {
        [&self.left, &self.right].into_iter().filter_map(Operand::placeholder)
    }

    /// Returns whether the condition has this placeholder.
    pub fn uses(&self, placeholder: Placeholder) -> bool {
        self.placeholders().any(|used| used == placeholder)
    }

    /// Returns the names of the headers that the condition asks for, in lower case.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        [&self.left, &self.right].into_iter().filter_map(Operand::header)
    }

    /// Returns whether the condition holds.
    pub fn holds(&self, context: &EvalContext<'_>) -> bool {
        self.is_usable(context) && self.compare(&self.left.resolve(context), &self.right.resolve(context))
    }

    /// Returns whether the condition can be evaluated: not on a body that could not be read.
    fn is_usable(&self, context: &EvalContext<'_>) -> bool {
        context.bytes().is_some() || !self.uses(Placeholder::Body)
    }

    /// Evaluates the condition, with a description for the owner.
    pub fn evaluate(&self, context: &EvalContext<'_>) -> ConditionResult {
        let (left, right) = (self.left.resolve(context), self.right.resolve(context));
        let ok = self.is_usable(context) && self.compare(&left, &right);
        let description = if ok { self.text.clone() } else { self.describe(&left, &right, context) };
        ConditionResult { ok, description }
    }

    fn compare(&self, left: &Resolved<'_>, right: &Resolved<'_>) -> bool {
        // As long as nobody knows the date, it is no reason for an outage.
        if self.left.lacks_domain(left) || self.right.lacks_domain(right) {
            return true;
        }
        // A missing date is neither old nor new.
        if self.left.lacks_date(left) || self.right.lacks_date(right) {
            return self.operator == Operator::NotEqual;
        }
        let numbers = || (left.number(), right.number());
        match self.operator {
            Operator::Equal => operand::equal((&self.left, left), (&self.right, right)),
            Operator::NotEqual => !operand::equal((&self.left, left), (&self.right, right)),
            Operator::LessOrEqual => matches!(numbers(), (left, right) if left <= right),
            Operator::GreaterOrEqual => matches!(numbers(), (left, right) if left >= right),
            Operator::Greater => matches!(numbers(), (left, right) if left > right),
            Operator::Less => matches!(numbers(), (left, right) if left < right),
        }
    }

    fn describe(&self, left: &Resolved<'_>, right: &Resolved<'_>, context: &EvalContext<'_>) -> String {
        let sign =
            OPERATORS.iter().find(|(_, operator)| *operator == self.operator).map_or("", |(sign, _)| sign);
        let ordered = !matches!(self.operator, Operator::Equal | Operator::NotEqual);
        let side = |operand: &Operand, resolved: &Resolved<'_>, other: &Operand| {
            if let Some(problem) = operand.describe_missing(resolved, context) {
                return format!("{} ({problem})", operand.as_str());
            }
            let max_chars = if other.is_pattern() { MAX_VALUE_CHARS_BESIDE_PATTERN } else { MAX_VALUE_CHARS };
            operand.describe(resolved, other, ordered, max_chars)
        };
        let (left, right) = (side(&self.left, left, &self.right), side(&self.right, right, &self.left));
        format!("{left}{sign}{right}")
    }
}

#[cfg(test)]
mod tests;
