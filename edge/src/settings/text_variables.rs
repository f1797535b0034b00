//! The rules of the variables that are a text: what is wrong with one, and what applies in its place.

use heapbeat_shared::units::parse_duration;

use crate::platform::bindings::TextVariable;
use heapbeat_shared::text::shorten;

/// The most characters of a value that a problem repeats.
const MAX_SHOWN: usize = 60;

/// The rule of one variable.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextRule {
    /// The name of the variable.
    pub(super) name: &'static str,
    /// What the text should be; completes "should be".
    expected: &'static str,
    /// What applies until it is fixed.
    fallback: &'static str,
    is_valid: fn(&str) -> bool,
}

/// The rule of every variable that is a text and has no parser that reports problems of its own.
pub(super) const RULES: &[TextRule] = &[
    TextRule {
        name: super::STATUS_URL,
        expected: "an address that begins with https:// or http://, such as https://status.example.com",
        fallback: "until it is fixed, alerts have no links, and feeds name the host of each request",
        is_valid: is_web_address,
    },
    TextRule {
        name: super::RDAP,
        expected: "the address of a service that redirects /domain/{name}, such as https://rdap.org",
        fallback: "https://rdap.org applies until it is fixed",
        is_valid: is_web_address,
    },
    TextRule {
        name: super::CACHE_TTL,
        expected: "a duration with its unit, such as 5s or 1m, up to a minute",
        fallback: "5s applies until it is fixed",
        is_valid: |text| parse_duration(text).is_ok_and(|ttl| ttl <= super::MAX_CACHE_TTL),
    },
    TextRule {
        name: super::PLAN,
        expected: "`free` or `paid`",
        fallback: "`free` applies until it is fixed",
        is_valid: |text| matches!(text, "free" | "paid"),
    },
    TextRule {
        name: super::REFERENCES,
        expected: "`default`, or addresses separated by spaces",
        fallback: "there are no reference addresses until it is fixed",
        // Its parser reports what is wrong with a text.
        is_valid: |_| true,
    },
    TextRule {
        name: "ANSWERS_KEPT",
        expected: "removed: it was renamed to CACHE_TTL",
        fallback: "it has no effect",
        is_valid: |_| false,
    },
];

/// Whether a text is an address with a host that a browser can open.
pub(super) fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

/// Returns what is wrong with a variable.
pub(super) fn find_problem(rule: &TextRule, variable: &TextVariable) -> Option<String> {
    let TextRule { expected, fallback, is_valid, .. } = rule;
    match variable {
        TextVariable::Unset => None,
        TextVariable::Text(text) if is_valid(text) => None,
        TextVariable::Text(text) => {
            Some(format!("`{}` should be {expected}; {fallback}", shorten(text, MAX_SHOWN)))
        }
        TextVariable::OtherType(json) => Some(format!(
            "`{}` is not a text in quotes; it should be {expected}; {fallback}",
            shorten(json, MAX_SHOWN)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_invalid_or_has_another_type_is_a_problem() {
        let text = |text: &str| TextVariable::Text(text.to_owned());
        let other = |json: &str| TextVariable::OtherType(json.to_owned());
        let cases = [
            ("STATUS_URL", TextVariable::Unset, None),
            ("STATUS_URL", text("https://status.example.com/x"), None),
            (
                "STATUS_URL",
                text("status.example.com"),
                Some("`status.example.com` should be an address that begins"),
            ),
            ("STATUS_URL", text("https://"), Some("`https://` should be an address")),
            ("STATUS_URL", text("https:///a"), Some("should be an address")),
            ("STATUS_URL", other("7"), Some("`7` is not a text in quotes; it should be an address")),
            ("CACHE_TTL", text("10s"), None),
            ("CACHE_TTL", text("10"), Some("`10` should be a duration with its unit")),
            ("CACHE_TTL", text("2m"), Some("up to a minute; 5s applies")),
            ("CACHE_TTL", other("10"), Some("`10` is not a text in quotes")),
            ("PLAN", text("paid"), None),
            ("PLAN", text("Free"), Some("`Free` should be `free` or `paid`; `free` applies")),
            ("PLAN", other("true"), Some("`true` is not a text")),
            ("REFERENCES", text("default"), None),
            ("REFERENCES", other(r#"["https://a.example"]"#), Some("is not a text in quotes")),
            ("ANSWERS_KEPT", text("10"), Some("renamed to CACHE_TTL")),
        ];
        for (name, variable, expected) in cases {
            let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
            let problem = find_problem(rule, &variable);
            match expected {
                None => assert_eq!(problem, None, "{name} {variable:?}"),
                Some(part) => {
                    let problem = problem.unwrap();
                    assert!(problem.contains(part), "{name} {variable:?}: {problem}");
                }
            }
        }
    }
}
