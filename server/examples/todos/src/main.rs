//! A list of things to do, kept in memory. `cargo run -p heapbeat-example-todos`, then
//! `curl -X POST localhost:8080/todos -H 'content-type: application/json' -d '{"text":"water the plants"}'`.

mod todos;

use std::error::Error;

use axum::Router;

#[cfg(feature = "guarded")]
#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(todos::app()).await
}

#[cfg(feature = "guarded")]
async fn serve(app: Router) -> Result<(), Box<dyn Error>> {
    let config = heapbeat::Config::from_env()?;
    heapbeat::logging::init(&config)?;
    Ok(heapbeat::Guard::new(config)?.serve(app).await?)
}

#[cfg(not(feature = "guarded"))]
async fn serve(app: Router) -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    Ok(axum::serve(listener, app).await?)
}
