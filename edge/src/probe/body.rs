//! Reading a body as far as its limit.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::ReadableStreamDefaultReader;
use worker::{Response, ResponseBody};

use super::platform::{Address, Look, conclude, read_error};
use crate::watch::Blindness;
use crate::watch::answer::{Body, Missed};

/// Reads at most `limit` bytes; a body that is longer is cancelled where it passes the limit, so one of a
/// gigabyte costs no more than one that is a byte too long.
pub(super) async fn read(response: Response, limit: usize) -> Result<Body, Missed> {
    let (_, body) = response.into_parts();
    let stream = match body {
        ResponseBody::Empty => return Ok(Body::Whole(Vec::new())),
        ResponseBody::Body(bytes) if bytes.len() > limit => return Ok(Body::TooLarge),
        ResponseBody::Body(bytes) => return Ok(Body::Whole(bytes)),
        ResponseBody::Stream(stream) => stream,
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(|thrown| failed(&thrown))?;
        if Reflect::get(&chunk, &"done".into()).is_ok_and(|done| done.is_truthy()) {
            return Ok(Body::Whole(bytes));
        }
        let chunk: Uint8Array = Reflect::get(&chunk, &"value".into())
            .and_then(JsCast::dyn_into)
            .map_err(|_| Missed::Blind(Blindness::Platform))?;
        let length = chunk.length() as usize;
        if bytes.len() + length > limit {
            // Nobody waits for the answer to this.
            let _ = reader.cancel();
            return Ok(Body::TooLarge);
        }
        let begin = bytes.len();
        bytes.resize(begin + length, 0);
        chunk.copy_to(&mut bytes[begin..]);
    }
}

/// Leaves a body where it is.
pub(super) fn leave(response: Response) -> Body {
    if let (_, ResponseBody::Stream(stream)) = response.into_parts() {
        // Nobody waits for the answer to this.
        let _ = stream.cancel();
    }
    Body::Unread
}

/// Why a body did not come to its end.
fn failed(thrown: &JsValue) -> Missed {
    let said = read_error(&worker::Error::from(thrown.clone()).to_string());
    conclude(said, Look::NotTaken, Address::default())
}
