//! Following redirects by hand: counted, never in a circle, never to what is no web address.

use std::cell::RefCell;

use web_sys::Url;

use crate::config::{MONITORS_PER_HUB, is_private_host};
use crate::domain::Failure;
use crate::domain::report::verification::SigningKey;

/// Most redirects that are followed.
const MOST: usize = 5;

thread_local! {
    /// The addresses of the configuration that were asked last, taken apart; the platform's `URL` is not cheap.
    static KNOWN: RefCell<Vec<(String, Place)>> = const { RefCell::new(Vec::new()) };
}

/// Whether an answer with this status sends one elsewhere.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// An address of somebody's as the platform writes it, and its host; `None` where it is none that may be asked. `private`: whether
/// one of a private network may.
pub(crate) fn canonical(url: &str, private: bool) -> Option<(String, String)> {
    let place = Place::read(Url::new(url).ok()).ok()?;
    let public = place.href.starts_with("https:") && !is_private_host(&place.host);
    (private || public).then_some((place.href, place.host))
}

/// Where a probe has been, the address it asks now last, and never without one. The addresses are canonical, as the platform's
/// own `URL` writes them: `http://0x7f.1/` is `http://127.0.0.1/` here, and is judged as that.
#[derive(Debug)]
pub(super) struct RedirectChain {
    visited: Vec<Place>,
    private: bool,
}

/// An address, taken apart once.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// All of it, without a fragment: the origin, and what is asked for there.
    pub(super) href: String,
    /// Scheme, host and port.
    pub(super) origin: String,
    /// The host alone.
    pub(super) host: String,
}

impl Place {
    /// Takes a web address apart. It has no credentials.
    fn read(url: Option<Url>) -> Result<Self, Failure> {
        let url = url.ok_or(Failure::RedirectRefused)?;
        url.set_hash("");
        let place = Place { href: url.href(), origin: url.origin(), host: url.hostname() };
        let web = place.origin.starts_with("http://") || place.origin.starts_with("https://");
        // Credentials would stand between the two, and other schemes have no origin.
        let path = place.href.strip_prefix(&place.origin);
        let plain = web && path.is_some_and(|path| path.starts_with('/'));
        if plain { Ok(place) } else { Err(Failure::RedirectRefused) }
    }

    /// What a request line asks for: the path, and the query.
    pub(super) fn target(&self) -> &str {
        &self.href[self.origin.len()..]
    }
}

impl RedirectChain {
    /// Begins at an address of the configuration, asked with `key`.
    pub(super) fn begin(url: &str, key: Option<&SigningKey>, private: bool) -> Result<Self, Failure> {
        let known = KNOWN.with_borrow(|known| known.iter().find(|(text, _)| text == url).cloned());
        let mut place = if let Some((_, place)) = known {
            place
        } else {
            let place = Place::read(Url::new(url).ok())?;
            KNOWN.with_borrow_mut(|known| {
                known.truncate(MONITORS_PER_HUB - 1);
                known.insert(0, (url.to_owned(), place.clone()));
            });
            place
        };
        if let Some(key) = key {
            place.href = key.add_cursor(&place.href);
        }
        let mut trail = RedirectChain { visited: Vec::new(), private };
        trail.step(place)?;
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
        self.step(Place::read(Url::new_with_base(location, &self.current().href).ok())?)
    }

    fn step(&mut self, place: Place) -> Result<(), Failure> {
        if !self.private && is_private_host(&place.host) {
            return Err(Failure::PrivateAddress);
        }
        if self.visited.iter().any(|other| other.href == place.href) {
            return Err(Failure::RedirectLoop);
        }
        self.visited.push(place);
        Ok(())
    }
}
