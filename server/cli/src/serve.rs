//! `heapbeat serve`.

use clap::ArgMatches;
use heapbeat::Guard;
use heapbeat::config::{Config, ConfigError, environment, unknown_variables};
use heapbeat::logging;
use heapbeat::logging::LoggingError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use heapbeat_demo as demo;

/// Why the server did not come up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Logging(#[from] LoggingError),
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("--side-port is {0:?}: a port is a number from 1 to 65535, 0 to take any that is free, or `off`")]
    SidePort(String),
    #[error(transparent)]
    Guard(#[from] heapbeat::Error),
}

/// Serves until asked to stop.
pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Error> {
    let flags = |name: &str| arguments.get_one::<String>(name).cloned();
    let config = Config::from_layers(flags, environment)?;
    logging::init(&config)?;
    allow_more_descriptors();
    let demo = arguments.get_flag("demo");
    let version = demo::version().filter(|_| demo).unwrap_or_else(|| super::cli::version().to_owned());
    let worker = if config.unguarded {
        tracing::warn!("unguarded: no supervisor and no ladder, only the backend and its /health");
        None
    } else {
        Some(heapbeat::supervised(&config, &version)?)
    };
    // Here rather than above, where the supervisor would say it a second time.
    warn_of_unknown_variables();
    let app = demo::router(demo);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let result = runtime.block_on(async {
        let mut guard = Guard::builder(config).version(version);
        if let Some(worker) = worker {
            guard = guard.worker(worker);
        }
        guard.build()?.serve(app).await
    });
    // Whatever is still running was given its time; a handler that blocks its thread must not keep the process.
    runtime.shutdown_background();
    Ok(result?)
}

/// Raises the soft limit on open files to the hard one, as the soft one is low for the sake of programs that use
/// `select`, which this one does not. What cannot be raised is reported when the server counts its connections.
fn allow_more_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn warn_of_unknown_variables() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (name, nearest) in unknown_variables(names) {
        let instead = nearest.map_or_else(
            || "`heapbeat serve --help` lists all settings".to_owned(),
            |nearest| format!("{nearest} is one"),
        );
        tracing::warn!("{name} is no setting and does nothing; {instead}");
    }
}
