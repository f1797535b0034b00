//! What the public and the owner reach over HTTP: routes, the JSON API, the pages, and their description.

pub mod admin;
pub mod api;
#[cfg(not(target_arch = "wasm32"))]
pub mod openapi;
pub mod page;
pub(crate) mod request_body;
pub(crate) mod routes;
