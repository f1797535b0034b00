//! Web addresses, parsed by the platform's own `URL`.
//!
//! What is checked is therefore exactly what the platform connects to: `http://0x7f.1/` and `http://127。0。0。1/` are
//! `http://127.0.0.1/` here.

use web_sys::Url;

use heapbeat_monitors::is_private_host;

/// A canonical `http` or `https` address without credentials and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebUrl {
    /// The whole address.
    pub(crate) href: String,
    /// The scheme, the host and the port.
    pub(crate) origin: String,
    /// The host alone.
    pub(crate) host: String,
}

impl WebUrl {
    /// Parses an absolute address.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        WebUrl::from_platform(&Url::new(url).ok()?)
    }

    /// Parses an address that may be relative to this one.
    pub(crate) fn join(&self, location: &str) -> Option<Self> {
        WebUrl::from_platform(&Url::new_with_base(location, &self.href).ok()?)
    }

    /// The path and the query.
    pub(crate) fn path_and_query(&self) -> &str {
        &self.href[self.origin.len()..]
    }

    fn from_platform(url: &Url) -> Option<Self> {
        url.set_hash("");
        let url = WebUrl { href: url.href(), origin: url.origin(), host: url.hostname() };
        let is_web = url.origin.starts_with("http://") || url.origin.starts_with("https://");
        // Credentials would stand between the origin and the path, and other schemes have no origin.
        let path = url.href.strip_prefix(&url.origin)?;
        (is_web && path.starts_with('/')).then_some(url)
    }
}

/// Returns an `https` address of a public host in its canonical form; with `allow_private` also `http` and hosts of private
/// networks. `None` for any other.
pub(crate) fn parse_external(url: &str, allow_private: bool) -> Option<WebUrl> {
    let url = WebUrl::parse(url)?;
    let is_public = url.href.starts_with("https:") && !is_private_host(&url.host);
    (allow_private || is_public).then_some(url)
}

/// Returns a host in its canonical form; `None` if it is invalid.
pub(crate) fn canonical_host(host: &str) -> Option<String> {
    Some(Url::new(&format!("http://{host}/")).ok()?.hostname())
}

/// The host and the port that a connection to an address is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostAndPort {
    /// The canonical host.
    pub(crate) host: String,
    /// The port, which the scheme implies if the address has none.
    pub(crate) port: u16,
    /// Whether the connection uses TLS.
    pub(crate) is_tls: bool,
}

impl HostAndPort {
    /// Returns the endpoint of an address; `None` if it is invalid.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = Url::new(url).ok()?;
        let is_tls = url.protocol() == "https:";
        let port = url.port().parse().unwrap_or(if is_tls { 443 } else { 80 });
        Some(HostAndPort { host: url.hostname(), port, is_tls })
    }

    /// Whether the host is a name, and not an IP address.
    pub(crate) fn is_named(&self) -> bool {
        !self.host.starts_with('[') && self.host.parse::<std::net::Ipv4Addr>().is_err()
    }
}
