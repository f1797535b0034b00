//! Secrets without a name: tokens with a known beginning, words after `Bearer`, and long runs of random digits.

use super::MASK;

/// How the tokens of well-known services begin.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "npm_",
    "pypi-",
    "dop_v1_",
    "SG.",
    "hf_",
    "rnd_",
    "shpat_",
    "dckr_pat_",
];

/// Shortest rest of a token after its known beginning.
const MIN_AFTER_PREFIX: usize = 12;

/// Shortest run of hexadecimal digits, and of letters and digits in any case, that is taken for a secret.
const MIN_HEX: usize = 32;
const MIN_MIXED: usize = 24;

/// Masks the tokens of a line.
pub(super) fn mask_tokens(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    let mut after_scheme = false;
    while let Some(start) = rest.find(is_token_char) {
        let (before, from_token) = rest.split_at(start);
        masked.push_str(before);
        let end = from_token.find(|it: char| !is_token_char(it)).unwrap_or(from_token.len());
        let (token, after) = from_token.split_at(end);
        let follows_scheme = after_scheme && before == " " && token.len() >= 8;
        masked.push_str(if follows_scheme || is_secret(token) { MASK } else { token });
        after_scheme = token.eq_ignore_ascii_case("bearer") || token.eq_ignore_ascii_case("basic");
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// Characters of base64, of its variant for URLs, and of JSON web tokens; without the slash, which would make tokens of paths.
fn is_token_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '+' | '=' | '.')
}

fn is_secret(token: &str) -> bool {
    let known = PREFIXES.iter().any(|prefix| {
        token.strip_prefix(prefix).is_some_and(|rest| rest.len() >= MIN_AFTER_PREFIX && has_digit(rest))
    });
    known || token.split(['.', '-', '=']).any(is_random)
}

/// Whether a run of letters and digits looks random.
fn is_random(run: &str) -> bool {
    let hex = run.len() >= MIN_HEX
        && run.bytes().all(|it| it.is_ascii_hexdigit())
        && run.bytes().any(|it| it.is_ascii_alphabetic());
    let mixed = run.len() >= MIN_MIXED
        && run.bytes().any(|it| it.is_ascii_lowercase())
        && run.bytes().any(|it| it.is_ascii_uppercase());
    has_digit(run) && (hex || mixed)
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|it| it.is_ascii_digit())
}
