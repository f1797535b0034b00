//! Variables and secrets of the Worker, by name.
//!
//! [`Env::object_var`] reads tables only, and a list such as `[[vars.MONITORS]]` is an array. So a variable of any type is read here,
//! as text or as JSON.

use js_sys::{JSON, Object};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::{Env, EnvBinding};

#[wasm_bindgen]
extern "C" {
    /// A variable or secret of any JSON type.
    type Variable;
}

impl EnvBinding for Variable {
    const TYPE_NAME: &'static str = "any";

    fn get(value: JsValue) -> worker::Result<Self> {
        Ok(value.unchecked_into())
    }
}

/// Returns the names of all variables, secrets and bindings.
pub(crate) fn variable_names(env: &Env) -> Vec<String> {
    let env: &JsValue = env.as_ref();
    Object::keys(env.unchecked_ref::<Object>()).iter().filter_map(|name| name.as_string()).collect()
}

/// Returns a variable or secret that is a text; `None` if it is not set, or is not a text.
pub(crate) fn read_text(env: &Env, name: &str) -> Option<String> {
    env.get_binding::<Variable>(name).ok()?.as_string()
}

/// A variable that should be a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextVariable {
    /// It is not set.
    Unset,
    /// A text.
    Text(String),
    /// Another type, as JSON.
    OtherType(String),
}

/// Returns a variable that should be a text.
pub(crate) fn read_text_variable(env: &Env, name: &str) -> TextVariable {
    match (read_text(env, name), read_json(env, name)) {
        (Some(text), _) => TextVariable::Text(text),
        (None, Some(json)) => TextVariable::OtherType(json),
        (None, None) => TextVariable::Unset,
    }
}

/// Returns a variable as JSON: a text as it is, a list or table as its JSON; `None` if it is not set.
pub(crate) fn read_json(env: &Env, name: &str) -> Option<String> {
    let variable = env.get_binding::<Variable>(name).ok()?;
    variable.as_string().or_else(|| JSON::stringify(&variable).ok()?.as_string())
}
