//! Redirects: counted, never in a circle, and to public web addresses only.

use std::cell::RefCell;

use crate::domain::Failure;
use crate::domain::check::request_plan::MAX_REDIRECTS;
use crate::domain::report::verification::SigningKey;
use crate::monitor_config::{MONITORS_PER_HUB, is_private_host};
use crate::platform::url::WebUrl;

thread_local! {
    /// The configured addresses that were probed last, as the platform's `URL` is slow.
    static PARSED_URLS: RefCell<Vec<(String, WebUrl)>> = const { RefCell::new(Vec::new()) };
}

/// Whether a response with this status is a redirect.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The addresses that a probe has requested, the current one last. There is always one.
#[derive(Debug)]
pub(super) struct RedirectChain {
    visited: Vec<WebUrl>,
    allow_private: bool,
}

impl RedirectChain {
    /// Starts at a configured address. With a `key`, its query names the samples that the edge already has.
    pub(super) fn start(url: &str, key: Option<&SigningKey>, allow_private: bool) -> Result<Self, Failure> {
        let mut first = parse_configured(url).ok_or(Failure::RedirectRefused)?;
        if let Some(key) = key {
            first.href = key.add_cursor(&first.href);
        }
        let mut chain = RedirectChain { visited: Vec::new(), allow_private };
        chain.visit(first)?;
        Ok(chain)
    }

    /// Returns the address to request.
    pub(super) fn current(&self) -> &WebUrl {
        &self.visited[self.visited.len() - 1]
    }

    /// Whether the current address has the origin of the first one, for which headers and body were configured.
    pub(super) fn is_at_first_origin(&self) -> bool {
        self.current().origin == self.visited[0].origin
    }

    /// Whether the current address is the configured one. Requests to others are not signed.
    pub(super) fn is_at_first(&self) -> bool {
        self.visited.len() == 1
    }

    /// Follows a redirect to `location`, which may be relative. Fails if it must not be followed.
    pub(super) fn follow_redirect(&mut self, location: &str) -> Result<(), Failure> {
        if self.visited.len() > MAX_REDIRECTS as usize {
            return Err(Failure::TooManyRedirects);
        }
        self.visit(self.current().join(location).ok_or(Failure::RedirectRefused)?)
    }

    fn visit(&mut self, url: WebUrl) -> Result<(), Failure> {
        if !self.allow_private && is_private_host(&url.host) {
            return Err(Failure::PrivateAddress);
        }
        if self.visited.iter().any(|other| other.href == url.href) {
            return Err(Failure::RedirectLoop);
        }
        self.visited.push(url);
        Ok(())
    }
}

/// Parses a configured address, unless it was parsed before.
fn parse_configured(text: &str) -> Option<WebUrl> {
    let known = PARSED_URLS.with_borrow(|known| known.iter().find(|(other, _)| other == text).cloned());
    if let Some((_, url)) = known {
        return Some(url);
    }
    let url = WebUrl::parse(text)?;
    PARSED_URLS.with_borrow_mut(|known| {
        known.truncate(MONITORS_PER_HUB - 1);
        known.insert(0, (text.to_owned(), url.clone()));
    });
    Some(url)
}
