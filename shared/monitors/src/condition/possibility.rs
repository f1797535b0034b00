//! Conditions that can never hold, alone or together: they are tried with the values that a placeholder can have.
//!
//! Whether a comparison holds changes only at the values that conditions name. So it is enough to try those values, their neighbors, and
//! the ends of the range of the placeholder. No meaning of a comparison is written a second time: the values go through the evaluation.

use std::borrow::Cow;
use std::time::Duration;

use super::operand::{Operand, Resolved};
use super::possible_values::PossibleValues;
use super::{Condition, EvalContext, Operator, Outcome, number};

/// The most values of a range that are all tried with a pattern.
const MAX_LISTED: i64 = 1000;

/// What limits the values of a monitor's placeholders.
#[derive(Clone, Copy, Debug)]
pub struct ValueLimits {
    /// The longest response time.
    pub response_time: Duration,
    /// Whether the conditions are also evaluated without a response.
    pub without_response: bool,
}

/// Conditions that can never hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impossible {
    /// The position of the first condition that cannot hold together with those before it, or alone.
    pub position: usize,
    /// The reason.
    pub reason: String,
}

/// Returns the first of these conditions that can never hold, alone or together with those before it.
pub fn find_impossible(conditions: &[&Condition], limits: ValueLimits) -> Option<Impossible> {
    for (position, condition) in conditions.iter().enumerate() {
        if condition.compares_with_itself() {
            let reason = "can never hold, as both sides are always equal".to_owned();
            return Some(Impossible { position, reason });
        }
        let Some((operand, values)) = observed(condition, limits) else { continue };
        let before = conditions
            .iter()
            .take(position)
            .filter(|other| observed(other, limits).is_some_and(|(it, _)| it.observes_same(operand)));
        let alone = [*condition];
        if !can_hold(&alone, operand, &values) {
            let reason = format!("can never hold: {} is {values}", operand.as_str());
            return Some(Impossible { position, reason });
        }
        let mut together: Vec<&Condition> = before.copied().collect();
        together.push(condition);
        if !can_hold(&together, operand, &values) {
            together.pop();
            let others: Vec<_> = together.iter().map(|other| format!("`{}`", other.as_str())).collect();
            let reason = format!("can never hold together with {}", others.join(" and "));
            return Some(Impossible { position, reason });
        }
    }
    None
}

/// Returns the placeholder of a condition that compares it with a constant, and the values that it can have.
fn observed(condition: &Condition, limits: ValueLimits) -> Option<(&Operand, PossibleValues)> {
    match (condition.left.possible_values(limits), condition.right.possible_values(limits)) {
        (Some(values), None) => Some((&condition.left, values)),
        (None, Some(values)) => Some((&condition.right, values)),
        _ => None,
    }
}

/// Returns whether these conditions on one placeholder can hold together.
fn can_hold(conditions: &[&Condition], operand: &Operand, values: &PossibleValues) -> bool {
    let constants: Vec<&Operand> = conditions
        .iter()
        .flat_map(|condition| [&condition.left, &condition.right])
        .filter(|side| side.placeholder().is_none())
        .collect();
    let mut candidates = values.ends();
    if constants.iter().any(|side| side.is_pattern()) {
        if values.count().is_none_or(|count| count > MAX_LISTED) {
            return true;
        }
        candidates = values.list();
    }
    for text in constants.iter().flat_map(|side| side.constant_texts()) {
        candidates.extend(values.near(text, number::parse_ordered(text)));
        candidates
            .extend(number::parse_whole(text).map(|whole| values.near(text, whole)).unwrap_or_default());
    }
    let mut candidates: Vec<_> =
        candidates.into_iter().map(|text| Resolved::Text(Cow::Owned(text))).collect();
    if values.may_be_missing() {
        candidates.push(Resolved::Invalid(operand.as_str()));
    }
    candidates.iter().any(|candidate| conditions.iter().all(|condition| condition.holds_with(candidate)))
}

impl Condition {
    /// Returns whether the condition holds if its only placeholder has this value.
    fn holds_with(&self, value: &Resolved<'_>) -> bool {
        let nothing = EvalContext::new(Outcome::UNREACHED);
        if self.left.placeholder().is_some() {
            self.compare(value, &self.right.resolve(&nothing))
        } else {
            self.compare(&self.left.resolve(&nothing), value)
        }
    }

    /// Returns whether the condition says that a placeholder differs from itself.
    fn compares_with_itself(&self) -> bool {
        let differs = matches!(self.operator, Operator::NotEqual | Operator::Less | Operator::Greater);
        // The age of a missing date differs from everything.
        differs && self.left.observes_same(&self.right) && !self.left.is_age()
    }
}
