//! Random bytes.

use wasm_bindgen::JsCast as _;
use web_sys::WorkerGlobalScope;

/// Fills `bytes` with cryptographically secure random bytes; `None` if the platform has none.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    let crypto = js_sys::global().unchecked_into::<WorkerGlobalScope>().crypto().ok()?;
    crypto.get_random_values_with_u8_array(bytes).ok().map(|_| ())
}
