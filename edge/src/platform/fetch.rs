//! Outgoing requests.
//!
//! Redirects are returned as they are, for the caller to follow, and nothing comes out of a cache.
//!
//! `worker::Fetch` is not used: it takes a new `Request` for each address and reads back what it was made of. The calls into the
//! platform that this adds took 17 to 21 µs more than the 227 to 259 µs of workerd's CPU that a request takes here (medians of 25 and
//! 50 interleaved runs of 400 requests), while all of the Worker's own work for a monitor is 159 µs a tick (`bench/results/tick.txt`).
//! Its response also hides the body behind a stream that cannot be canceled ([`super::body`]). Requests to hubs, which are few, use
//! the `worker` crate's types.

use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, RequestCache, RequestInit, RequestRedirect, Response, WorkerGlobalScope,
};
use worker::Result;

/// A request without its address, which can be sent any number of times.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingRequest {
    init: RequestInit,
    headers: Headers,
}

impl OutgoingRequest {
    /// Creates a request with these headers, of which the last of a name counts, and this body: a text, bytes, or `undefined`.
    /// Fails if the name or value of a header is invalid.
    pub(crate) fn new<'h>(
        method: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        body: &JsValue,
    ) -> Result<Self> {
        let all = Headers::new()?;
        for (name, value) in headers {
            all.set(name, value)?;
        }
        let init = RequestInit::new();
        init.set_method(method);
        init.set_redirect(RequestRedirect::Manual);
        init.set_cache(RequestCache::NoStore);
        if !body.is_undefined() {
            init.set_body(body);
        }
        Ok(OutgoingRequest { init, headers: all })
    }

    /// Returns the same request with one more header. The platform reads headers when it sends them, so those of a request that
    /// is under way are never changed.
    pub(crate) fn with_header(&self, name: &str, value: &str) -> Result<Self> {
        let headers = Headers::new_with_headers(&self.headers)?;
        headers.set(name, value)?;
        Ok(OutgoingRequest { init: self.init.clone(), headers })
    }

    /// Sends the request to `url`; `signal` aborts it.
    pub(crate) async fn send(&self, url: &str, signal: &AbortSignal) -> Result<Response> {
        self.init.set_headers_headers(&self.headers);
        self.init.set_signal(Some(signal));
        let worker: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response = JsFuture::from(worker.fetch_with_str_and_init(url, &self.init)).await?;
        Ok(response.unchecked_into())
    }
}
