//! Conditions in Gatus's grammar: `[STATUS] == 200`, `[RESPONSE_TIME] < 500`, `[STATUS] == any(200, 204)`.
//!
//! A condition is read once, with the configuration, into a form that can only be evaluated. What this version
//! does not know yet, and what a Worker can never see, is refused then and there with the reason.

use heapbeat_shared::units::parse_duration;

use super::Failure;
use super::outcome::Outcome;

/// One assertion on an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    subject: Subject,
    relation: Relation,
    /// One value, or for `==` and `!=` several, any of which will do.
    values: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Status,
    ResponseTime,
    /// 1 or 0.
    Connected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longest condition, in bytes.
const LONGEST: usize = 256;

/// Most values of one `any()`.
const MOST_VALUES: usize = 20;

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Not of the form that conditions have.
    #[error(
        "a condition is a placeholder, a comparison and a value with spaces between, such as `[STATUS] == 200`"
    )]
    Form,
    /// A comparison that there is not.
    #[error("`{0}` is no comparison; those are ==, !=, <, <=, > and >=")]
    Relation(String),
    /// Gatus has it, and a Worker cannot see it.
    #[error(
        "{0} is what a Worker cannot see: the platform shows it neither the address nor the certificate of a connection"
    )]
    Invisible(&'static str),
    /// Planned.
    #[error("{0} is not supported yet; use [STATUS], [RESPONSE_TIME] or [CONNECTED]")]
    NotYet(&'static str),
    /// No such placeholder.
    #[error("there is no such placeholder; use [STATUS], [RESPONSE_TIME] or [CONNECTED]")]
    Placeholder,
    /// The value does not go with the placeholder.
    #[error("the value should be {0}")]
    Value(&'static str),
    /// `any()` with `<` and the like.
    #[error("any() goes with == and != only")]
    AnyOrdered,
}

impl Condition {
    /// Reads one condition.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut parts = text.trim().splitn(3, ' ').map(str::trim);
        let (Some(subject), Some(relation), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ConditionError::Form);
        };
        if text.len() > LONGEST || value.is_empty() {
            return Err(ConditionError::Form);
        }
        let (subject, relation) = (Subject::parse(subject)?, Relation::parse(relation)?);
        let values = match value.strip_prefix("any(").and_then(|list| list.strip_suffix(')')) {
            None => vec![subject.value(value)?],
            Some(_) if !matches!(relation, Relation::Equal | Relation::NotEqual) => {
                return Err(ConditionError::AnyOrdered);
            }
            Some(list) if list.split(',').count() > MOST_VALUES => {
                return Err(ConditionError::Value("a list of at most 20"));
            }
            Some(list) => {
                list.split(',').map(|value| subject.value(value.trim())).collect::<Result<_, _>>()?
            }
        };
        if subject == Subject::Connected && !matches!(relation, Relation::Equal | Relation::NotEqual) {
            return Err(ConditionError::Value("compared with == or !="));
        }
        Ok(Condition { subject, relation, values })
    }

    /// Whether it says something about the connection itself, so that its failing may be what is wanted.
    pub fn asks_for_connection(&self) -> bool {
        self.subject == Subject::Connected
    }

    /// Whether it holds.
    pub fn holds(&self, outcome: &Outcome) -> bool {
        let seen = match self.subject {
            Subject::Status => u64::from(outcome.status),
            Subject::ResponseTime => u64::from(outcome.millis()),
            Subject::Connected => u64::from(outcome.connected),
        };
        let mut values = self.values.iter().copied();
        match self.relation {
            Relation::Equal => values.any(|value| seen == value),
            Relation::NotEqual => values.all(|value| seen != value),
            Relation::Less => values.all(|value| seen < value),
            Relation::LessOrEqual => values.all(|value| seen <= value),
            Relation::Greater => values.all(|value| seen > value),
            Relation::GreaterOrEqual => values.all(|value| seen >= value),
        }
    }
}

/// The first of `conditions` that does not hold, as a reason for the public.
pub fn first_failure(conditions: &[Condition], outcome: &Outcome) -> Option<Failure> {
    let (index, condition) =
        conditions.iter().enumerate().find(|(_, condition)| !condition.holds(outcome))?;
    Some(match condition.subject {
        Subject::Status if outcome.connected => Failure::Status(outcome.status),
        Subject::ResponseTime if outcome.connected => Failure::Slow(outcome.millis()),
        _ => Failure::Condition(u16::try_from(index + 1).unwrap_or(u16::MAX)),
    })
}

impl Subject {
    fn parse(text: &str) -> Result<Self, ConditionError> {
        let name = text.split(']').next().unwrap_or_default();
        match text {
            "[STATUS]" => Ok(Subject::Status),
            "[RESPONSE_TIME]" => Ok(Subject::ResponseTime),
            "[CONNECTED]" => Ok(Subject::Connected),
            "[IP]" => Err(ConditionError::Invisible("[IP]")),
            "[CERTIFICATE_EXPIRATION]" => Err(ConditionError::Invisible("[CERTIFICATE_EXPIRATION]")),
            "[DNS_RCODE]" => Err(ConditionError::Invisible("[DNS_RCODE]")),
            "[DOMAIN_EXPIRATION]" => Err(ConditionError::NotYet("[DOMAIN_EXPIRATION]")),
            _ if name == "[BODY" => Err(ConditionError::NotYet("[BODY]")),
            _ if text.starts_with("len(") => Err(ConditionError::NotYet("len()")),
            _ if text.starts_with("has(") => Err(ConditionError::NotYet("has()")),
            _ => Err(ConditionError::Placeholder),
        }
    }

    fn value(self, text: &str) -> Result<u64, ConditionError> {
        match self {
            Subject::Status => text
                .parse::<u16>()
                .map(u64::from)
                .map_err(|_| ConditionError::Value("a status code, such as 200")),
            Subject::ResponseTime => text
                .parse::<u64>()
                .ok()
                .or_else(|| u64::try_from(parse_duration(text).ok()?.as_millis()).ok())
                .ok_or(ConditionError::Value("milliseconds, such as 500, or a duration, such as 2s")),
            Subject::Connected => match text {
                "true" => Ok(1),
                "false" => Ok(0),
                _ => Err(ConditionError::Value("true or false")),
            },
        }
    }
}

impl Relation {
    fn parse(text: &str) -> Result<Self, ConditionError> {
        Ok(match text {
            "==" => Relation::Equal,
            "!=" => Relation::NotEqual,
            "<" => Relation::Less,
            "<=" => Relation::LessOrEqual,
            ">" => Relation::Greater,
            ">=" => Relation::GreaterOrEqual,
            other => return Err(ConditionError::Relation(other.chars().take(20).collect())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outcome(status: u16, millis: u64) -> Outcome {
        Outcome { connected: true, status, duration: Duration::from_millis(millis) }
    }

    #[test]
    fn what_holds_and_what_does_not() {
        let seen = outcome(200, 500);
        let cases = [
            ("[STATUS] == 200", true),
            ("[STATUS] == 201", false),
            ("[STATUS] != 500", true),
            ("[STATUS] < 300", true),
            ("[STATUS] <= 200", true),
            ("[STATUS] > 200", false),
            ("[STATUS] >= 200", true),
            ("[STATUS] == any(200, 204)", true),
            ("[STATUS] == any(201,204)", false),
            ("[STATUS] != any(500, 200)", false),
            ("[STATUS] != any(500, 502)", true),
            ("[RESPONSE_TIME] < 500", false),
            ("[RESPONSE_TIME] <= 500", true),
            ("[RESPONSE_TIME] < 2s", true),
            ("[CONNECTED] == true", true),
            ("[CONNECTED] != true", false),
        ];
        for (text, holds) in cases {
            assert_eq!(Condition::parse(text).unwrap().holds(&seen), holds, "{text}");
        }
        assert!(Condition::parse("[CONNECTED] == false").unwrap().holds(&Outcome::UNREACHED));
        assert!(!Condition::parse("[STATUS] == 200").unwrap().holds(&Outcome::UNREACHED));
    }

    #[test]
    fn what_is_no_condition_is_refused_with_the_reason() {
        use ConditionError::{AnyOrdered, Form, Invisible, NotYet, Placeholder, Relation, Value};
        let cases = [
            ("", Form),
            ("[STATUS]", Form),
            ("[STATUS] ==", Form),
            ("[STATUS]==200", Form),
            ("[STATUS] = 200", Relation("=".into())),
            ("[STATUS] == ok", Value("a status code, such as 200")),
            ("[RESPONSE_TIME] < soon", Value("milliseconds, such as 500, or a duration, such as 2s")),
            ("[CONNECTED] == 1", Value("true or false")),
            ("[CONNECTED] < true", Value("compared with == or !=")),
            ("[STATUS] < any(200, 300)", AnyOrdered),
            ("[CERTIFICATE_EXPIRATION] > 48h", Invisible("[CERTIFICATE_EXPIRATION]")),
            ("[IP] == 127.0.0.1", Invisible("[IP]")),
            ("[BODY].status == UP", NotYet("[BODY]")),
            ("len([BODY].data) < 5", NotYet("len()")),
            ("[STATE] == up", Placeholder),
            ("200 == [STATUS]", Placeholder),
        ];
        for (text, error) in cases {
            assert_eq!(Condition::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn the_first_that_fails_is_the_reason() {
        let conditions: Vec<_> = ["[CONNECTED] == true", "[STATUS] == 200", "[RESPONSE_TIME] < 100"]
            .iter()
            .map(|text| Condition::parse(text).unwrap())
            .collect();
        assert_eq!(first_failure(&conditions, &outcome(200, 99)), None);
        assert_eq!(first_failure(&conditions, &outcome(503, 100)), Some(Failure::Status(503)));
        assert_eq!(first_failure(&conditions, &outcome(200, 100)), Some(Failure::Slow(100)));
        assert_eq!(first_failure(&conditions, &Outcome::UNREACHED), Some(Failure::Condition(1)));
    }
}
