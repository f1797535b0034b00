//! heapbeat keeps a memory-bound backend alive.
//!
//! It runs inside the backend's own process: it measures memory, reports it on `GET /health`, acts before the kernel kills the
//! process, and shuts down gracefully. An application embeds it with an allocator, a guard, and `serve`:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//!
//! #[global_allocator]
//! static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let config = heapbeat::Config::from_env()?;
//!     heapbeat::logging::init(&config)?;
//!     let app = Router::new().route("/", get(async || "hello"));
//!     heapbeat::Guard::new(config)?.serve(app).await?;
//!     Ok(())
//! }
//! ```
//!
//! Every setting is an environment variable; [`config::SETTINGS`] lists them.
//!
//! Features, all off by default: `heap-profile` (`/debug/heap`), `webhook` (`HEAPBEAT_ALERT_WEBHOOK`), `sqlx`
//! (`dependency::database`).

pub mod allocator;
pub mod attribution;
pub mod clock;
pub mod config;
pub mod dependency;
mod edge_liveness;
mod endpoints;
mod error;
mod flight_recorder;
mod guard;
mod http;
mod instance;
pub mod listen;
pub mod logging;
pub mod overload;
mod panic;
mod profile;
pub mod sampling;
mod state;
pub mod supervisor;
pub mod telemetry;

pub use allocator::Allocator;
pub use config::Config;
pub use error::Error;
pub use guard::{Guard, GuardBuilder};
pub use supervisor::supervised;

#[cfg(test)]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;
