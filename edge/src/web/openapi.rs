//! The API, described: an `OpenAPI` 3.1 document and a page for people, both made of the code that answers.
//!
//! Paths and methods come from the table of routes, parameters from what the front takes, words and bounds from the
//! types, and examples from the writers themselves. A route that is not described does not compile. Native only: the
//! Worker holds nothing of it, and the platform serves the two files.

mod incidents;
mod machines;
mod node;
mod operation;
mod owner;
mod pages;
mod parameters;
mod past;
mod sample;
mod schema;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;

use self::node::{Node, object};
use self::operation::{Operation, errors, known_headers, parameter, problem};
use self::schema::text;
use crate::web::routes::endpoint::{self, Endpoint};

/// Where the document is, below `edge/assets`.
pub const DOCUMENT: &str = "api/v1/openapi.json";

const NOW: &str = "Now";
const PAST: &str = "History";
const INCIDENTS: &str = "Incidents";
const MACHINES: &str = "Badges, feeds and metrics";
const PAGES: &str = "Pages";
const OWNER: &str = "Owner and jobs";

/// The headings, in their order.
const TAGS: [(&str, &str); 6] = [
    (NOW, "What holds at this moment."),
    (PAST, "What was, of one monitor."),
    (INCIDENTS, "Stretches of trouble, each with its cause."),
    (MACHINES, "The same for programs that know formats of their own."),
    (
        PAGES,
        "Pages for people, in the language of the reader. They are here for completeness; nothing but their addresses is stable.",
    ),
    (OWNER, "What wants a token, or a proof."),
];

const ABOUT: &str = "What a heapbeat edge tells about the backends that it watches. Reading needs no sign-in, and pages of \
other origins may read it as well (CORS).

**Stability.** Within `/api/v1` nothing is removed or renamed and nothing changes its meaning. Fields, words and paths may be \
added: a client should skip what it does not know.

**Methods.** `HEAD` is answered wherever `GET` is, with the same headers. `OPTIONS` is answered everywhere with 204. Every \
other method is 405 with `Allow`.

**Caching.** What is public has a strong `ETag` and may be kept for five seconds. While the edge's own storage does not \
answer, its last answer is told for up to an hour; `Age` and `X-Heapbeat-Stale` say how old it is.

**Errors** are problem documents (RFC 9457). A parameter that is not known, is given twice or cannot be read is refused with \
400 and a sentence about what would be right. There may be a limit to how often one client asks: 429 with `Retry-After`.";

/// The document, as the file has it.
pub fn document() -> String {
    tree().pretty(120) + "\n"
}

fn tree() -> Node {
    let info = object([
        ("title", Node::from("heapbeat")),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("description", ABOUT.into()),
        (
            "license",
            object([("name", Node::from("MIT OR Apache-2.0")), ("identifier", "MIT OR Apache-2.0".into())]),
        ),
    ]);
    let tag =
        |(name, about): (&str, &str)| object([("name", Node::from(name)), ("description", about.into())]);
    object([
        ("openapi", Node::from("3.1.0")),
        ("info", info),
        (
            "servers",
            Node::List(vec![object([
                ("url", Node::from("/")),
                ("description", "Where the document is.".into()),
            ])]),
        ),
        ("tags", Node::List(TAGS.into_iter().map(tag).collect())),
        ("paths", object(endpoint::all().iter().map(|path| (path.template, methods(path))))),
        ("components", components()),
    ])
}

/// All that can be done at a path.
fn methods(path: &Endpoint) -> Node {
    Node::Object(
        path.operations
            .iter()
            .map(|operation| {
                let method = operation.method.as_str();
                let mut described = described(path.template, method);
                described.parameters.splice(0..0, parameters::of(path, operation));
                (method.to_lowercase(), described.node())
            })
            .collect(),
    )
}

/// What is done there, by whom, and what comes back.
fn described(template: &str, method: &str) -> Operation {
    match (template, method) {
        ("/", _) => pages::status(),
        ("/monitors/{id}", _) => pages::monitor(),
        ("/incidents/{id}", _) => pages::incident(),
        ("/preview.svg", _) => pages::preview(),
        ("/api/v1/status", _) => status::all(),
        ("/api/v1/monitors/{id}", _) => status::one(),
        ("/api/v1/monitors/{id}/uptime", _) => past::uptime(),
        ("/api/v1/monitors/{id}/memory", _) => past::memory(),
        ("/api/v1/monitors/{id}/latency", _) => past::latency(),
        ("/api/v1/monitors/{id}/days", _) => past::days(),
        ("/api/v1/monitors/{id}/versions", _) => past::versions(),
        ("/api/v1/incidents", _) => incidents::list_them(),
        ("/api/v1/incidents/{id}", _) => incidents::one(),
        ("/badge/{id}.svg", _) => machines::picture(),
        ("/badge/{id}.json", _) => machines::shield(),
        ("/metrics", _) => machines::figures(),
        ("/feed.atom", _) => machines::atom(),
        ("/feed.rss", _) => machines::rss(),
        ("/calendar.ics", _) => machines::calendar(),
        ("/api/v1/admin/status", _) => status::owners(),
        ("/api/v1/admin/monitors", "PUT") => owner::apply(),
        ("/api/v1/admin/monitors", _) => owner::monitors(),
        ("/api/v1/admin/maintenance", "PUT") => owner::announce(),
        ("/api/v1/admin/maintenance", _) => owner::work(),
        ("/api/v1/admin/incidents/{id}", _) => incidents::order(),
        ("/api/v1/admin/export", _) => owner::export(),
        ("/api/v1/admin/import", _) => owner::import(),
        ("/api/v1/heartbeats/{id}", _) => owner::heartbeat(),
        ("/api/v1/subscriptions", "DELETE") => subscriptions::end(),
        ("/api/v1/subscriptions", _) => subscriptions::ask(),
        ("/api/v1/admin/subscriptions", "DELETE") => subscriptions::remove(),
        ("/api/v1/admin/subscriptions", _) => subscriptions::all(),
        _ => panic!("{method} {template} is not described"),
    }
}

fn components() -> Node {
    let token = |about: &str| {
        object([("type", Node::from("http")), ("scheme", "bearer".into()), ("description", about.into())])
    };
    let kept = parameter(
        "If-None-Match",
        "header",
        "The `ETag` of what is there already, in its quotes: the answer is 304 where it still holds.",
        text(),
    );
    let mut schemas = vec![("Problem", problem())];
    schemas.extend(status::schemas());
    schemas.extend(past::schemas());
    schemas.extend(incidents::schemas());
    schemas.extend(machines::schemas());
    schemas.extend(owner::schemas());
    schemas.extend(schema::ids());
    schemas.extend(subscriptions::schemas());
    object([
        (
            "securitySchemes",
            object([
                ("owner", token("The Worker's secret `ADMIN_TOKEN`, of at least 16 characters.")),
                ("job", token("The Worker's secret `HEARTBEAT_TOKEN`, which may only say that a job ran.")),
            ]),
        ),
        ("parameters", object([("IfNoneMatch", kept)])),
        ("headers", known_headers()),
        ("responses", errors()),
        ("schemas", object(schemas)),
    ])
}
