//! The description of the API: an `OpenAPI` 3.1 document, native only.
//!
//! `schemars` derives the schemas from the serde types of responses and bodies: for a response it counts a field that is always written as
//! required, `null` included, which utoipa would declare optional. utoipa's attributes also belong to handlers, and the Worker has one
//! table of typed routes instead (`routes::route_table`). Descriptions are the doc comments of the types. `operation_descriptions`
//! describes each operation of the table; a test checks that both have the same operations. Examples are values of the same types (`example`).
//!
//! The document is committed (`edge/assets/api/v1/openapi.json`, written by `make openapi`), so that a review shows changes of the
//! contract, and a deployment needs no native build. The page at `/api` is generated from it by `tools/api-reference.mjs` in `make wasm`.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::web::routes::route_table;

mod common;
mod entries;
pub(crate) mod example;
mod operation_builder;
mod operation_descriptions;
mod parameters;
mod schema;
#[cfg(test)]
mod tests;

/// The path of the document below `edge/assets`.
pub const DOCUMENT: &str = "api/v1/openapi.json";

const DESCRIPTION: &str = "\
The API of a heapbeat edge: the status and the history of the backends that it monitors. Reading needs no token, and pages of other \
origins may read, too (CORS).

**Stability.** Within `/api/v1` nothing is removed or renamed, and nothing changes its meaning. Fields, words and paths may be added: a \
client should ignore unknown ones.

**Methods.** `HEAD` is answered wherever `GET` is, with the same headers. `OPTIONS` is answered everywhere with 204. Any other method is \
answered with 405 and `Allow`.

**Caching.** Public responses have a strong `ETag` and may be cached for five seconds. While the edge's storage does not respond, the \
last response is served for up to an hour; `Age` and `X-Heapbeat-Stale` have its age.

**Errors** are problem documents (RFC 9457). A parameter that is unknown, given twice or invalid is answered with 400; `detail` names the \
parameter, the value and what would be right. Requests may be limited in number: 429 with `Retry-After`.";

/// Renders the document.
pub fn document() -> String {
    // All keys of a `Value` are text, so this cannot fail.
    serde_json::to_string_pretty(&build()).unwrap_or_default() + "\n"
}

fn build() -> Value {
    let mut generator = generator();
    let mut paths = Map::new();
    for endpoint in route_table::all_endpoints() {
        let mut methods = Map::new();
        for operation in &endpoint.operations {
            let method = operation.method.as_str();
            let description = operation_descriptions::describe(method, endpoint.template, &mut generator);
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
        "tags": operation_builder::Tag::ALL.map(|tag| json!({ "name": tag.name(), "description": tag.description() })),
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

/// Builds the generator of the schemas of responses.
fn generator() -> SchemaGenerator {
    strict_generator(SchemaSettings::draft2020_12().for_serialize())
}

/// Builds the generator of the schemas of bodies, in which a field with a default is optional.
fn body_generator() -> SchemaGenerator {
    strict_generator(SchemaSettings::draft2020_12().for_deserialize())
}

/// Builds a generator of schemas in JSON Schema 2020-12, the dialect of `OpenAPI` 3.1.
fn strict_generator(mut settings: SchemaSettings) -> SchemaGenerator {
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.transforms.push(Box::new(schema::Strict));
    settings.into_generator()
}
