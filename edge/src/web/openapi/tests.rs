//! Tests: the committed document is current, describes every operation, and has no dangling reference.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

#[test]
fn the_committed_document_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(DOCUMENT);
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(committed == build(), "edge/assets/{DOCUMENT} is not current: run `make openapi`");
}

#[test]
fn operation_ids_are_unique() {
    let document = build();
    let mut ids = BTreeSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id}");
        }
    }
    let operations: usize =
        route_table::all_endpoints().iter().map(|endpoint| endpoint.operations.len()).sum();
    assert_eq!(ids.len(), operations);
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let document = build();
    let mut references = BTreeSet::new();
    collect_references(&document, &mut references);
    for reference in &references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference} is missing");
    }
    for group in ["schemas", "headers", "parameters", "responses"] {
        for name in document["components"][group].as_object().unwrap().keys() {
            // Every path may respond with 405, for any operation.
            let used =
                name == "MethodNotAllowed" || references.contains(&format!("#/components/{group}/{name}"));
            assert!(used, "{group}/{name} is not used");
        }
    }
}

#[test]
fn every_property_has_a_description() {
    let document = build();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(schema["description"].is_string(), "{name}.{property}");
        }
    }
}

fn collect_references(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect_references(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        _ => {}
    }
}
