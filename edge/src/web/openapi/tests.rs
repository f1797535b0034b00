//! The two files are what the code gives, and nothing is left out.

use std::path::Path as File;

use serde_json::Value;

use super::*;

fn committed(name: &str) -> String {
    let file = File::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name);
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn the_files_are_what_the_code_gives() {
    for (name, made) in [(DOCUMENT, document())] {
        assert!(
            committed(name) == made,
            "edge/assets/{name} is not what the code gives any more: run `make openapi`"
        );
    }
}

#[test]
fn every_path_of_the_table_and_nothing_else() {
    let read: Value = serde_json::from_str(&document()).unwrap();
    let told: Vec<(String, Vec<String>)> = read["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, methods)| (path.clone(), methods.as_object().unwrap().keys().cloned().collect()))
        .collect();
    let mut expected: Vec<(String, Vec<String>)> = endpoint::all()
        .iter()
        .map(|path| {
            let methods = path.operations.iter().map(|it| it.method.as_str().to_lowercase());
            let mut methods: Vec<_> = methods.collect();
            methods.sort();
            (path.template.to_owned(), methods)
        })
        .collect();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn what_is_referred_to_is_there_and_used() {
    let text = document();
    let read: Value = serde_json::from_str(&text).unwrap();
    let referred: Vec<&str> =
        text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for path in &referred {
        assert!(read.pointer(path).is_some(), "{path} is not in the document");
    }
    for group in ["schemas", "headers", "parameters", "responses"] {
        for name in read["components"][group].as_object().unwrap().keys() {
            // What every path answers to a method that it has not is nobody's own answer.
            let path = format!("/components/{group}/{name}");
            assert!(
                name == "MethodNotAllowed" || referred.contains(&path.as_str()),
                "{path} is used nowhere"
            );
        }
    }
}
