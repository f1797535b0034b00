//! Adjustments of the derived schemas.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

/// Forbids additional properties, so that tests find undescribed fields, and removes the widths of numbers, which belong to Rust and not to
/// JSON.
#[derive(Clone, Debug)]
pub(super) struct Strict;

impl Transform for Strict {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if object.contains_key("properties") && !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        let width =
            |format: &str| ["int", "uint", "double", "float"].iter().any(|kind| format.starts_with(kind));
        if object.get("format").and_then(Value::as_str).is_some_and(width) {
            object.remove("format");
        }
    }
}
