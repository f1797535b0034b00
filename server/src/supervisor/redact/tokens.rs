//! Secrets without a name: tokens with a known beginning, words after `Bearer`, and long runs of random digits.

use super::MASK;

/// How the tokens of well-known services begin.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
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
    "xoxc-",
    "xoxd-",
    "xoxe-",
    "xoxe.",
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
    "hvs.",
    "hvb.",
    "glptt-",
    "glsa_",
    "lin_api_",
    "sbp_",
    "sntrys_",
    "gsk_",
    "fm2_",
    "NRAK-",
    "HRKU-",
    "AGE-SECRET-KEY-",
];

/// Shortest rest of a token after its known beginning.
const MIN_AFTER_PREFIX: usize = 12;

/// Shortest run of hexadecimal digits, and of letters and digits in any case, that is taken for a secret.
const MIN_HEX: usize = 32;
const MIN_MIXED: usize = 24;

/// Length of an AWS secret key, and of the lines of base64 in keys and certificates.
const AWS_SECRET: usize = 40;
const BASE64_LINES: [usize; 2] = [64, 76];

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

/// Masks runs of base64 with slashes: those as long as an AWS secret key, and lines that are nothing else. Other runs with slashes may be
/// paths.
pub(super) fn mask_base64(line: &str) -> String {
    let is_base64 = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '/');
    // A dot or an underscore beside it makes it a path.
    let is_part = |it: char| is_base64(it) || matches!(it, '.' | '_' | '-');
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let (before, from_run) = rest.split_at(start);
        masked.push_str(before);
        let (run, after) = from_run.split_at(from_run.find(|it| !is_part(it)).unwrap_or(from_run.len()));
        let has_shape =
            run.chars().all(is_base64) && run.contains(['/', '+']) && is_mixed(run) && is_restless(run);
        let is_whole_line = run.len() == line.trim().trim_end_matches('=').len();
        let length_fits = (run.len() == AWS_SECRET && !run.starts_with('/'))
            || (is_whole_line && (BASE64_LINES.contains(&run.len()) || line.trim().ends_with('=')));
        masked.push_str(if has_shape && length_fits { MASK } else { run });
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn is_secret(token: &str) -> bool {
    let known = PREFIXES.iter().any(|prefix| {
        token.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= MIN_AFTER_PREFIX
                && (has_digit(rest) || (rest.len() >= MIN_MIXED && has_both_cases(rest)))
        })
    });
    // In base64 for URLs `-` is a digit; it also joins the words of names and the parts of UUIDs, which change their kind of letter less.
    let joined = |part: &str| {
        let part = part.replace('-', "");
        part.len() >= MIN_MIXED && is_mixed(&part) && is_restless(&part)
    };
    known || token.split(['.', '-', '=']).any(is_random) || token.split(['.', '=']).any(joined)
}

/// Whether a run of letters and digits looks random.
fn is_random(run: &str) -> bool {
    let hex = run.len() >= MIN_HEX
        && run.bytes().all(|it| it.is_ascii_hexdigit())
        && run.bytes().any(|it| it.is_ascii_alphabetic());
    (has_digit(run) && hex) || (run.len() >= MIN_MIXED && is_mixed(run))
}

/// Whether a run has lower and upper case letters and digits.
fn is_mixed(run: &str) -> bool {
    has_digit(run) && has_both_cases(run)
}

fn has_both_cases(run: &str) -> bool {
    run.bytes().any(|it| it.is_ascii_lowercase()) && run.bytes().any(|it| it.is_ascii_uppercase())
}

/// Whether a run changes between digits, lower and upper case at every third character or more often, as random digits do at six of ten.
fn is_restless(run: &str) -> bool {
    let kind = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_lowercase(), byte.is_ascii_uppercase());
    let kinds: Vec<_> = run.as_bytes().iter().map(kind).collect();
    kinds.windows(2).filter(|pair| pair[0] != pair[1]).count() * 3 >= run.len()
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|it| it.is_ascii_digit())
}
