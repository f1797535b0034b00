//! A request as the platform takes it.
//!
//! Built on the platform's own types: the crate's options for requests bring Cloudflare's image resizing along. Redirects come
//! back as they are, for whoever asks to decide, and nothing comes out of a cache.

use web_sys::{RequestCache, RequestInit, RequestRedirect};
use worker::Request;

/// The request `method url` with these headers and body. An error where a name or value is no header's.
pub(crate) fn request<'h>(
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    body: Option<&str>,
) -> worker::Result<Request> {
    Ok(plain(method, url, headers, body)?.into())
}

/// The same as it is handed to the platform.
pub(crate) fn plain<'h>(
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    body: Option<&str>,
) -> worker::Result<web_sys::Request> {
    let sent = web_sys::Headers::new()?;
    for (name, value) in headers {
        sent.set(name, value)?;
    }
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers_headers(&sent);
    init.set_redirect(RequestRedirect::Manual);
    init.set_cache(RequestCache::NoStore);
    init.set_body_opt_str(body);
    Ok(web_sys::Request::new_with_str_and_init(url, &init)?)
}
