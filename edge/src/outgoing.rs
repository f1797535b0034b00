//! A request as the platform takes it.
//!
//! Built on the platform's own types: the crate's options for requests bring Cloudflare's image resizing along. Redirects come
//! back as they are, for whoever asks to decide, and nothing comes out of a cache.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Request, RequestCache, RequestInit, RequestRedirect, Response, WorkerGlobalScope};

/// What is asked. An error where a name or value is no header's.
fn init<'h>(
    method: &str,
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    body: Option<&str>,
) -> Result<RequestInit, JsValue> {
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
    Ok(init)
}

/// The request `method url` with this body, for another object of ours.
pub(crate) fn request(method: &str, url: &str, body: Option<&str>) -> worker::Result<Request> {
    Ok(Request::new_with_str_and_init(url, &init(method, [], body)?)?)
}

/// A request that is ready to go out.
#[derive(Debug)]
pub(crate) struct Outgoing(RequestInit);

impl Outgoing {
    /// The request with these headers and body. An error where a name or value is no header's.
    pub(crate) fn new<'h>(
        method: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: Option<&str>,
    ) -> Result<Self, JsValue> {
        Ok(Outgoing(init(method, headers, body)?))
    }

    /// Sends it to `url`, until `signal` says that nobody wants the answer any more.
    pub(crate) async fn send(self, url: &str, signal: &AbortSignal) -> Result<Response, JsValue> {
        self.0.set_signal(Some(signal));
        let worker: WorkerGlobalScope = js_sys::global().unchecked_into();
        let answer = JsFuture::from(worker.fetch_with_str_and_init(url, &self.0)).await?;
        Ok(answer.unchecked_into())
    }
}
