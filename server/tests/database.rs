//! A database pool as a dependency, over a real SQLite file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use heapbeat::config::Config;
use heapbeat::dependency::database;
use heapbeat::overload::hooks::{HookOutcome, Hooks, ShrinkRequest};
use heapbeat::{Guard, listen};
use heapbeat_shared::{Bytes, Pressure};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

const PATIENCE: Duration = Duration::from_secs(30);

/// Creates a pool of at most `max_connections` connections that waits at most `acquire_timeout` for one.
async fn pool(directory: &tempfile::TempDir, max_connections: u32, acquire_timeout: Duration) -> SqlitePool {
    let file = SqliteConnectOptions::new().filename(directory.path().join("test.db")).create_if_missing(true);
    let options = SqlitePoolOptions::new().max_connections(max_connections).acquire_timeout(acquire_timeout);
    let pool = options.connect_with(file).await.unwrap();
    sqlx::query("create table if not exists t (x integer)").execute(&pool).await.unwrap();
    pool
}

/// Returns the status of `/health/ready`, and the whole response.
async fn ready(address: SocketAddr) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_pool() {
    let directory = tempfile::tempdir().unwrap();
    let pool = pool(&directory, 1, PATIENCE).await;
    let socket = listen::bind(None, 0).unwrap();
    let address = ([127, 0, 0, 1], socket.local_addr().unwrap().port()).into();
    let watched =
        database::pool("database", &pool).timeout(Duration::from_millis(500)).fresh_for(Duration::ZERO);
    let guard = Guard::builder(Config::default()).listener(socket).dependency(watched).build().unwrap();
    tokio::spawn(guard.serve(Router::new()));

    assert_eq!(ready(address).await.0, 200);
    let taken = pool.acquire().await.unwrap();
    let (status, answer) = ready(address).await;
    assert_eq!(status, 503, "the only connection is taken: who asked for one would wait");
    assert!(answer.contains("retry-after: 5") && !answer.contains("database"), "{answer}");
    drop(taken);
    // A connection comes back to its pool a moment after it is dropped.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while ready(address).await.0 != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it never became ready again");
    }
    pool.close().await;
    assert_eq!(ready(address).await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pressure_closes_idle_connections() {
    let directory = tempfile::tempdir().unwrap();
    let pool = pool(&directory, 8, PATIENCE).await;
    let mut taken = Vec::new();
    for _ in 0..8 {
        taken.push(pool.acquire().await.unwrap());
    }
    assert_eq!((pool.size(), pool.num_idle()), (8, 0));
    let kept = taken.pop().unwrap();
    for mut connection in taken {
        connection.return_to_pool().await;
    }
    assert_eq!((pool.size(), pool.num_idle()), (8, 7));

    let hooks = Hooks::default();
    hooks.add("pool", 0, PATIENCE, database::shrink(&pool)).unwrap();
    let shrink = ShrinkRequest { pressure: Pressure::Purge, wanted: Bytes(1) };
    let reports = tokio::task::spawn_blocking(move || hooks.run(shrink)).await.unwrap();
    assert_eq!(reports[0].outcome, HookOutcome::Done);
    assert_eq!((pool.size(), pool.num_idle()), (1, 0), "all but the one in use");
    drop(kept);
    let rows: i64 = sqlx::query_scalar("select count(*) from t").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 0, "the pool opens new ones when they are wanted");
}
