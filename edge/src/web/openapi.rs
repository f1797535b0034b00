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
mod page;
mod pages;
mod parameters;
mod past;
mod sample;
mod schema;
mod status;
mod subscriptions;
#[cfg(test)]
mod tests;
mod words;

use self::node::{Node, object};
use self::operation::{Operation, errors, known_headers, parameter, problem};
use self::schema::text;
use crate::web::routes::table::{PATHS, Path, Route, Verb};

/// Where the document is, below `edge/assets`.
pub const DOCUMENT: &str = "api/v1/openapi.json";

/// Where the page is. The platform serves it at `/api`.
pub const PAGE: &str = "api.html";

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

/// The page, as the file has it.
pub fn page() -> String {
    page::page(&tree())
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
        ("paths", object(PATHS.iter().map(|path| (path.template, methods(path))))),
        ("components", components()),
    ])
}

/// All that can be done at a path.
fn methods(path: &Path) -> Node {
    let word = |verb: &Verb| match verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Put => "put",
        Verb::Delete => "delete",
    };
    object(path.verbs.iter().map(|verb| {
        let mut operation = described(path.route, *verb);
        operation.parameters.splice(0..0, parameters::of(path, *verb));
        (word(verb), operation.node())
    }))
}

/// What is done there, by whom, and what comes back.
fn described(route: Route, verb: Verb) -> Operation {
    match (route, verb) {
        (Route::Page, _) => pages::status(),
        (Route::MonitorPage, _) => pages::monitor(),
        (Route::IncidentPage, _) => pages::incident(),
        (Route::Preview, _) => pages::preview(),
        (Route::Status, _) => status::all(),
        (Route::Monitor, _) => status::one(),
        (Route::Uptime, _) => past::uptime(),
        (Route::Memory, _) => past::memory(),
        (Route::Latency, _) => past::latency(),
        (Route::Days, _) => past::days(),
        (Route::Versions, _) => past::versions(),
        (Route::Incidents, _) => incidents::list_them(),
        (Route::Incident, _) => incidents::one(),
        (Route::Badge, _) => machines::picture(),
        (Route::Shield, _) => machines::shield(),
        (Route::Metrics, _) => machines::figures(),
        (Route::Atom, _) => machines::atom(),
        (Route::Rss, _) => machines::rss(),
        (Route::Calendar, _) => machines::calendar(),
        (Route::AdminStatus, _) => status::owners(),
        (Route::AdminMonitors, Verb::Put) => owner::apply(),
        (Route::AdminMonitors, _) => owner::monitors(),
        (Route::AdminMaintenance, Verb::Put) => owner::announce(),
        (Route::AdminMaintenance, _) => owner::work(),
        (Route::AdminIncident, _) => incidents::order(),
        (Route::Export, _) => owner::export(),
        (Route::Import, _) => owner::import(),
        (Route::Heartbeat, _) => owner::heartbeat(),
        (Route::Subscriptions, Verb::Delete) => subscriptions::end(),
        (Route::Subscriptions, _) => subscriptions::ask(),
        (Route::AdminSubscriptions, Verb::Delete) => subscriptions::remove(),
        (Route::AdminSubscriptions, _) => subscriptions::all(),
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
