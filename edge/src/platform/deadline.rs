//! A time limit for requests.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use wasm_bindgen::JsValue;
use web_sys::{AbortController, AbortSignal};
use worker::Delay;

/// Runs `request` for at most `timeout`, and returns its result; `None` if there was none in time. What is still under way is aborted, unless
/// the result says that nothing is (`is_complete`): aborting then would cost as much as the request did.
pub(crate) async fn run_within<T>(
    timeout: Duration,
    is_complete: impl FnOnce(&T) -> bool,
    request: impl AsyncFnOnce(&AbortSignal) -> T,
) -> Result<Option<T>, JsValue> {
    let controller = AbortController::new()?;
    let signal = controller.signal();
    let result = match select(pin!(request(&signal)), Delay::from(timeout)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(((), _)) => None,
    };
    if !result.as_ref().is_some_and(is_complete) {
        controller.abort();
    }
    Ok(result)
}
