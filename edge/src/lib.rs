//! The edge half of heapbeat: a Worker that watches backends and tells the world about them.
//!
//! Pure parts ([`config`], [`domain`], [`view`], [`web::api`], [`web::page`]) decide and are tested natively; the rim ([`hub`],
//! [`probe`], [`store`], [`web`]) awaits.

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
pub mod view;
pub mod web;

/// The monitors as they are configured; `heapbeat apply` reads them by the same rules.
pub use heapbeat_monitors as config;

use heapbeat_shared::UnixMillis;
use worker::{Context, Env, Request, Response, Result, ScheduleContext, ScheduledEvent, event};

/// A request of the public.
#[event(fetch)]
async fn fetch(mut request: Request, env: Env, _context: Context) -> Result<Response> {
    web::routes::handle_request(&mut request, &env).await
}

/// The cron's tick. Its clock is the instant for which it was meant, however late it comes.
#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    // Milliseconds since 1970 as JavaScript has them: whole, and far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    let at = UnixMillis(event.schedule() as i64);
    fleet::tick_all_hubs(&env, at).await;
}

/// In the place of Rust's own for WebAssembly, which is 2.9 kB more of the upload.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static HEAP: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
