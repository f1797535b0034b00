//! The guard: the API with which an application embeds heapbeat.

mod effects;
mod sampling_loop;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;

use crate::attribution::{AttributeLayer, Budget, record_all_stacks, set_sampling};
use crate::clock::Clock;
use crate::config::Config;
use crate::dependency::{Dependencies, Dependency};
use crate::edge_liveness::EdgeLiveness;
use crate::endpoints::admission::RequestVerifier;
use crate::endpoints::health::Endpoint;
use crate::endpoints::report::ReportHandler;
use crate::error::Error;
use crate::flight_recorder::InstanceRecorder;
use crate::http;
use crate::http::stop::{ShutdownRequest, StopCause, StopSource};
use crate::http::{DrainTimes, Server};
use crate::instance::Instance;
use crate::listen;
use crate::overload::controller::Controller;
use crate::overload::hooks::Hooks;
use crate::overload::shed::{Gate, Priorities, ShedLayer};
use crate::sampling::lateness::RuntimeProbe;
use crate::sampling::sampler::Sampler;
use crate::sampling::{Reading, Sources};
use crate::state::State;
use crate::supervisor;
use crate::supervisor::Worker;
use crate::telemetry::Telemetry;
use crate::telemetry::memory_log::MemoryLog;
use effects::EffectRunner;
use sampling_loop::SamplingLoop;

/// Measures this process and serves an application together with `/health`.
///
/// Memory is sampled on a separate thread, from the creation of the guard until it is dropped.
#[derive(Debug)]
pub struct Guard {
    config: Config,
    handler: Arc<ReportHandler>,
    listeners: Vec<TcpListener>,
    stop: StopWhen,
    shed: ShedLayer,
    shutdown: Arc<ShutdownRequest>,
    worker: Option<Worker>,
    probe: Arc<RuntimeProbe>,
    _sampler: Sampler,
}

/// Builder of a [`Guard`].
#[derive(Debug)]
pub struct GuardBuilder {
    config: Config,
    listeners: Vec<TcpListener>,
    stop: StopWhen,
    priorities: Priorities,
    hooks: Hooks,
    dependencies: Vec<Dependency>,
    version: Option<String>,
    worker: Option<Worker>,
}

/// The application's future that stops the server; without one, signals do.
#[derive(Default)]
struct StopWhen(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Guard {
    /// Creates a guard with the configuration of the environment.
    pub fn from_env() -> Result<Self, Error> {
        Guard::new(Config::from_env()?)
    }

    /// Creates a guard with a configuration.
    pub fn new(config: Config) -> Result<Self, Error> {
        Guard::builder(config).build()
    }

    /// Creates a builder, for what a configuration cannot contain: open sockets, a stop future, hooks, dependencies.
    pub fn builder(config: Config) -> GuardBuilder {
        GuardBuilder {
            config,
            listeners: Vec::new(),
            stop: StopWhen::default(),
            priorities: Priorities::default(),
            hooks: Hooks::default(),
            dependencies: Vec::new(),
            version: None,
            worker: None,
        }
    }

    /// Returns the latest reading of memory, at the cost of two atomic operations.
    pub fn reading(&self) -> Arc<Reading> {
        self.handler.state().reading()
    }

    /// Returns the routes of `/health` and below, and of `/metrics` and `/debug/heap` if they are configured, for an application that has
    /// a server of its own.
    pub fn routes(&self) -> Router {
        let served = Endpoint::ALL.into_iter().filter(|endpoint| self.handler.is_served(*endpoint));
        served.fold(Router::new(), |router, endpoint| {
            let handler = Arc::clone(&self.handler);
            router.route(
                endpoint.path(),
                any(move |request: Request| handler.respond(endpoint, (&request).into())),
            )
        })
    }

    /// Serves `app` until SIGTERM, SIGINT or the builder's stop future, then finishes requests in flight. Must be called within a tokio
    /// runtime with time and I/O.
    pub async fn serve(self, app: Router) -> Result<(), Error> {
        let Guard { config, handler, mut listeners, stop, shed, shutdown, worker, probe, _sampler } = self;
        let _probe_task = probe.start();
        let (link, stop_requests) = match worker {
            Some(worker) => {
                listeners.extend(worker.listeners);
                (Some(worker.link), Some(worker.stop_requests))
            }
            None => (None, None),
        };
        if listeners.is_empty() {
            listeners.push(listen::bind(config.host, config.port)?);
        }
        let stop = StopSource::new(stop.0, stop_requests, Arc::clone(&shutdown))
            .map_err(|error| Error::System("handle signals", error))?;
        let listeners = listeners.into_iter().map(into_tokio).collect::<Result<Vec<_>, _>>()?;
        for listener in &listeners {
            if let Ok(address) = listener.local_addr() {
                http::announce(address);
            }
        }
        let drain = DrainTimes { window: config.drain_window, timeout: config.drain_timeout };
        let app = if config.unguarded { app } else { attributed(app, &config).layer(shed) };
        let server = Server::new(app, handler, config.http);
        if let Some(link) = &link {
            tokio::spawn(supervisor::count_runtime_polls(Arc::clone(link), config.hang_timeout));
            link.report_ready();
        }
        let cause = http::serve(server, listeners, drain, stop).await;
        if let Some(link) = link.filter(|_| cause == StopCause::Application) {
            link.report_done();
        }
        if shutdown.is_requested() { Err(Error::MemoryExhausted) } else { Ok(()) }
    }
}

impl GuardBuilder {
    /// Serves on a listening socket instead of opening one. May be called several times.
    #[must_use]
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Stops the server when the future completes, and leaves signals to the application.
    #[must_use]
    pub fn stop_when(mut self, app_stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.stop = StopWhen(Some(Box::pin(app_stop)));
        self
    }

    /// Sets which routes are shed first under memory pressure.
    #[must_use]
    pub fn priorities(mut self, priorities: Priorities) -> Self {
        self.priorities = priorities;
        self
    }

    /// Adds a dependency to `/health/ready`. May be called several times.
    #[must_use]
    pub fn dependency(mut self, dependency: Dependency) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Returns the shrink hooks, to which the application adds its own. The handle remains valid after the guard is built.
    pub fn hooks(&self) -> Hooks {
        self.hooks.clone()
    }

    /// Sets the version of the application, such as a commit, cut to 100 bytes. The default is `RENDER_GIT_COMMIT`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Serves as the worker of a supervisor, on its sockets: see [`supervised`](crate::supervised).
    #[must_use]
    pub fn worker(mut self, worker: Worker) -> Self {
        self.worker = Some(worker);
        self
    }

    /// Takes the first sample and starts the sampler.
    pub fn build(self) -> Result<Guard, Error> {
        let GuardBuilder { config, listeners, stop, priorities, hooks, dependencies, version, worker } = self;
        let dependencies = Dependencies::new(dependencies)?;
        if !config.attribution || config.unguarded {
            set_sampling(None);
        }
        if config.heap_profile {
            record_all_stacks();
        }
        let clock = Clock::of_this_process();
        let probe = Arc::<RuntimeProbe>::default();
        let mut sources = Sources::of_this_process(config.memory_limit).with_probe(Arc::clone(&probe));
        let missing = sources.missing();
        for source in &missing {
            tracing::warn!("cannot measure {source}");
        }
        let first = sources.read(clock.now());
        tracing::info!(
            heapbeat.memory.limit = first.limit.bytes.0,
            heapbeat.memory.limit_origin = first.limit.origin.as_str(),
            "memory limit: {} ({})",
            first.limit.bytes,
            first.limit.origin
        );
        let instance = Instance::of_this_process(first.now, version)
            .map_err(|error| Error::System("draw an instance id", io::Error::other(error)))?;
        let link = worker.as_ref().map(|worker| Arc::clone(&worker.link));
        if let Some(link) = &link {
            link.record_sample(first.rss());
            supervisor::start_recording(&instance);
            supervisor::abort_on_panic();
        }
        let edge = Arc::new(EdgeLiveness::new(config.edge_timeout, config.alert_webhook.clone(), &instance));
        let previous_runs = link.as_ref().map(|link| Arc::clone(link.previous_runs()));
        let telemetry = Arc::new(Telemetry::new(
            clock,
            instance,
            previous_runs,
            missing,
            InstanceRecorder::ThisProcess,
            &first,
        ));
        let (gate, shutdown) = (Arc::<Gate>::default(), Arc::<ShutdownRequest>::default());
        let shed = ShedLayer::new(Arc::clone(&gate), priorities);
        let controller =
            Controller::new(config.thresholds, first.limit.bytes, config.observe_only, link.is_some())?;
        let runner = EffectRunner::new(
            hooks,
            Arc::clone(&gate),
            Arc::clone(&shutdown),
            Arc::clone(&telemetry),
            link.clone(),
        );
        let overload = (!config.unguarded).then_some((controller, runner));
        let state = Arc::new(State::new(&first, dependencies));
        let handler = ReportHandler::new(
            Arc::clone(&state),
            Arc::clone(&telemetry),
            clock,
            Arc::new(RequestVerifier::of(&config, &supervisor::recorder_location(&config, "", config.port))),
            config.metrics.clone(),
            Arc::clone(&gate),
            Arc::clone(&edge),
        );
        let interval = config.sample_interval;
        let mut sampling = SamplingLoop {
            clock,
            sources,
            overload,
            telemetry,
            state,
            link,
            memory_log: MemoryLog::every(config.log_interval),
            edge,
            interval,
        };
        let sampler = Sampler::start(move || sampling.run_once())
            .map_err(|error| Error::System("start the sampler's thread", error))?;
        Ok(Guard {
            config,
            handler: Arc::new(handler),
            listeners,
            stop,
            shed,
            shutdown,
            worker,
            probe,
            _sampler: sampler,
        })
    }
}

/// Adds attribution to the application, inside of the shed layer, so that refused requests are not attributed.
fn attributed(app: Router, config: &Config) -> Router {
    let budget = config.request_budget.map(|bytes| Budget::unlimited().per_request(bytes.0));
    if !config.attribution && budget.is_none() {
        return app;
    }
    app.layer(AttributeLayer::new().budget(budget.unwrap_or_default()))
}

fn into_tokio(listener: TcpListener) -> Result<tokio::net::TcpListener, Error> {
    let nonblocking = listener.set_nonblocking(true);
    nonblocking
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .map_err(|error| Error::System("use the listening socket", error))
}

impl fmt::Debug for StopWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "StopWhen(asked)" } else { "StopWhen(signals)" })
    }
}
