//! Why a text is not a condition: what is wrong, and what would be right.

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Not of the form that conditions have.
    #[error(
        "a condition is two values with a comparison and spaces between, such as `[STATUS] == 200`; comparisons are ==, !=, <, <=, > and >="
    )]
    Form,
    /// A comparison that there is not.
    #[error("`{0}` is no comparison; those are ==, !=, <, <=, > and >=, with a space on either side")]
    Relation(String),
    /// The same comparison more than once.
    #[error("`{0}` stands in it more than once; a condition compares two values")]
    Twice(&'static str),
    /// Endless.
    #[error("is longer than {} bytes", super::LONGEST)]
    TooLong,
    /// Gatus has it, and a Worker cannot see it.
    #[error(
        "{0} is what a Worker cannot see: the platform shows it neither the address nor the certificate of a connection"
    )]
    Invisible(&'static str),
    /// Gatus has it, and it would take a request to somebody else.
    #[error("[DOMAIN_EXPIRATION] would take a WHOIS query, which heapbeat does not make")]
    Whois,
    /// Gatus has it for DNS queries.
    #[error(
        "[DNS_RCODE] is the answer to a DNS query of one's own, which a Worker does not make: it resolves names inside `fetch`, unseen"
    )]
    DnsRcode,
    /// Gatus has it for suites.
    #[error("[CONTEXT] belongs to suites, which heapbeat does not have")]
    Context,
    /// Very likely a slip.
    #[error("there is no placeholder `{found}`; did you mean {meant}?")]
    Placeholder {
        /// What stands there.
        found: String,
        /// The nearest that there is.
        meant: &'static str,
    },
    /// `len(` and no `)`.
    #[error("`{0}` is not closed; the value should end with )")]
    Unclosed(&'static str),
    /// `pat()` or `any()` with `<` and the like.
    #[error("pat() and any() go with == and != only")]
    ChoiceOrdered,
    /// Endless choice.
    #[error("any() takes at most {} values", super::element::MOST_OPTIONS)]
    Options,
    /// A pattern that is none.
    #[error(
        "pat() holds a pattern that is not complete: [ wants a ], a range wants both its ends, and \\ a character after it"
    )]
    Pattern,
    /// A pattern that would be slow.
    #[error(
        "pat() holds a stretch of more than {} characters with ? or [ ] between two *; make it shorter",
        super::glob::LONGEST_MIXED
    )]
    PatternTooWide,
}

/// What to say of a condition in which no comparison was found.
pub(super) fn no_relation(text: &str) -> ConditionError {
    let sign = text.split_whitespace().nth(1).filter(|word| word.chars().all(|c| "=<>!~?".contains(c)));
    match sign {
        Some(sign) if !matches!(sign, "==" | "!=" | "<" | "<=" | ">" | ">=") => {
            ConditionError::Relation(sign.chars().take(20).collect())
        }
        _ => ConditionError::Form,
    }
}
