//! An application with heapbeat: `cargo run -p heapbeat --example embed`.

use axum::{Router, routing::get};

// Without this allocator `/health` has no figures of the heap.
#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Reads PORT, HEAPBEAT_MEMORY_LIMIT and the other settings. The error lists every value that cannot be used.
    let config = heapbeat::Config::from_env()?;
    // Only if the application installs no tracing subscriber of its own.
    heapbeat::logging::init(&config)?;

    let app = Router::new().route("/", get(async || "hello"));
    // Serves until SIGTERM or SIGINT, with `/health` in front of the application.
    heapbeat::Guard::new(config)?.serve(app).await?;
    Ok(())
}
