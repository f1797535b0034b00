//! `HEAPBEAT_HOSTS`: the names by which a server is known.

use std::str::FromStr;

use heapbeat_shared::signing::RequestOrigin;

/// The setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNames {
    /// The names that the platform gives.
    Auto,
    /// The name in the first signed request after the start.
    Learn,
    /// These names.
    Listed(Vec<HostName>),
}

/// One name: a host with an optional scheme and port. Without a scheme it is known by both, without a port by the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    scheme: Option<String>,
    /// The host, and the port if there is one.
    authority: String,
}

impl HostName {
    /// Whether a request for `origin` names it.
    pub fn matches(&self, origin: &RequestOrigin) -> bool {
        self.authority == origin.authority()
            && self.scheme.as_ref().is_none_or(|scheme| scheme == origin.scheme())
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let has_scheme = text.contains("://");
        let with_scheme = if has_scheme { text.to_owned() } else { format!("https://{text}") };
        let origin: RequestOrigin = with_scheme.parse().map_err(|_| expected())?;
        let is_bare = with_scheme.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
        if !is_bare {
            return Err(expected());
        }
        Ok(HostName {
            scheme: has_scheme.then(|| origin.scheme().to_owned()),
            authority: origin.authority().to_owned(),
        })
    }
}

/// Parses `auto`, `learn`, or names that are separated by commas.
pub(super) fn host_names(text: &str) -> Result<HostNames, String> {
    match text.trim() {
        "auto" => Ok(HostNames::Auto),
        "learn" => Ok(HostNames::Learn),
        names => names.split(',').map(str::parse).collect::<Result<_, _>>().map(HostNames::Listed),
    }
}

fn expected() -> String {
    "the names are hosts without a path, such as api.example.com or http://10.0.0.5:8080, separated by commas; or `auto`, or `learn`"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_with_an_optional_scheme_and_port() {
        assert_eq!(host_names("auto"), Ok(HostNames::Auto));
        assert_eq!(host_names(" learn "), Ok(HostNames::Learn));
        let Ok(HostNames::Listed(names)) = host_names("API.example.com, http://10.0.0.5:8080,[::1]:9000")
        else {
            panic!("names")
        };
        assert_eq!(names.len(), 3);
        assert!(names[0].matches(&"https://api.example.com".parse().unwrap()));
        for bad in ["", "a,", "a b", "https://a/health", "ftp://a", "user@a", "*"] {
            assert!(host_names(bad).is_err(), "{bad}");
        }
    }
}
