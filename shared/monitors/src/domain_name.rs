//! The domain of a host that somebody has registered, which has a date of expiration.
//!
//! Without the list of public suffixes (some 200 kB) it is the last two labels of a name, or the last three below a country's well-known
//! second level such as `co.uk`.

use std::net::Ipv4Addr;

use super::is_private_host;

/// Second levels below which countries register.
const SECOND_LEVELS: [&str; 20] = [
    "ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "govt", "ltd", "me", "mil", "ne", "net", "nom",
    "or", "org", "plc", "sch", "web",
];

/// Returns the registered domain of a host; `None` for an address and for a name that is not public.
pub fn registered_domain(host: &str) -> Option<String> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok() || is_private_host(&host) || !host.is_ascii()
    {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let is_country = labels.last().is_some_and(|last| last.len() == 2);
    let second = labels.iter().rev().nth(1)?;
    let count = if is_country && SECOND_LEVELS.contains(second) { 3 } else { 2 };
    (labels.len() >= count).then(|| labels[labels.len() - count..].join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_domain_is_the_end_of_the_name() {
        for (host, domain) in [
            ("example.com", Some("example.com")),
            ("Api.Status.Example.COM.", Some("example.com")),
            ("www.example.co.uk", Some("example.co.uk")),
            ("example.com.br", Some("example.com.br")),
            ("co.uk", None),
            ("t.co", Some("t.co")),
            ("a.b.io", Some("b.io")),
            ("com.example.org", Some("example.org")),
            ("192.0.2.1", None),
            ("[2001:db8::1]", None),
            ("localhost", None),
            ("db.internal", None),
        ] {
            assert_eq!(registered_domain(host).as_deref(), domain, "{host}");
        }
    }
}
