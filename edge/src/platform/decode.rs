//! Decoding text by the platform's own decoder, which has the tables of all character sets of the Encoding standard.

use js_sys::Uint8Array;
use web_sys::TextDecoder;

/// Decodes a text in the character set with this name; `None` if the platform does not know it. What is invalid in it is replaced.
pub(crate) fn decode_text(bytes: &[u8], label: &str) -> Option<String> {
    TextDecoder::new_with_label(label).ok()?.decode_with_js_u8_array(&Uint8Array::from(bytes)).ok()
}
