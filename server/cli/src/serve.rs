//! `heapbeat serve`.

use heapbeat::Guard;
use heapbeat::config::{ConfigError, unknown_variables};
use heapbeat::logging;
use heapbeat::logging::LoggingError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli;
use crate::setting_args::SettingArgs;

const EXAMPLES: &str = "\
Every setting is also an environment variable; a flag wins over its variable.

Examples:
  heapbeat serve                                     on port 8080, with the detected memory limit
  PORT=10000 HEAPBEAT_MEMORY_LIMIT=512MB heapbeat serve
  heapbeat serve --demo --memory-limit 200MB         with routes that use up memory
  curl localhost:8080/health                         its memory figures
  curl 'localhost:8080/demo/leak?mb=64'              leaks 64 MB
";

/// Runs the example backend, guarded, with GET /health
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Adds routes to try the guard on: /demo/work, /demo/leak?mb=1, /demo/churn?mb=64, /demo/panic, /demo/abort, /demo/hang?s=60
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Why the server did not start, or why it stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Logging(#[from] LoggingError),
    #[error("the async runtime cannot start: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("--side-port is {0:?}: a port is a number from 1 to 65535, 0 for any free one, or `off`")]
    SidePort(String),
    #[error(transparent)]
    Guard(#[from] heapbeat::Error),
}

/// Serves until the process is asked to stop.
pub(crate) fn run(arguments: &ServeArgs) -> Result<(), ServeError> {
    let config = arguments.settings.config()?;
    logging::init(&config)?;
    raise_descriptor_limit();
    let version = heapbeat_demo::version().filter(|_| arguments.demo);
    let version = version.unwrap_or_else(|| cli::version().to_owned());
    let worker = if config.unguarded {
        tracing::warn!("unguarded: runs without supervisor and ladder, only the backend and its /health");
        None
    } else {
        Some(heapbeat::supervised(&config, &version)?)
    };
    // The supervisor does not get here, so that the warning is logged once.
    warn_of_unknown_variables();
    let app = heapbeat_demo::router(arguments.demo);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)?;
    let result = runtime.block_on(async {
        let mut guard = Guard::builder(config).version(version);
        if let Some(worker) = worker {
            guard = guard.worker(worker);
        }
        guard.build()?.serve(app).await
    });
    // Handlers had their time to finish; one that blocks its thread must not keep the process alive.
    runtime.shutdown_background();
    Ok(result?)
}

/// Raises the soft limit of open files to the hard limit. The soft limit is low for programs that use `select`, which this one does
/// not. If it cannot be raised, the server says so when it counts its connections.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn warn_of_unknown_variables() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (name, meant) in unknown_variables(names) {
        let hint = meant.map_or_else(
            || "`heapbeat serve --help` lists all settings".to_owned(),
            |meant| format!("did you mean {meant}?"),
        );
        tracing::warn!("{name} is not a setting and has no effect; {hint}");
    }
}
