//! The routes of the example backend. Those below `/demo` simulate failures of a backend.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body::Frame;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;

/// The constant body of `GET /`; the benchmark compares `/health` with it.
const HELLO: &str =
    r#"{"service":"heapbeat example backend","health":"/health","help":"heapbeat serve --help"}"#;

/// Maximum parameters of a request.
const MAX_MB: usize = 16 << 10;
const MAX_SECONDS: u64 = 3600;

/// Memory that `/demo/leak` has allocated, which is never freed.
static LEAKED: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// Returns the router of the backend, with the routes below `/demo` or without them.
pub fn router(demo: bool) -> Router {
    let router = Router::new().route("/", get(hello));
    if !demo {
        return router;
    }
    exit_while_file_exists();
    router
        .route("/demo/work", get(work))
        .route("/demo/leak", get(leak))
        .route("/demo/churn", get(churn))
        .route("/demo/echo", get(echo).post(echo))
        .route("/demo/stream", get(stream))
        .route("/demo/panic", get(panic))
        .route("/demo/exit", get(exit))
        .route("/demo/abort", get(abort))
        .route("/demo/hang", get(hang))
}

async fn hello() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], HELLO)
}

#[derive(Deserialize)]
#[serde(default)]
struct Work {
    /// Simulated I/O time in milliseconds.
    ms: u64,
    /// Memory that the request holds meanwhile.
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

/// Allocates some memory, waits, answers, and frees the memory, as an ordinary request does.
async fn work(Query(work): Query<Work>) -> Json<Worked> {
    let held = filled(work.kb.min(MAX_MB << 10) << 10);
    tokio::time::sleep(Duration::from_millis(work.ms.min(MAX_SECONDS * 1000))).await;
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

/// Allocates memory and never frees it.
async fn leak(Query(amount): Query<Amount>) -> Json<Held> {
    let mb = amount.mb.unwrap_or(1).min(MAX_MB);
    let pieces: Vec<_> = (0..mb).map(|_| filled(1 << 20)).collect();
    let mut leaked = LEAKED.lock().unwrap_or_else(PoisonError::into_inner);
    leaked.extend(pieces);
    Json(Held { held_mb: leaked.len() })
}

/// Allocates memory, writes to all of it, and frees it.
async fn churn(Query(amount): Query<Amount>) -> Json<Held> {
    let mb = amount.mb.unwrap_or(64).min(MAX_MB);
    let pieces: Vec<_> = (0..mb).map(|_| filled(1 << 20)).collect();
    Json(Held { held_mb: pieces.len() })
}

/// Answers with the body of the request.
async fn echo(body: Bytes) -> Bytes {
    body
}

#[derive(Deserialize)]
struct Long {
    s: Option<u64>,
}

/// Streams a line every 100 ms, and a last one by which a complete answer is recognized.
async fn stream(Query(long): Query<Long>) -> Body {
    let lines = long.s.unwrap_or(10).min(MAX_SECONDS) * 10;
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        for line in 0..=lines {
            let text = if line < lines { format!("{line}\n") } else { "end\n".to_owned() };
            if sender.send(Ok(Frame::data(Bytes::from(text)))).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    Body::new(StreamBody { receiver })
}

/// A body of the frames that a channel receives.
struct StreamBody {
    receiver: Receiver<Result<Frame<Bytes>, Infallible>>,
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.receiver.poll_recv(cx)
    }
}

#[derive(Deserialize)]
struct PanicPlace {
    #[serde(default)]
    task: bool,
}

/// Panics in the request or, with `?task=true`, in a task of its own, where no handler catches it.
async fn panic(Query(place): Query<PanicPlace>) -> Response {
    if place.task {
        let _ = tokio::spawn(async { panic!("a task of /demo/panic") }).await;
    }
    panic!("requested by /demo/panic")
}

#[derive(Deserialize)]
struct ExitCode {
    code: Option<i32>,
}

async fn exit(Query(code): Query<ExitCode>) -> Response {
    std::process::exit(code.code.unwrap_or(3))
}

/// Returns the version that `DEMO_VERSION` sets, to try deploys with.
pub fn version() -> Option<String> {
    std::env::var("DEMO_VERSION").ok()
}

/// Exits with code 3 if the file exists that `DEMO_FAIL_WHILE` names, to try a failing deploy with.
fn exit_while_file_exists() {
    if std::env::var_os("DEMO_FAIL_WHILE").is_some_and(|path| Path::new(&path).exists()) {
        tracing::error!("the file that DEMO_FAIL_WHILE names exists: exiting");
        std::process::exit(3);
    }
}

async fn abort() -> Response {
    std::process::abort()
}

#[derive(Deserialize)]
struct Hang {
    s: Option<u64>,
}

/// Blocks every thread of the runtime, so that the process lives but answers nothing.
async fn hang(Query(hang): Query<Hang>) -> &'static str {
    let time = Duration::from_secs(hang.s.unwrap_or(60).min(MAX_SECONDS));
    let mut threads = JoinSet::new();
    for _ in 0..tokio::runtime::Handle::current().metrics().num_workers() {
        threads.spawn(async move { block(time) });
    }
    threads.join_all().await;
    "the threads are no longer blocked\n"
}

#[expect(clippy::disallowed_methods, reason = "it blocks the thread on purpose")]
fn block(time: Duration) {
    std::thread::sleep(time);
}

/// Allocates memory and writes to it, so that the kernel backs it with pages.
fn filled(bytes: usize) -> Box<[u8]> {
    vec![1; bytes].into_boxed_slice()
}
