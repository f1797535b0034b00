//! The example backend, and the routes of `--demo`: every way in which a backend gets into trouble, on demand.

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
    fail_while_told();
    app.route("/demo/work", get(work))
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
async fn echo(body: Bytes) -> Bytes {
    body
}

#[derive(Deserialize)]
struct Long {
    s: Option<u64>,
}

/// An answer that takes its time: a line every 100 ms, and a last one, so that one that was cut can be told.
async fn stream(Query(long): Query<Long>) -> Body {
    let lines = long.s.unwrap_or(10).min(MOST_SECONDS) * 10;
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

/// What comes out of a channel.
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
struct Where {
    #[serde(default)]
    task: bool,
}

/// Panics in the request or, with `?task=true`, in a task of its own, where nobody catches it.
async fn panic(Query(place): Query<Where>) -> Response {
    if place.task {
        let _ = tokio::spawn(async { panic!("a task of /demo/panic") }).await;
    }
    panic!("somebody asked for /demo/panic")
}

#[derive(Deserialize)]
struct Code {
    code: Option<i32>,
}

async fn exit(Query(code): Query<Code>) -> Response {
    std::process::exit(code.code.unwrap_or(3))
}

/// What `DEMO_VERSION` says, to try a deploy on.
pub(crate) fn version() -> Option<String> {
    std::env::var("DEMO_VERSION").ok()
}

/// Fails at the start for as long as the file exists that `DEMO_FAIL_WHILE` names.
fn fail_while_told() {
    if std::env::var_os("DEMO_FAIL_WHILE").is_some_and(|path| Path::new(&path).exists()) {
        tracing::error!("told to fail by DEMO_FAIL_WHILE");
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
