//! `heapbeat serve`: the example backend under guard.

use heapbeat::Guard;
use heapbeat::logging;

use crate::error::RunError;
use crate::open_files::raise_limit;
use crate::setting_args::{SettingArgs, log_unknown_variables};
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
    raise_limit();
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
    log_unknown_variables::<ServeArgs>("serve", &[]);
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
