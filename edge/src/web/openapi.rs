//! The description of the API: an `OpenAPI` 3.1 document, native only.
//!
//! Schemas come from the serde types that answer, by `schemars`: its contract for serialization counts a field that is always written as
//! required, `null` included, which utoipa would declare optional. utoipa's attributes also belong to handlers, and the Worker has one
//! typed router instead (`endpoint`). Descriptions are the doc comments of the types. `operations` says what each operation of the
//! router is for; an operation without a description, and a description without an operation, fails a test. Examples are values
//! of the same types (`example`).
//!
//! The document is committed (`edge/assets/api/v1/openapi.json`, written by `make openapi`), so that a review shows what a change does to the
//! contract, and a deploy needs no native build. The page at `/api` is generated from it by `tools/api-reference.mjs` in `make wasm`.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::web::routes::endpoint;

mod common;
mod entries;
pub(crate) mod example;
mod operation;
mod operations;
mod parameters;
mod schema;
#[cfg(test)]
mod tests;

/// The path of the document below `edge/assets`.
pub const DOCUMENT: &str = "api/v1/openapi.json";

const DESCRIPTION: &str = "\
A heapbeat edge answers what it knows about the backends that it monitors. Reading needs no token, and pages of other origins may \
read as well (CORS).

**Stability.** Within `/api/v1` nothing is removed or renamed, and nothing changes its meaning. Fields, words and paths may be added: a \
client should ignore what it does not know.

**Methods.** `HEAD` is answered wherever `GET` is, with the same headers. `OPTIONS` is answered everywhere with 204. Any other method is \
answered with 405 and `Allow`.

**Caching.** Public answers have a strong `ETag` and may be kept for five seconds. While the edge's storage does not answer, the last \
answer is served for up to an hour; `Age` and `X-Heapbeat-Stale` say how old it is.

**Errors** are problem documents (RFC 9457). A parameter that is unknown, given twice or invalid is answered with 400; `detail` names the \
parameter, the value and what would be right. Requests may be limited in number: 429 with `Retry-After`.";

/// The document as the file has it.
pub fn document() -> String {
    // A `Value` has no keys that are not text.
    serde_json::to_string_pretty(&build()).unwrap_or_default() + "\n"
}

fn build() -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    for endpoint in endpoint::all_endpoints() {
        let mut methods = Map::new();
        for operation in &endpoint.operations {
            let method = operation.method.as_str();
            let description = operations::describe(method, endpoint.template, &mut generator);
            let parameters = parameters::list(endpoint, operation);
            methods.insert(method.to_lowercase(), description.render(parameters));
        }
        paths.insert(endpoint.template.to_owned(), methods.into());
    }
    let mut schemas = entries::schemas(&mut generator);
    schemas.extend(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "heapbeat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The origin of the document." }],
        "tags": operation::Tag::ALL.map(|tag| json!({ "name": tag.name(), "description": tag.description() })),
        "paths": paths,
        "components": {
            "securitySchemes": common::security_schemes(),
            "parameters": { "IfNoneMatch": parameters::if_none_match() },
            "headers": common::headers(),
            "responses": common::responses(&schemas),
            "schemas": schemas,
        },
    })
}

/// Schemas of what the edge answers.
fn generator() -> SchemaGenerator {
    strict_generator(SchemaSettings::draft2020_12().for_serialize())
}

/// Schemas of what the edge accepts, in which a field with a default is optional.
fn body_generator() -> SchemaGenerator {
    strict_generator(SchemaSettings::draft2020_12().for_deserialize())
}

/// Schemas in JSON Schema 2020-12, which is that of `OpenAPI` 3.1.
fn strict_generator(mut settings: SchemaSettings) -> SchemaGenerator {
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.transforms.push(Box::new(schema::Strict));
    settings.into_generator()
}
