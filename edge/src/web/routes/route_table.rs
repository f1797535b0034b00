//! The table of all paths with their methods and routes. Pure.
//!
//! `matchit`, axum's router, matches the path; it knows parameters with a suffix (`/badge/{id}.svg`), which the router of the `worker` crate
//! (matchit 0.7 behind closures that return a response) does not. One table of paths gives the routes, the `Allow` of a 405 and
//! the list that the description of the API is checked against.

use std::sync::LazyLock;

use http::Method;
use matchit::Router;

use super::query::{Query, QueryError};
use super::route::Route;
use crate::domain::incident::id::IncidentId;
use crate::monitor_config::MonitorId;

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody; the answer is a page for people.
    Page,
    /// Anybody; the answer is for programs.
    Public,
    /// Anybody with an address that has confirmed the request.
    Subscriber,
    /// A job with its token, or the owner.
    Job,
    /// The owner, by the admin token.
    Owner,
}

/// The id in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PathId {
    None,
    Monitor(MonitorId),
    Incident(IncidentId),
}

/// The kind of the id in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdKind {
    /// The path has no id.
    None,
    /// A monitor.
    Monitor,
    /// An incident.
    Incident,
}

/// One method of a path.
pub(crate) struct Operation {
    /// The method; `HEAD` is answered where `GET` is.
    pub(crate) method: Method,
    /// Who may use it.
    pub(crate) access: Access,
    /// The query parameters it accepts.
    pub(crate) parameters: &'static [&'static str],
    build: Build,
}

/// Builds the route from the id and the query.
enum Build {
    Fixed(Route),
    Query(fn(&Query) -> Result<Route, QueryError>),
    Monitor(fn(MonitorId, &Query) -> Result<Route, QueryError>),
    Incident(fn(IncidentId, &Query) -> Result<Route, QueryError>),
}

/// One path.
pub(crate) struct Endpoint {
    /// The path as the documentation writes it; `{id}` stands for one id.
    pub(crate) template: &'static str,
    /// The kind of its id.
    pub(crate) id: IdKind,
    /// Its methods.
    pub(crate) operations: Vec<Operation>,
}

/// An endpoint that matches the path of a request, and the id in the path.
pub(crate) struct MatchedEndpoint {
    pub(crate) endpoint: &'static Endpoint,
    id: PathId,
}

impl Operation {
    fn new(method: Method, access: Access, parameters: &'static [&'static str], build: Build) -> Self {
        Operation { method, access, parameters, build }
    }
}

impl Endpoint {
    /// An endpoint of a monitor with one operation, `GET`.
    fn monitor(
        template: &'static str,
        parameters: &'static [&'static str],
        build: fn(MonitorId, &Query) -> Result<Route, QueryError>,
    ) -> Self {
        let operation = Operation::new(Method::GET, Access::Public, parameters, Build::Monitor(build));
        Endpoint { template, id: IdKind::Monitor, operations: vec![operation] }
    }

    /// An endpoint without an id and parameters, with one operation, `GET`.
    fn fixed(template: &'static str, access: Access, route: Route) -> Self {
        let operation = Operation::new(Method::GET, access, &[], Build::Fixed(route));
        Endpoint { template, id: IdKind::None, operations: vec![operation] }
    }

    /// An endpoint without an id.
    fn without_id(template: &'static str, operations: Vec<Operation>) -> Self {
        Endpoint { template, id: IdKind::None, operations }
    }

    /// Returns the operation of a method.
    pub(crate) fn operation(&self, method: &Method) -> Option<&Operation> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.operations.iter().find(|operation| operation.method == *method)
    }

    /// Returns the value of `Allow`.
    pub(crate) fn allow(&self) -> String {
        let mut methods = Vec::new();
        for operation in &self.operations {
            methods.push(operation.method.as_str());
            if operation.method == Method::GET {
                methods.push("HEAD");
            }
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }

    /// Returns whether everybody may use all operations, pages of other origins included.
    pub(crate) fn is_public(&self) -> bool {
        self.operations.iter().all(|operation| matches!(operation.access, Access::Page | Access::Public))
    }
}

impl MatchedEndpoint {
    /// Returns the monitor in the path.
    pub(crate) fn monitor(&self) -> Option<&MonitorId> {
        match &self.id {
            PathId::Monitor(monitor) => Some(monitor),
            _ => None,
        }
    }

    /// Builds the route of an operation and a query. A page ignores unknown parameters.
    pub(crate) fn route(self, operation: &Operation, query: &str) -> Result<Option<Route>, QueryError> {
        let query = match operation.access {
            Access::Page => Query::parse_lenient(query),
            _ => Query::parse(query, operation.parameters)?,
        };
        Ok(Some(match (&operation.build, self.id) {
            (Build::Fixed(route), _) => route.clone(),
            (Build::Query(build), _) => build(&query)?,
            (Build::Monitor(build), PathId::Monitor(monitor)) => build(monitor, &query)?,
            (Build::Incident(build), PathId::Incident(incident)) => build(incident, &query)?,
            // The table gives each path one kind of id, as a test checks.
            _ => return Ok(None),
        }))
    }
}

static ENDPOINTS: LazyLock<Vec<Endpoint>> = LazyLock::new(endpoints);

/// The index of each endpoint by its path. A test checks that every template can be inserted.
static ROUTER: LazyLock<Router<usize>> = LazyLock::new(|| {
    let mut router = Router::new();
    for (place, endpoint) in ENDPOINTS.iter().enumerate() {
        let _ = router.insert(endpoint.template, place);
    }
    router
});

/// Returns all endpoints, in the order of the documentation.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn all_endpoints() -> &'static [Endpoint] {
    &ENDPOINTS
}

/// Matches the path of a request; `None` if there is no such path, or if its id is invalid.
pub(crate) fn match_path(path: &str) -> Option<MatchedEndpoint> {
    let found = ROUTER.at(path).ok()?;
    let endpoint = ENDPOINTS.get(*found.value)?;
    let text = found.params.get("id").unwrap_or_default();
    let id = match endpoint.id {
        IdKind::None => PathId::None,
        IdKind::Monitor => PathId::Monitor(text.parse().ok()?),
        IdKind::Incident => PathId::Incident(text.parse().ok()?),
    };
    Some(MatchedEndpoint { endpoint, id })
}

#[expect(clippy::too_many_lines, reason = "one table of all endpoints")]
fn endpoints() -> Vec<Endpoint> {
    use Access::{Job, Owner, Page, Public, Subscriber};
    let get = |access, parameters, build| Operation::new(Method::GET, access, parameters, build);
    let post = |access, parameters, build| Operation::new(Method::POST, access, parameters, build);
    let put = |access, parameters, build| Operation::new(Method::PUT, access, parameters, build);
    let delete = |access, parameters, build| Operation::new(Method::DELETE, access, parameters, build);
    vec![
        Endpoint::fixed("/", Page, Route::StatusPage),
        Endpoint {
            template: "/monitors/{id}",
            id: IdKind::Monitor,
            operations: vec![get(
                Page,
                &["range", "from", "to"],
                Build::Monitor(|monitor, query| {
                    Ok(Route::MonitorPage { monitor, range: query.page_range() })
                }),
            )],
        },
        Endpoint {
            template: "/incidents/{id}",
            id: IdKind::Incident,
            operations: vec![get(
                Page,
                &[],
                Build::Incident(|incident, _| Ok(Route::IncidentPage { incident })),
            )],
        },
        Endpoint::fixed("/preview.svg", Page, Route::Preview),
        Endpoint::fixed("/owner", Page, Route::OwnerPage),
        Endpoint::fixed("/api/v1/status", Public, Route::Status),
        Endpoint::monitor("/api/v1/monitors/{id}", &[], |monitor, _| Ok(Route::Monitor { monitor })),
        Endpoint::monitor("/api/v1/monitors/{id}/uptime", &["window"], |monitor, query| {
            Ok(Route::Uptime { monitor, window: query.window()? })
        }),
        Endpoint::monitor("/api/v1/monitors/{id}/memory", &["from", "to"], |monitor, query| {
            Ok(Route::Memory { monitor, range: query.time_range()? })
        }),
        Endpoint::monitor("/api/v1/monitors/{id}/latency", &["from", "to"], |monitor, query| {
            Ok(Route::Latency { monitor, range: query.time_range()? })
        }),
        Endpoint::monitor("/api/v1/monitors/{id}/days", &[], |monitor, _| Ok(Route::Days { monitor })),
        Endpoint::monitor("/api/v1/monitors/{id}/versions", &[], |monitor, _| {
            Ok(Route::Versions { monitor })
        }),
        Endpoint::without_id(
            "/api/v1/incidents",
            vec![get(
                Public,
                &["limit", "before"],
                Build::Query(|query| Ok(Route::Incidents { limit: query.limit()?, before: query.before()? })),
            )],
        ),
        Endpoint {
            template: "/api/v1/incidents/{id}",
            id: IdKind::Incident,
            operations: vec![get(
                Public,
                &[],
                Build::Incident(|incident, _| Ok(Route::Incident { incident })),
            )],
        },
        Endpoint::monitor("/badge/{id}.svg", &["metric", "style", "label"], |monitor, query| {
            Ok(Route::Badge { monitor, options: query.badge()? })
        }),
        Endpoint::monitor("/badge/{id}.json", &["metric", "label"], |monitor, query| {
            Ok(Route::ShieldsBadge { monitor, options: query.badge()? })
        }),
        Endpoint::fixed("/metrics", Public, Route::Metrics),
        Endpoint::fixed("/feed.atom", Public, Route::AtomFeed),
        Endpoint::fixed("/feed.rss", Public, Route::RssFeed),
        Endpoint::fixed("/calendar.ics", Public, Route::Calendar),
        Endpoint::fixed("/api/v1/admin/status", Owner, Route::OwnerStatus),
        Endpoint::without_id(
            "/api/v1/admin/monitors",
            vec![
                get(Owner, &[], Build::Fixed(Route::ListMonitors)),
                put(
                    Owner,
                    &["dry-run"],
                    Build::Query(|query| Ok(Route::ApplyMonitors { dry_run: query.dry_run()? })),
                ),
            ],
        ),
        Endpoint::without_id(
            "/api/v1/admin/maintenance",
            vec![
                get(Owner, &[], Build::Fixed(Route::ListMaintenance)),
                put(Owner, &[], Build::Fixed(Route::AnnounceMaintenance)),
            ],
        ),
        Endpoint {
            template: "/api/v1/admin/incidents/{id}",
            id: IdKind::Incident,
            operations: vec![post(
                Owner,
                &[],
                Build::Incident(|incident, _| Ok(Route::UpdateIncident { incident })),
            )],
        },
        Endpoint::without_id("/api/v1/alerts/test", vec![post(Owner, &[], Build::Fixed(Route::TestAlerts))]),
        Endpoint::fixed("/api/v1/admin/channels", Owner, Route::ListChannels),
        Endpoint::without_id(
            "/api/v1/admin/export",
            vec![get(
                Owner,
                &["from", "subscriptions"],
                Build::Query(|query| {
                    let with_subscriptions = query.with_subscriptions()?;
                    Ok(Route::Export { from: query.export_cursor()?, with_subscriptions })
                }),
            )],
        ),
        Endpoint::without_id(
            "/api/v1/admin/import",
            vec![post(
                Owner,
                &["schema"],
                Build::Query(|query| Ok(Route::Import { schema: query.schema()? })),
            )],
        ),
        Endpoint {
            template: "/api/v1/heartbeats/{id}",
            id: IdKind::Monitor,
            operations: vec![post(
                Job,
                &["event", "exit"],
                Build::Monitor(|monitor, query| Ok(Route::Heartbeat { monitor, signal: query.heartbeat()? })),
            )],
        },
        Endpoint::without_id(
            "/api/v1/subscriptions",
            vec![
                post(Subscriber, &[], Build::Fixed(Route::Subscribe)),
                delete(Subscriber, &[], Build::Fixed(Route::Unsubscribe)),
            ],
        ),
        Endpoint::without_id(
            "/api/v1/admin/subscriptions",
            vec![
                get(Owner, &[], Build::Fixed(Route::ListSubscriptions)),
                delete(Owner, &[], Build::Fixed(Route::RemoveSubscription)),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests;
