//! The edge half of heapbeat: a Cloudflare Worker that probes backends and publishes their status.
//!
//! [`monitor_config`], [`domain`], [`view`], [`web::api`] and [`web::page`] are pure and tested natively; [`hub`], [`probe`], [`store`] and
//! [`web`] perform I/O.

pub mod domain;
pub mod fleet;
pub mod hub;
pub mod hub_api;
pub mod notify;
pub(crate) mod platform;
pub mod probe;
#[cfg(not(target_arch = "wasm32"))]
pub mod replay;
pub mod settings;
pub mod store;
#[cfg(not(target_arch = "wasm32"))]
pub mod verdict;
pub mod view;
pub mod web;

/// The configuration of monitors, which `heapbeat apply` parses by the same rules.
pub use heapbeat_monitors as monitor_config;

/// What unit tests share with the tests in `tests` names the crate as those do.
#[cfg(test)]
extern crate self as heapbeat_edge;

use heapbeat_shared::UnixMillis;
use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

/// Handles an HTTP request.
#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _context: Context) -> Result<Response> {
    web::routes::handle_request(&mut request, &env).await
}

/// Handles a tick of the cron. Its instant is the one for which it was scheduled, even if it is late.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    // Whole milliseconds since 1970, far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    let at = UnixMillis(event.schedule() as i64);
    fleet::tick_all_hubs(&env, at).await;
}

/// Replaces Rust's default allocator for WebAssembly, which would add 2.9 kB to the upload.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
