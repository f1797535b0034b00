//! A request as the platform takes it.
//!
//! Built on the platform's own types: the crate's options for requests bring Cloudflare's image resizing along. Redirects come
//! back as they are, for whoever asks to decide, and nothing comes out of a cache.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, Request, RequestCache, RequestInit, RequestRedirect, Response, WorkerGlobalScope,
};

/// What is asked, and its headers. An error where a name or value is no header's.
fn init<'h>(
    method: &str,
    headers: impl IntoIterator<Item = (&'h str, &'h str)>,
    body: &JsValue,
) -> Result<(RequestInit, Headers), JsValue> {
    let sent = Headers::new()?;
    for (name, value) in headers {
        sent.set(name, value)?;
    }
    let init = RequestInit::new();
    init.set_method(method);
    init.set_headers_headers(&sent);
    init.set_redirect(RequestRedirect::Manual);
    init.set_cache(RequestCache::NoStore);
    if !body.is_undefined() {
        init.set_body(body);
    }
    Ok((init, sent))
}

/// The request `method url` with this body, for another object of ours.
pub(crate) fn request(method: &str, url: &str, body: Option<&str>) -> worker::Result<Request> {
    Ok(Request::new_with_str_and_init(url, &init(method, [], &body.into())?.0)?)
}

/// A request that is ready to go out, as often as one likes.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    init: RequestInit,
    headers: Headers,
}

impl Outgoing {
    /// The request with these headers, of which the last of a name counts, and this body: a text, bytes, or nothing. An error where a
    /// name or value is no header's.
    pub(crate) fn new<'h>(
        method: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &JsValue,
    ) -> Result<Self, JsValue> {
        let (init, headers) = init(method, headers, body)?;
        Ok(Outgoing { init, headers })
    }

    /// The same with one header more. The platform reads headers when it sends them, so those of a request that is under way
    /// are never changed.
    pub(crate) fn with(&self, name: &str, value: &str) -> Result<Self, JsValue> {
        let headers = Headers::new_with_headers(&self.headers)?;
        headers.set(name, value)?;
        Ok(Outgoing { init: self.init.clone(), headers })
    }

    /// Sends it to `url`, until `signal` says that nobody wants the answer any more.
    pub(crate) async fn send(&self, url: &str, signal: &AbortSignal) -> Result<Response, JsValue> {
        self.init.set_headers_headers(&self.headers);
        self.init.set_signal(Some(signal));
        let worker: WorkerGlobalScope = js_sys::global().unchecked_into();
        let answer = JsFuture::from(worker.fetch_with_str_and_init(url, &self.init)).await?;
        Ok(answer.unchecked_into())
    }
}
