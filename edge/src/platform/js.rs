//! Calling the platform by name.
//!
//! The bindings of the crate `worker` would take everything along that a request can be made of, and derived readers and writers.

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// What JavaScript throws is the error.
type Thrown<T> = std::result::Result<T, JsValue>;

/// `object.method(value)`.
pub(crate) fn call(object: &JsValue, method: &str, value: &JsValue) -> Thrown<JsValue> {
    call_with(object, method, value, &JsValue::UNDEFINED)
}

/// `object.method(value, options)`.
pub(crate) fn call_with(
    object: &JsValue,
    method: &str,
    value: &JsValue,
    options: &JsValue,
) -> Thrown<JsValue> {
    let method: Function = Reflect::get(object, &method.into())?.dyn_into()?;
    method.call2(object, value, options)
}

/// What a promise becomes.
pub(crate) fn promised(promise: Thrown<JsValue>) -> Thrown<JsFuture> {
    Ok(promise?.dyn_into::<Promise>()?.into())
}

/// The status and the text of an answer to `object.fetch(request)`; `look` is shown the answer before it is read.
pub(crate) async fn fetch(
    object: &JsValue,
    request: &JsValue,
    look: fn(&web_sys::Response),
) -> Thrown<(u16, String)> {
    let answer: web_sys::Response = promised(call(object, "fetch", request))?.await?.dyn_into()?;
    look(&answer);
    let text = JsFuture::from(answer.text()?).await?;
    Ok((answer.status(), text.as_string().unwrap_or_default()))
}
