//! Reading a body as far as its limit.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Response};

use super::platform::{Address, Look, conclude, read_error};
use crate::domain::check::outcome::{ProbeError, ResponseBody};

/// Reads at most `limit` bytes; a body that is longer is cancelled where it passes the limit, so one of a
/// gigabyte costs no more than one that is a byte too long.
pub(crate) async fn read(response: &Response, limit: usize) -> Result<ResponseBody, ProbeError> {
    match announced_windows(response) {
        Some(length) if length <= limit => whole(response, limit).await.map_err(|thrown| failed(&thrown)),
        _ => in_pieces(response, limit).await.map_err(|thrown| failed(&thrown)),
    }
}

/// The length of a body that is as long as its header says. Of one that is encoded, that is the length of the code.
fn announced_windows(response: &Response) -> Option<usize> {
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let length = header("content-length")?.parse().ok()?;
    header("content-encoding").is_none().then_some(length)
}

async fn whole(response: &Response, limit: usize) -> Result<ResponseBody, JsValue> {
    let bytes = Uint8Array::new(&JsFuture::from(response.array_buffer()?).await?);
    let fits = bytes.length() as usize <= limit;
    Ok(if fits { ResponseBody::Whole(bytes.to_vec()) } else { ResponseBody::TooLarge })
}

async fn in_pieces(response: &Response, limit: usize) -> Result<ResponseBody, JsValue> {
    let mut bytes = Vec::new();
    let Some(stream) = response.body() else { return Ok(ResponseBody::Whole(bytes)) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let chunk = JsFuture::from(reader.read()).await?;
        let chunk = Reflect::get(&chunk, &"value".into())?;
        if chunk.is_undefined() {
            return Ok(ResponseBody::Whole(bytes));
        }
        let chunk: Uint8Array = chunk.dyn_into()?;
        let length = chunk.length() as usize;
        if bytes.len() + length > limit {
            // Nobody waits for the answer to this.
            let _ = reader.cancel();
            return Ok(ResponseBody::TooLarge);
        }
        let begin = bytes.len();
        bytes.resize(begin + length, 0);
        chunk.copy_to(&mut bytes[begin..]);
    }
}

/// Leaves a body where it is.
pub(super) fn leave(response: &Response) -> ResponseBody {
    if let Some(stream) = response.body() {
        // Nobody waits for the answer to this.
        let _ = stream.cancel();
    }
    ResponseBody::Unread
}

/// Why a body did not come to its end.
fn failed(thrown: &JsValue) -> ProbeError {
    conclude(read_error(&said(thrown)), Look::NotTaken, Address::default())
}

/// The text of what the platform threw.
pub(super) fn said(thrown: &JsValue) -> String {
    worker::Error::from(thrown.clone()).to_string()
}
