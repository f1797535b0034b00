//! Reading the body of a response up to a limit.
//!
//! The stream of the `worker` crate cannot be canceled by its reader; dropping it cancels it, but leaks a closure each time, which a
//! target with long bodies would turn into a leak of the hub.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult, Response};
use worker::Result;

/// Reads a body of at most `limit` bytes; `None` if it is longer. A longer body is canceled where it passes the limit, so one of
/// a gigabyte costs no more than one that is a byte too long.
pub(crate) async fn read_body(response: &Response, limit: usize) -> Result<Option<Vec<u8>>> {
    match announced_length(response) {
        Some(length) if length <= limit => read_whole(response, limit).await,
        _ => read_chunks(response, limit).await,
    }
}

/// Cancels a body that nobody reads.
pub(crate) fn cancel_body(response: &Response) {
    if let Some(stream) = response.body() {
        // The promise says when the platform has canceled it, on which nothing depends.
        let _ = stream.cancel();
    }
}

/// The length that the header announces; `None` if the body is encoded, as the header then counts the encoded bytes.
fn announced_length(response: &Response) -> Option<usize> {
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let length = header("content-length")?.parse().ok()?;
    header("content-encoding").is_none().then_some(length)
}

async fn read_whole(response: &Response, limit: usize) -> Result<Option<Vec<u8>>> {
    let bytes = Uint8Array::new(&JsFuture::from(response.array_buffer()?).await?);
    Ok((bytes.length() as usize <= limit).then(|| bytes.to_vec()))
}

async fn read_chunks(response: &Response, limit: usize) -> Result<Option<Vec<u8>>> {
    match response.body() {
        Some(stream) => read_stream(&stream, limit).await,
        None => Ok(Some(Vec::new())),
    }
}

/// Reads a stream of at most `limit` bytes; `None` if it is longer. A longer one is canceled where it passes the limit.
async fn read_stream(stream: &ReadableStream, limit: usize) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    loop {
        let chunk: ReadableStreamReadResult = JsFuture::from(reader.read()).await?.unchecked_into();
        let chunk = chunk.get_value();
        if chunk.is_undefined() {
            return Ok(Some(bytes));
        }
        let chunk: Uint8Array = chunk.dyn_into()?;
        let (begin, length) = (bytes.len(), chunk.length() as usize);
        if begin + length > limit {
            // As in `cancel_body`.
            let _ = reader.cancel();
            return Ok(None);
        }
        bytes.resize(begin + length, 0);
        chunk.copy_to(&mut bytes[begin..]);
    }
}
