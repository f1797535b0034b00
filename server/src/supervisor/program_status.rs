//! The status of a guarded program: the same endpoints and the same signed report as an application has that embeds heapbeat.
//!
//! Each instance of the program is an instance of the report, with telemetry of its own (`instance`). The supervisor's loop records
//! (`recorder`); requests read, on the thread of the front ([`ProgramRoutes`]). They share prepared bytes and short locks, so neither
//! waits for the other, and health is answered while the program hangs or is being replaced.

mod instance;
pub(super) mod recorder;

use std::future::Future;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::Full;

use crate::clock::Clock;
use crate::config::{Config, MetricsConfig};
use crate::dependency::{Dependencies, Dependency};
use crate::edge_liveness::EdgeLiveness;
use crate::endpoints::admission::{RequestHead, RequestVerifier};
use crate::endpoints::health::Endpoint;
use crate::endpoints::is_served;
use crate::endpoints::program::{Downtime, ProgramContext};
use crate::endpoints::report::ReportHandler;
use crate::error::Error;
use crate::instance::Instance;

pub use crate::endpoints::program::FrontFigures;

/// Why a program does not serve that has not been ready yet.
const STARTING: &str = "the program is starting";

/// Paths of the endpoints before a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointPaths {
    /// What the paths of all endpoints begin with, such as `/heapbeat`; empty for none.
    pub prefix: String,
    /// Path at which the program answers itself: a request without a signature is the program's, a signed one gets the report.
    pub program_health: Option<String>,
}

/// Answers requests for the endpoints of a guarded program. Cheap to share, and usable from every thread.
#[derive(Debug)]
pub struct ProgramRoutes {
    paths: EndpointPaths,
    metrics: MetricsConfig,
    verifier: Arc<RequestVerifier>,
    dependencies: Arc<Dependencies>,
    edge: Arc<EdgeLiveness>,
    clock: Clock,
    context: Arc<ProgramContext>,
    /// The handler of the instance that is reported.
    current: ArcSwapOption<ReportHandler>,
}

impl ProgramRoutes {
    /// Creates the routes. `dependencies` are what `/health/ready` checks besides memory, such as the program's own health.
    pub fn new(
        config: &Config,
        paths: EndpointPaths,
        dependencies: Vec<Dependency>,
    ) -> Result<Arc<Self>, Error> {
        let clock = Clock::of_this_process();
        let guard =
            Instance::of_a_process(clock.now().wall, None).unwrap_or_else(|_| Instance::unidentified());
        let context = Arc::<ProgramContext>::default();
        context.set_down(Some(Downtime { reason: STARTING.to_owned(), retry_at: None }));
        Ok(Arc::new(ProgramRoutes {
            paths,
            metrics: config.metrics.clone(),
            verifier: Arc::new(RequestVerifier::of(
                config,
                &super::recorder_location(config, "run-", config.port),
            )),
            dependencies: Arc::new(Dependencies::new(dependencies)?),
            edge: Arc::new(EdgeLiveness::new(config.edge_timeout, config.alert_webhook.clone(), &guard)),
            clock,
            context,
            current: ArcSwapOption::empty(),
        }))
    }

    /// Adds the figures of the front to metrics and report.
    pub fn set_front(&self, front: Arc<dyn FrontFigures>) {
        self.context.set_front(front);
    }

    /// Whether a request is for one of the endpoints.
    pub fn serves(&self, request: &Parts) -> bool {
        self.endpoint(request).is_some()
    }

    /// Returns the response to a request; `None` if it is for the program. The response has to be awaited within a tokio runtime, which
    /// it does not block.
    pub fn respond(
        &self,
        request: &Parts,
    ) -> Option<impl Future<Output = Response<Full<Bytes>>> + Send + use<>> {
        let endpoint = self.endpoint(request)?;
        let responding = self.current.load_full().map(|handler| handler.respond(endpoint, request.into()));
        let context = Arc::clone(&self.context);
        Some(async move {
            match responding {
                Some(response) => response.await,
                None => context.not_started(),
            }
        })
    }

    fn endpoint(&self, request: &Parts) -> Option<Endpoint> {
        let path = request.uri.path();
        let endpoint = Endpoint::at(path.strip_prefix(self.paths.prefix.as_str())?)?;
        let has_secret = self.verifier.has_secret();
        let is_ours = self.paths.program_health.as_deref() != Some(path)
            || (has_secret && RequestHead::from(request).is_signed());
        (is_ours && is_served(endpoint, &self.metrics, has_secret, true)).then_some(endpoint)
    }
}

#[cfg(test)]
mod tests;
