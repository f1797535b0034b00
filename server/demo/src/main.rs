//! The example backend under guard, configured by environment variables alone.

use std::error::Error;
use std::process::ExitCode;

use heapbeat::{Config, Guard, logging, supervised};

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("heapbeat-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves the example backend until the process is asked to stop.
fn serve() -> Result<(), Box<dyn Error>> {
    let config = Config::from_env()?;
    logging::init(&config)?;
    let version = heapbeat_demo::version().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    // The supervisor forks workers, so this comes before the runtime starts threads.
    let worker = supervised(&config, &version)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        Guard::builder(config)
            .version(version)
            .worker(worker)
            .build()?
            .serve(heapbeat_demo::router(true))
            .await
    });
    // A handler that blocks its thread must not keep the process alive.
    runtime.shutdown_background();
    Ok(result?)
}
