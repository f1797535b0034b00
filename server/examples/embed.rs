//! An application of one's own, with heapbeat in it: `cargo run -p heapbeat --example embed`.

use axum::{Router, routing::get};

// Without this line `/health` still answers, but knows nothing of the heap.
#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // PORT, HEAPBEAT_MEMORY_LIMIT and the others; a bad value is an error that says what would be right.
    let config = heapbeat::Config::from_env()?;
    // Only when the application has no tracing subscriber of its own.
    heapbeat::logging::init(&config)?;

    let app = Router::new().route("/", get(async || "hello"));
    // Serves until SIGTERM or SIGINT, with `/health` in front of the application.
    heapbeat::Guard::new(config)?.serve(app).await?;
    Ok(())
}
