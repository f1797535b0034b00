//! Dates as the platform writes them: it has the tables of zones and languages, and the Worker need not.

use js_sys::{Array, Function, Intl, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// A format for `language` with these options of `Intl.DateTimeFormat`; `None` where one of them is not known.
///
/// The constructor throws then; the binding of its own would take the Worker along.
pub(crate) fn date_format(language: &str, options: &[(&str, &str)]) -> Option<Intl::DateTimeFormat> {
    let object = Object::new();
    for (name, value) in options {
        Reflect::set(&object, &JsValue::from_str(name), &JsValue::from_str(value)).ok()?;
    }
    let intl = Reflect::get(&js_sys::global(), &"Intl".into()).ok()?;
    let constructor: Function = Reflect::get(&intl, &"DateTimeFormat".into()).ok()?.dyn_into().ok()?;
    let format = Reflect::construct(&constructor, &Array::of2(&JsValue::from_str(language), &object)).ok()?;
    Some(format.unchecked_into())
}
