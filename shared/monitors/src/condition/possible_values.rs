//! The values that each placeholder, and each function of one, can have.

use std::fmt;

use super::ValueLimits;
use super::property::{Property, PropertyFunction};
use crate::MAX_BODY_BYTES;

/// How much longer a body may become: where a character of one byte becomes two, and where one is written as `\u003c`.
const GROWTH: (i64, i64) = (2, 6);

/// The most bytes of the value of a header: 1,024 characters of up to four bytes.
const MAX_HEADER_LENGTH: i64 = 4 * 1024;

/// The longest time until a domain expires, or since it expired, in milliseconds: a hundred years.
const CENTURY: i64 = 100 * 365 * 86_400_000;

/// The names of the response codes of DNS by their numbers (<https://www.iana.org/assignments/dns-parameters>); without an answer it is empty.
pub const RCODES: &[&str] = &[
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE", "UNKNOWN",
];

/// The values that a placeholder, or a function of one, can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PossibleValues {
    /// Whole numbers in these ranges, both ends included.
    Numbers {
        /// The ranges, the lowest first.
        ranges: Vec<(i64, i64)>,
        /// Whether there may be no value.
        may_be_missing: bool,
    },
    /// Milliseconds, written with their unit, or none.
    Millis,
    /// These words.
    Words(&'static [&'static str]),
    /// Any text, or none.
    AnyText,
}

/// Returns the values of a function of a placeholder.
pub(super) fn possible_values(
    function: PropertyFunction,
    property: &Property,
    limits: ValueLimits,
) -> PossibleValues {
    use PropertyFunction::{Age, Has, Identity, Length};
    let numbers =
        |ranges: &[(i64, i64)]| PossibleValues::Numbers { ranges: ranges.to_vec(), may_be_missing: false };
    let optional = |most| PossibleValues::Numbers { ranges: vec![(0, most)], may_be_missing: true };
    let body = i64::try_from(MAX_BODY_BYTES).unwrap_or(i64::MAX / 12) * GROWTH.0;
    let longest = i64::try_from(limits.response_time.as_millis()).unwrap_or(i64::MAX);
    match (function, property) {
        (Age, _) => PossibleValues::Millis,
        (Has, Property::Status | Property::ResponseTime | Property::Connected | Property::DnsRcode) => {
            PossibleValues::Words(&["true"])
        }
        (Has | Length, Property::DomainExpiration)
        | (Identity, Property::Body | Property::BodyPath(_) | Property::Header(_)) => PossibleValues::AnyText,
        (Has, _) => PossibleValues::Words(&["true", "false"]),
        // A status has three digits (RFC 9110, 15); without a response it is 0.
        (Identity, Property::Status) if limits.without_response => numbers(&[(0, 0), (100, 999)]),
        (Identity, Property::Status) => numbers(&[(100, 999)]),
        (Length, Property::Status) if limits.without_response => numbers(&[(1, 1), (3, 3)]),
        (Length, Property::Status) => numbers(&[(3, 3)]),
        (Identity, Property::ResponseTime) => numbers(&[(0, longest)]),
        (Length, Property::ResponseTime) => numbers(&[(1, i64::from(longest.max(1).ilog10()) + 1)]),
        (Identity, Property::Connected) if limits.without_response => {
            PossibleValues::Words(&["true", "false"])
        }
        (Identity, Property::Connected) => PossibleValues::Words(&["true"]),
        (Length, Property::Connected) if limits.without_response => numbers(&[(4, 5)]),
        (Length, Property::Connected) => numbers(&[(4, 4)]),
        (Identity, Property::DomainExpiration) => numbers(&[(-CENTURY, CENTURY)]),
        (Identity, Property::DnsRcode) => PossibleValues::Words(RCODES),
        (Length, Property::DnsRcode) => numbers(&[(6, 8)]),
        (Length, Property::Body) => numbers(&[(0, body)]),
        (Length, Property::BodyPath(_)) => optional(body * GROWTH.1),
        (Length, Property::Header(_)) => optional(MAX_HEADER_LENGTH),
    }
}

impl PossibleValues {
    /// Returns how many values there are, if that is known.
    pub(super) fn count(&self) -> Option<i64> {
        match self {
            PossibleValues::Numbers { ranges, .. } => ranges
                .iter()
                .try_fold(0_i64, |sum, (from, to)| sum.checked_add(to.checked_sub(*from)?)?.checked_add(1)),
            PossibleValues::Words(words) => i64::try_from(words.len()).ok(),
            PossibleValues::Millis | PossibleValues::AnyText => None,
        }
    }

    /// Returns all values; call it only if they are few.
    pub(super) fn list(&self) -> Vec<String> {
        match self {
            PossibleValues::Numbers { ranges, .. } => {
                ranges.iter().flat_map(|(from, to)| *from..=*to).map(|number| number.to_string()).collect()
            }
            PossibleValues::Words(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            PossibleValues::Millis | PossibleValues::AnyText => Vec::new(),
        }
    }

    /// Returns the ends of the values; of a text, one that no condition names, and far numbers.
    pub(super) fn ends(&self) -> Vec<String> {
        match self {
            PossibleValues::Numbers { ranges, .. } => {
                ranges.iter().flat_map(|(from, to)| [from.to_string(), to.to_string()]).collect()
            }
            PossibleValues::Words(_) => self.list(),
            PossibleValues::Millis => vec!["-9000000000000ms".to_owned(), "9000000000000ms".to_owned()],
            PossibleValues::AnyText => {
                vec!["\u{1}".to_owned(), i64::MIN.to_string(), i64::MAX.to_string()]
            }
        }
    }

    /// Returns the possible values at and beside a number that a condition names, and for a text what the condition names.
    pub(super) fn near(&self, text: &str, number: i64) -> Vec<String> {
        let around = [number.saturating_sub(1), number, number.saturating_add(1)];
        match self {
            PossibleValues::Numbers { ranges, .. } => around
                .into_iter()
                .filter(|number| ranges.iter().any(|(from, to)| (from..=to).contains(&number)))
                .map(|number| number.to_string())
                .collect(),
            PossibleValues::Millis => around.map(|number| format!("{number}ms")).to_vec(),
            PossibleValues::Words(_) => Vec::new(),
            // A fraction is between two whole numbers, and equals neither.
            PossibleValues::AnyText => around
                .into_iter()
                .flat_map(|number| [number.to_string(), format!("{number}.5")])
                .chain([text.to_owned()])
                .collect(),
        }
    }

    /// Returns whether there may be no value.
    pub(super) fn may_be_missing(&self) -> bool {
        match self {
            PossibleValues::Numbers { may_be_missing, .. } => *may_be_missing,
            PossibleValues::Words(_) => false,
            PossibleValues::Millis | PossibleValues::AnyText => true,
        }
    }
}

/// What the values are, for a message.
impl fmt::Display for PossibleValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PossibleValues::Numbers { ranges, .. } => {
                for (index, (from, to)) in ranges.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " or " })?;
                    if from == to {
                        write!(f, "{from}")?;
                    } else {
                        write!(f, "a whole number from {from} to {to}")?;
                    }
                }
                Ok(())
            }
            PossibleValues::Words(words) => f.write_str(&words.join(" or ")),
            PossibleValues::Millis => f.write_str("a duration in milliseconds, such as 5000ms"),
            PossibleValues::AnyText => f.write_str("a text"),
        }
    }
}
