//! Conditions in Gatus's grammar and meaning: `[STATUS] == 200`, `[BODY].user.name == pat(jo*)`.
//!
//! A condition is parsed once, with the configuration; one about something that a Worker cannot observe is refused with the
//! reason. The cost of an evaluation is bounded by the length of the condition, the body that a probe keeps, the depth of
//! JSON that is parsed, and patterns that match in linear time. `docs/conditions.md` describes the meaning and the
//! differences from Gatus.
//!
//! Numbers of a body are as `serde_json` reads them: whole numbers within 64 bits are exact, all others are the nearest
//! `f64`, as all numbers are in Gatus. A number too large for an `f64` makes the body invalid JSON, as in Go.

mod element;
mod error;
mod eval_context;
mod glob;
mod number;
mod path;
mod print;

pub use error::ConditionError;
pub use eval_context::{EvalContext, ObservedBody, Outcome};

use self::element::{Element, Resolved};

/// Longest condition, in bytes.
pub const LONGEST: usize = 512;

/// Most characters of one side in [`ConditionResult::shown`]; what is longer is cut there, and says so.
const MOST_SHOWN: usize = 200;

/// As Gatus has it: where one side is a pattern, this much of the other is enough to recognise it.
const SHOWN_BESIDE_A_PATTERN: usize = 25;

/// One assertion on an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    text: String,
    left: Element,
    relation: Relation,
    right: Element,
}

/// What became of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionResult {
    /// Whether it holds.
    pub ok: bool,
    /// The condition as written; where it does not hold, with what was found in parentheses. It may hold text
    /// that a target sent: escape it, and keep it off public pages.
    pub shown: String,
}

/// A placeholder that a condition asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `[STATUS]`
    Status,
    /// `[RESPONSE_TIME]`
    ResponseTime,
    /// `[CONNECTED]`
    Connected,
    /// `[BODY]`, whole or a path into it.
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Greater,
    Less,
}

/// In the order in which Gatus looks for them: the first that occurs anywhere divides the condition.
const RELATIONS: [(&str, Relation); 6] = [
    (" == ", Relation::Equal),
    (" != ", Relation::NotEqual),
    (" <= ", Relation::LessOrEqual),
    (" >= ", Relation::GreaterOrEqual),
    (" > ", Relation::Greater),
    (" < ", Relation::Less),
];

impl Condition {
    /// Reads one condition.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if text.len() > LONGEST {
            return Err(ConditionError::TooLong);
        }
        let found = RELATIONS.iter().find(|(sign, _)| text.contains(sign));
        let (sign, relation) = *found.ok_or_else(|| error::no_relation(text))?;
        let mut sides = text.split(sign);
        let (left, right) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if sides.next().is_some() {
            return Err(ConditionError::Twice(sign.trim()));
        }
        let (left, right) = (Element::parse(left)?, Element::parse(right)?);
        let ordered = !matches!(relation, Relation::Equal | Relation::NotEqual);
        if ordered && (left.is_choice() || right.is_choice()) {
            return Err(ConditionError::ChoiceOrdered);
        }
        Ok(Condition { text: text.to_owned(), left, relation, right })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it asks about, each placeholder once or twice.
    pub fn placeholders(&self) -> impl Iterator<Item = Placeholder> + '_ {
        [&self.left, &self.right].into_iter().filter_map(Element::placeholder)
    }

    /// Whether it asks about `placeholder`.
    pub fn asks_about(&self, placeholder: Placeholder) -> bool {
        self.placeholders().any(|asked| asked == placeholder)
    }

    /// Whether it holds.
    pub fn holds(&self, scene: &EvalContext<'_>) -> bool {
        self.relate(&self.left.resolve(scene), &self.right.resolve(scene))
    }

    /// Whether it holds, and what to tell its owner.
    pub fn check(&self, scene: &EvalContext<'_>) -> ConditionResult {
        let (left, right) = (self.left.resolve(scene), self.right.resolve(scene));
        let ok = self.relate(&left, &right);
        let shown = if ok { self.text.clone() } else { self.show(&left, &right) };
        ConditionResult { ok, shown }
    }

    fn relate(&self, left: &Resolved<'_>, right: &Resolved<'_>) -> bool {
        let numbers = || (left.number(), right.number());
        match self.relation {
            Relation::Equal => element::equal((&self.left, left), (&self.right, right)),
            Relation::NotEqual => !element::equal((&self.left, left), (&self.right, right)),
            Relation::LessOrEqual => matches!(numbers(), (left, right) if left <= right),
            Relation::GreaterOrEqual => matches!(numbers(), (left, right) if left >= right),
            Relation::Greater => matches!(numbers(), (left, right) if left > right),
            Relation::Less => matches!(numbers(), (left, right) if left < right),
        }
    }

    fn show(&self, left: &Resolved<'_>, right: &Resolved<'_>) -> String {
        let sign =
            RELATIONS.iter().find(|(_, relation)| *relation == self.relation).map_or("", |(sign, _)| sign);
        let ordered = !matches!(self.relation, Relation::Equal | Relation::NotEqual);
        let side = |element: &Element, resolved: &Resolved<'_>, other: &Element| {
            let most = if other.is_pattern() { SHOWN_BESIDE_A_PATTERN } else { MOST_SHOWN };
            element.show(resolved, ordered, most)
        };
        let (left, right) = (side(&self.left, left, &self.right), side(&self.right, right, &self.left));
        format!("{left}{sign}{right}")
    }
}

#[cfg(test)]
mod tests;
