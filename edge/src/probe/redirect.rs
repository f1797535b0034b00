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

/// Where a probe has been, the address it asks now last. The addresses are canonical, as the platform's own
/// `URL` writes them: `http://0x7f.1/` is `http://127.0.0.1/` here, and is judged as that.
#[derive(Debug)]
pub(super) struct Trail {
    visited: Vec<String>,
    private: bool,
}

impl Trail {
    /// Begins at an address of the configuration.
    pub(super) fn begin(url: &str, private: bool) -> Result<Self, Failure> {
        let mut trail = Trail { visited: Vec::new(), private };
        trail.step(Url::new(url).ok())?;
        Ok(trail)
    }

    /// The address to ask.
    pub(super) fn current(&self) -> &str {
        self.visited.last().map_or("", String::as_str)
    }

    /// Goes where `location`, absolute or relative, points to.
    pub(super) fn follow(&mut self, location: &str) -> Result<(), Failure> {
        if self.visited.len() > MOST {
            return Err(Failure::TooManyRedirects);
        }
        self.step(Url::new_with_base(location, self.current()).ok())
    }

    fn step(&mut self, url: Option<Url>) -> Result<(), Failure> {
        let url = url.ok_or(Failure::RedirectRefused)?;
        let web = matches!(url.protocol().as_str(), "http:" | "https:");
        if !web || !url.username().is_empty() || !url.password().is_empty() {
            return Err(Failure::RedirectRefused);
        }
        if !self.private && is_private_host(&url.hostname()) {
            return Err(Failure::PrivateAddress);
        }
        url.set_hash("");
        let href = url.href();
        if self.visited.contains(&href) {
            return Err(Failure::RedirectLoop);
        }
        self.visited.push(href);
        Ok(())
    }
}
