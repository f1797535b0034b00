//! Following redirects by hand: counted, never in a circle, never to what is no web address.

use web_sys::Url;

use crate::config::is_private_host;
use crate::watch::Failure;

/// Most redirects that are followed.
const MOST: usize = 5;

/// Whether an answer with this status sends one elsewhere.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where a probe has been, the address it asks now last, and never without one. The addresses are canonical, as the platform's
/// own `URL` writes them: `http://0x7f.1/` is `http://127.0.0.1/` here, and is judged as that.
#[derive(Debug)]
pub(super) struct Trail {
    visited: Vec<Place>,
    private: bool,
}

/// An address, taken apart once.
#[derive(Debug)]
pub(super) struct Place {
    /// All of it, without a fragment: the origin, and what is asked for there.
    pub(super) href: String,
    /// Scheme, host and port.
    pub(super) origin: String,
    /// The host alone.
    pub(super) host: String,
}

impl Place {
    /// What a request line asks for: the path, and the query.
    pub(super) fn target(&self) -> &str {
        &self.href[self.origin.len()..]
    }
}

impl Trail {
    /// Begins at an address of the configuration.
    pub(super) fn begin(url: &str, private: bool) -> Result<Self, Failure> {
        let mut trail = Trail { visited: Vec::new(), private };
        trail.step(Url::new(url).ok())?;
        Ok(trail)
    }

    /// The address to ask.
    pub(super) fn current(&self) -> &Place {
        &self.visited[self.visited.len() - 1]
    }

    /// Whether that is at the origin where the trail began: what secrets were meant for.
    pub(super) fn at_home(&self) -> bool {
        self.current().origin == self.visited[0].origin
    }

    /// Whether it is at least the same host: a redirect to another one is not asked with a signature.
    pub(super) fn same_host(&self) -> bool {
        self.current().host == self.visited[0].host
    }

    /// Goes where `location`, absolute or relative, points to.
    pub(super) fn follow(&mut self, location: &str) -> Result<(), Failure> {
        if self.visited.len() > MOST {
            return Err(Failure::TooManyRedirects);
        }
        self.step(Url::new_with_base(location, &self.current().href).ok())
    }

    fn step(&mut self, url: Option<Url>) -> Result<(), Failure> {
        let url = url.ok_or(Failure::RedirectRefused)?;
        let web = matches!(url.protocol().as_str(), "http:" | "https:");
        if !web || !url.username().is_empty() || !url.password().is_empty() {
            return Err(Failure::RedirectRefused);
        }
        let host = url.hostname();
        if !self.private && is_private_host(&host) {
            return Err(Failure::PrivateAddress);
        }
        url.set_hash("");
        let place = Place { href: url.href(), origin: url.origin(), host };
        // What nobody can take apart is no address that is asked.
        if !place.href.starts_with(&place.origin) {
            return Err(Failure::RedirectRefused);
        }
        if self.visited.iter().any(|other| other.href == place.href) {
            return Err(Failure::RedirectLoop);
        }
        self.visited.push(place);
        Ok(())
    }
}
