//! The errors of the condition parser.

/// The text is not a valid condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The text does not have the form of a condition.
    #[error(
        "a condition is two values with a comparison between them, separated by spaces, such as `[STATUS] == 200`; the comparisons are ==, !=, <, <=, > and >="
    )]
    Form,
    /// The comparison does not exist.
    #[error(
        "`{0}` is not a comparison; the comparisons are ==, !=, <, <=, > and >=, with a space on either side"
    )]
    Operator(String),
    /// The same comparison occurs more than once.
    #[error("`{0}` occurs more than once; a condition compares two values")]
    DuplicateOperator(&'static str),
    /// The condition is too long.
    #[error("has more than {} bytes", super::MAX_LENGTH)]
    TooLong,
    /// Gatus has this placeholder, but a Worker cannot observe its value.
    #[error(
        "{0} is not available in a Worker: the platform exposes neither the address nor the certificate of a connection"
    )]
    Unavailable(&'static str),
    /// Gatus has this placeholder, but a Worker sees no certificate.
    #[error(
        "[CERTIFICATE_EXPIRATION] is not available in a Worker, which sees no certificate; check it where you can, such as by a daily \
         job that reports to a heartbeat monitor"
    )]
    Certificate,
    /// Gatus has this placeholder for suites.
    #[error("[CONTEXT] belongs to suites, which heapbeat does not support")]
    Context,
    /// A header without a name, or with an invalid one.
    #[error("[HEADER] needs the name of a header, such as [HEADER].content-type")]
    HeaderName,
    /// `age()` of something else than a header.
    #[error("age() is of a header with a date, such as age([HEADER].last-modified) < 24h")]
    Age,
    /// The placeholder is misspelled.
    #[error("unknown placeholder `{found}`; did you mean {meant}?")]
    Placeholder {
        /// The text as written.
        found: String,
        /// The nearest placeholder.
        meant: &'static str,
    },
    /// A placeholder lacks a bracket.
    #[error("`{found}` is text, not a placeholder; did you mean {meant}?")]
    MissingBracket {
        /// The text as written.
        found: String,
        /// The placeholder that was probably meant.
        meant: &'static str,
    },
    /// heapbeat has no such placeholder.
    #[error(
        "unknown placeholder `{0}`; the placeholders are [STATUS], [RESPONSE_TIME], [CONNECTED], [BODY], [HEADER], [DNS_RCODE] and [DOMAIN_EXPIRATION]"
    )]
    UnknownPlaceholder(String),
    /// heapbeat has no such function of a placeholder.
    #[error("`{0}` is not a function; the functions are len(), has(), age(), any() and pat(), in lower case")]
    UnknownFunction(String),
    /// A path into the body has an index that is not a number, or a bracket without its partner.
    #[error(
        "the path `{0}` has an invalid index; write a number in brackets, such as [BODY].data[0].id, or a key in quotes, such as [BODY][\"a.b\"]"
    )]
    Index(String),
    /// A side has a value in parentheses behind it, as messages show it.
    #[error(
        "`{0}` has a value in parentheses, as messages show it; remove the value, or write a key that has parentheses in quotes, such as [BODY][\"a (b)\"]"
    )]
    CopiedValue(String),
    /// The condition compares two values that are always the same two.
    #[error(
        "can never hold, as it compares nothing of the response; the placeholders are [STATUS], [RESPONSE_TIME], [CONNECTED], [BODY], [HEADER], [DNS_RCODE] and [DOMAIN_EXPIRATION]"
    )]
    NeverHolds,
    /// A side is empty, although the other side never is.
    #[error("one side of the comparison is empty; write the value to compare {0} with")]
    Empty(String),
    /// A choice has no values.
    #[error("any() has no values; write some, such as any(200, 204)")]
    NoOptions,
    /// Text is compared with `<`, `<=`, `>` or `>=`.
    #[error(
        "`{0}` is not a number or a duration, so it cannot be compared with <, <=, > or >=; write a value such as 800, 500ms or 1.5s"
    )]
    NotOrdered(String),
    /// A function has no closing parenthesis.
    #[error("`{0}` is not closed; end the value with )")]
    Unclosed(&'static str),
    /// `pat()` or `any()` is compared with `<`, `<=`, `>` or `>=`.
    #[error("pat() and any() can only be compared with == and !=")]
    ChoiceOrdered,
    /// A choice has too many values.
    #[error("any() accepts at most {} values", super::operand::MAX_OPTIONS)]
    Options,
    /// A pattern is incomplete.
    #[error(
        "the pattern in pat() is incomplete: [ needs a ], a range needs both ends, and \\ needs a character after it"
    )]
    Pattern,
    /// A pattern would be slow.
    #[error(
        "the pattern in pat() has more than {} characters with ? or [ ] between two *; shorten it",
        super::glob::MAX_MIXED_CHARS
    )]
    PatternTooWide,
}

/// Returns the error of a condition without a valid comparison.
pub(super) fn missing_operator(text: &str) -> ConditionError {
    let sign = text.split_whitespace().nth(1).filter(|word| word.chars().all(|c| "=<>!~?".contains(c)));
    match sign {
        Some(sign) if !matches!(sign, "==" | "!=" | "<" | "<=" | ">" | ">=") => {
            ConditionError::Operator(sign.chars().take(20).collect())
        }
        _ => ConditionError::Form,
    }
}
