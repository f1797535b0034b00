//! The example backend, and the routes of `--demo`: every way in which a backend gets into trouble, on demand.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// What `/` says, ready-made: it is also what `/health` is compared with in the benchmark.
const HELLO: &str =
    r#"{"service":"heapbeat example backend","health":"/health","help":"heapbeat serve --help"}"#;

/// Most that one request may ask for.
const MOST_MB: usize = 16 << 10;
const MOST_SECONDS: u64 = 3600;

/// What `/demo/leak` never gives back.
static LEAKED: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// The backend, with the routes of `--demo` or without.
pub(crate) fn app(demo: bool) -> Router {
    let app = Router::new().route("/", get(hello));
    if !demo {
        return app;
    }
    app.route("/demo/work", get(work))
        .route("/demo/leak", get(leak))
        .route("/demo/churn", get(churn))
        .route("/demo/echo", get(echo).post(echo))
        .route("/demo/panic", get(panic))
        .route("/demo/abort", get(abort))
        .route("/demo/hang", get(hang))
}

async fn hello() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], HELLO)
}

#[derive(Deserialize)]
#[serde(default)]
struct Work {
    /// How long it takes, most of it waiting, as for a database.
    ms: u64,
    /// What it holds meanwhile.
    kb: usize,
}

impl Default for Work {
    fn default() -> Self {
        Work { ms: 10, kb: 64 }
    }
}

#[derive(Serialize)]
struct Worked {
    ms: u64,
    sum: u64,
}

/// An ordinary request: takes some memory, waits for something, answers, gives the memory back.
async fn work(Query(work): Query<Work>) -> Json<Worked> {
    let held = filled(work.kb.min(MOST_MB << 10) << 10);
    tokio::time::sleep(Duration::from_millis(work.ms.min(MOST_SECONDS * 1000))).await;
    Json(Worked { ms: work.ms, sum: held.iter().map(|byte| u64::from(*byte)).sum() })
}

#[derive(Deserialize)]
struct Amount {
    mb: Option<usize>,
}

#[derive(Serialize)]
struct Held {
    held_mb: usize,
}

/// Keeps memory for good.
async fn leak(Query(amount): Query<Amount>) -> Json<Held> {
    let mb = amount.mb.unwrap_or(1).min(MOST_MB);
    let pieces: Vec<_> = (0..mb).map(|_| filled(1 << 20)).collect();
    let mut leaked = LEAKED.lock().unwrap_or_else(PoisonError::into_inner);
    leaked.extend(pieces);
    Json(Held { held_mb: leaked.len() })
}

/// Takes memory, touches all of it, and gives it back at once.
async fn churn(Query(amount): Query<Amount>) -> Json<Held> {
    let mb = amount.mb.unwrap_or(64).min(MOST_MB);
    let pieces: Vec<_> = (0..mb).map(|_| filled(1 << 20)).collect();
    Json(Held { held_mb: pieces.len() })
}

/// Sends back what it was sent.
async fn echo(body: bytes::Bytes) -> bytes::Bytes {
    body
}

async fn panic() -> Response {
    panic!("somebody asked for /demo/panic")
}

async fn abort() -> Response {
    std::process::abort()
}

#[derive(Deserialize)]
struct Hang {
    s: Option<u64>,
}

/// Blocks every thread of the runtime: nothing is answered any more, and yet the process lives.
async fn hang(Query(hang): Query<Hang>) -> &'static str {
    let time = Duration::from_secs(hang.s.unwrap_or(60).min(MOST_SECONDS));
    let mut threads = JoinSet::new();
    for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
        threads.spawn(async move { block(time) });
    }
    threads.join_all().await;
    "woke up\n"
}

#[expect(clippy::disallowed_methods, reason = "blocking a thread is what it is for")]
fn block(time: Duration) {
    std::thread::sleep(time);
}

/// Memory that the kernel has really given.
fn filled(bytes: usize) -> Box<[u8]> {
    vec![1; bytes].into_boxed_slice()
}
