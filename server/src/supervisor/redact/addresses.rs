//! Secrets in addresses: user and password, and the paths of webhooks, which are all that one needs to post to them.

use super::MASK;

/// What stands before a path that is a secret.
const SECRET_PATHS: &[&str] = &[
    "hooks.slack.com/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "api.telegram.org/bot",
    "webhook.office.com/",
    "outlook.office.com/webhook/",
    "hooks.zapier.com/hooks/",
    "chat.googleapis.com/v1/spaces/",
    "events.pagerduty.com/integration/",
    "maker.ifttt.com/trigger/",
    "open.feishu.cn/open-apis/bot/",
    "hc-ping.com/",
];

/// What stands behind user and password in the data source names of drivers: `user:password@tcp(host)`.
const SOURCE_HOSTS: &[&str] = &["@tcp(", "@unix(", "@("];

/// What stands before user and password in the addresses of Oracle's driver: `jdbc:oracle:thin:user/password@host`.
const ORACLE: &str = ":thin:";

/// Masks the secrets in the addresses of a line.
pub(super) fn mask_addresses(line: &str) -> String {
    mask_sources(&mask_paths(&mask_credentials(line)))
}

/// Masks user and password of URLs: `postgres://user:password@host`.
fn mask_credentials(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(position) = rest.find("://") {
        let (before, after) = rest.split_at(position + 3);
        masked.push_str(before);
        let authority =
            after.find(|it: char| it.is_whitespace() || matches!(it, '/' | '?' | '#' | '"' | '\''));
        let end = authority.unwrap_or(after.len());
        // A password may hold a slash or a question mark that was not encoded.
        let word =
            after.find(|it: char| it.is_whitespace() || matches!(it, '"' | '\'')).unwrap_or(after.len());
        let at = after[..end].rfind('@').or_else(|| {
            after[..word]
                .find('@')
                .filter(|at| after[..*at].split('/').next().is_some_and(|it| it.contains(':')))
        });
        if let Some(at) = at {
            masked.push_str(MASK);
            rest = &after[at..];
        } else {
            rest = after;
        }
    }
    masked.push_str(rest);
    masked
}

/// Masks the paths that are secrets.
fn mask_paths(line: &str) -> String {
    let mut masked = line.to_owned();
    for host in SECRET_PATHS {
        mask_after(&mut masked, host, |it| {
            it.is_whitespace() || matches!(it, '"' | '\'' | '`' | '<' | '>' | ')' | ',')
        });
    }
    masked
}

/// Masks user and password in data source names.
fn mask_sources(line: &str) -> String {
    let mut masked = line.to_owned();
    mask_after(&mut masked, ORACLE, |it| it == '@' || it.is_whitespace());
    for host in SOURCE_HOSTS {
        let mut from = 0;
        while let Some(at) = masked[from..].find(host).map(|at| from + at) {
            let is_around = |it: char| it.is_whitespace() || matches!(it, '"' | '\'' | '`' | '=');
            let begin =
                masked[..at].rfind(is_around).map_or(0, |before| masked.ceil_char_boundary(before + 1));
            from = at + host.len();
            if masked[begin..at].contains(':') {
                masked.replace_range(begin..at, MASK);
                from = begin + MASK.len() + host.len();
            }
        }
    }
    masked
}

/// Masks what follows each `marker`, up to a character that ends it.
fn mask_after(line: &mut String, marker: &str, ends: impl Fn(char) -> bool) {
    let mut from = 0;
    while let Some(begin) = line[from..].find(marker).map(|at| from + at + marker.len()) {
        let length = line[begin..].find(&ends).unwrap_or(line.len() - begin);
        from = begin;
        if length > 0 {
            line.replace_range(begin..begin + length, MASK);
            from += MASK.len();
        }
    }
}
