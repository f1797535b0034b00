//! `heapbeat serve`: the example backend under guard.

use heapbeat::Guard;
use heapbeat::config::unknown_variables;
use heapbeat::logging;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::RunError;
use crate::setting_args::SettingArgs;
use crate::version;

const EXAMPLES: &str = "\
Every setting is also an environment variable; flags take precedence over environment variables.

Examples:
  heapbeat serve                                     on port 8080, with the detected memory limit
  PORT=10000 HEAPBEAT_MEMORY_LIMIT=512MB heapbeat serve
  heapbeat serve --demo --memory-limit 200MB         with routes that leak and crash
  curl localhost:8080/health                         prints the memory metrics
  curl 'localhost:8080/demo/leak?mb=64'              leaks 64 MB
";

/// Runs the example backend with the memory guard
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Adds routes to try the guard on: /demo/work, /demo/leak?mb=1, /demo/churn?mb=64, /demo/panic, /demo/abort, /demo/hang?s=60
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

/// Serves until the process is requested to stop.
pub(crate) fn run(arguments: &ServeArgs) -> Result<(), RunError> {
    let config = arguments.settings.read_config()?;
    logging::init(&config)?;
    raise_descriptor_limit();
    let version = heapbeat_demo::version().filter(|_| arguments.demo);
    let version = version.unwrap_or_else(|| version::version().to_owned());
    let worker = if config.unguarded {
        tracing::warn!(
            "unguarded: the backend runs without supervisor and guard; heapbeat serves only /health"
        );
        None
    } else {
        let worker = heapbeat::supervised(&config, &version);
        Some(worker.map_err(|error| arguments.settings.describe_error(error))?)
    };
    // Only the worker gets here, so the warning is logged once.
    log_unknown_variables();
    let app = heapbeat_demo::router(arguments.demo);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(RunError::Runtime)?;
    let result = runtime.block_on(async {
        let mut guard = Guard::builder(config).version(version);
        if let Some(worker) = worker {
            guard = guard.worker(worker);
        }
        guard.build()?.serve(app).await
    });
    // The drain is over. A handler that blocks its thread must not keep the process alive.
    runtime.shutdown_background();
    result.map_err(|error| arguments.settings.describe_error(error))
}

/// Raises the soft limit of open files to the hard limit. The soft limit is low for compatibility with `select`, which this
/// program does not use. If it cannot be raised, the server logs a warning when it limits its connections.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Logs a warning for each `HEAPBEAT_*` variable that is not a setting.
fn log_unknown_variables() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (name, meant) in unknown_variables(names) {
        let hint = meant.map_or_else(
            || "`heapbeat serve --help` lists all settings".to_owned(),
            |meant| format!("did you mean {meant}?"),
        );
        tracing::warn!("{name} is not a setting and has no effect; {hint}");
    }
}
