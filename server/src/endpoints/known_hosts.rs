//! The names by which a server is known: a signed request has to name one of them.
//!
//! Otherwise a host that the edge watches could relay the request that was signed for it to another server with the same secret, and get
//! that one's report.

use std::sync::{Mutex, PoisonError};

use heapbeat_shared::signing::RequestOrigin;

use crate::config::{HostName, HostNames};

/// The variables in which platforms name the public host of a service, with what follows the value.
const PLATFORM_HOSTS: [(&str, &str); 7] = [
    ("RENDER_EXTERNAL_HOSTNAME", ""),
    ("FLY_APP_NAME", ".fly.dev"),
    ("RAILWAY_PUBLIC_DOMAIN", ""),
    ("KOYEB_PUBLIC_DOMAIN", ""),
    ("HEROKU_APP_DEFAULT_DOMAIN_NAME", ""),
    ("WEBSITE_HOSTNAME", ""),
    ("CONTAINER_APP_HOSTNAME", ""),
];

/// The variables of platforms whose proxy routes a request by its `Host`, so that only names of this service arrive in it, among them
/// the owner's own domains.
const ROUTED_BY_HOST: [&str; 5] =
    ["RENDER_EXTERNAL_HOSTNAME", "RAILWAY_PUBLIC_DOMAIN", "KOYEB_PUBLIC_DOMAIN", "DYNO", "K_SERVICE"];

/// The names by which this server is known. The names of this machine (`localhost` and addresses of loopback) always are, with its port.
#[derive(Debug)]
pub(crate) struct KnownHosts {
    names: Vec<HostName>,
    /// The port at which it listens; `None` if the system chooses one.
    port: Option<u16>,
    /// Whether the `Host` of a request is one of this server's names.
    trusts_host: bool,
    /// The origin of the first signed request, if the owner wants it to be learned.
    learned: Option<Mutex<Option<RequestOrigin>>>,
}

impl KnownHosts {
    /// Creates the names of the setting; by default those that the platform gives by variables.
    pub(crate) fn new(setting: &HostNames, port: u16, variable: impl Fn(&str) -> Option<String>) -> Self {
        let port = (port != 0).then_some(port);
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let listed = |names| KnownHosts { names, port, trusts_host: false, learned: None };
        match setting {
            HostNames::Listed(names) => listed(names.clone()),
            HostNames::Learn => KnownHosts { learned: Some(Mutex::new(None)), ..listed(Vec::new()) },
            HostNames::Auto => {
                let named = |(name, suffix): &(&str, &str)| {
                    format!("{}{suffix}", variable(name)?.trim()).parse::<HostName>().ok()
                };
                KnownHosts {
                    trusts_host: ROUTED_BY_HOST.iter().any(|name| variable(name).is_some()),
                    ..listed(PLATFORM_HOSTS.iter().filter_map(named).collect())
                }
            }
        }
    }

    /// Whether no request from another machine can name it.
    pub(crate) fn is_local_only(&self) -> bool {
        self.names.is_empty() && !self.trusts_host && self.learned.is_none()
    }

    /// Whether a request that was signed for `origin`, and arrived with this `Host`, is for this server.
    pub(crate) fn knows(&self, origin: &RequestOrigin, host: Option<&str>) -> bool {
        let is_own_port = self.port.is_none_or(|port| port == origin.port());
        if (origin.is_loopback() && is_own_port) || self.names.iter().any(|name| name.matches(origin)) {
            return true;
        }
        if let Some(learned) = &self.learned {
            let mut learned = learned.lock().unwrap_or_else(PoisonError::into_inner);
            if learned.is_none() {
                tracing::info!("this server is known as {origin} from now on, as HEAPBEAT_HOSTS is `learn`");
            }
            return *learned.get_or_insert_with(|| origin.clone()) == *origin;
        }
        let arrived =
            host.and_then(|host| format!("{}://{host}", origin.scheme()).parse::<RequestOrigin>().ok());
        self.trusts_host && arrived.is_some_and(|arrived| arrived == *origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> RequestOrigin {
        text.parse().unwrap()
    }

    #[test]
    fn the_names_of_a_platform_are_known() {
        // variables; origin, `Host`, whether it is known
        let none: &[(&str, &str)] = &[];
        let render: &[(&str, &str)] = &[("RENDER_EXTERNAL_HOSTNAME", "shop.onrender.com")];
        let fly: &[(&str, &str)] = &[("FLY_APP_NAME", "shop")];
        let cases = [
            (none, "https://shop.example.com", Some("shop.example.com"), false),
            (none, "http://localhost:8080", Some("anything"), true),
            (none, "http://127.0.0.1:8080", None, true),
            (none, "http://localhost:9999", Some("localhost:9999"), false),
            (none, "http://localhost", None, false),
            (render, "https://shop.onrender.com", Some("other.example"), true),
            (render, "https://shop.example.com", Some("shop.example.com"), true),
            (render, "https://shop.example.com", Some("SHOP.example.com:443"), true),
            (render, "https://evil.example", Some("shop.onrender.com"), false),
            (render, "https://evil.example", None, false),
            (render, "https://shop.onrender.com:8443", Some("shop.onrender.com"), false),
            (fly, "https://shop.fly.dev", None, true),
            (fly, "https://shop.example.com", Some("shop.example.com"), false),
        ];
        for (variables, text, host, expected) in cases {
            let variable = |name: &str| {
                variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
            };
            let known = KnownHosts::new(&HostNames::Auto, 8080, variable);
            assert_eq!(known.knows(&origin(text), host), expected, "{variables:?}: {text} by {host:?}");
            assert_eq!(known.is_local_only(), variables.is_empty(), "{variables:?}");
        }
    }

    #[test]
    fn listed_names_replace_those_of_the_platform() {
        let setting = HostNames::Listed(
            ["api.example.com", "http://10.0.0.5:8080", "internal:9000"]
                .map(|name| name.parse().unwrap())
                .to_vec(),
        );
        let known = KnownHosts::new(&setting, 8080, |_| Some("shop.onrender.com".to_owned()));
        for (text, expected) in [
            ("https://api.example.com", true),
            ("http://api.example.com", true),
            ("https://api.example.com:8443", false),
            ("http://10.0.0.5:8080", true),
            ("https://10.0.0.5:8080", false),
            ("https://internal:9000", true),
            ("http://internal", false),
            ("https://shop.onrender.com", false),
        ] {
            assert_eq!(known.knows(&origin(text), Some("shop.onrender.com")), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_learned_once_if_the_owner_says_so() {
        let known = KnownHosts::new(&HostNames::Learn, 0, |_| None);
        assert!(!known.is_local_only());
        assert!(known.knows(&origin("https://api.example.com"), None));
        assert!(known.knows(&origin("https://api.example.com"), Some("x")));
        assert!(!known.knows(&origin("https://evil.example"), Some("evil.example")));
        assert!(known.knows(&origin("http://localhost:1"), None));
    }
}
