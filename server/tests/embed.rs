//! heapbeat embedded in an application.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use heapbeat::config::Config;
use heapbeat::{Guard, listen};
use heapbeat_shared::{Health, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Returns the status line and the body of a response.
async fn ask(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn it_serves_on_given_sockets_until_the_application_stops_it() {
    let sockets = [listen::bind(None, 0).unwrap(), listen::bind(None, 0).unwrap()];
    let addresses =
        sockets.each_ref().map(|socket| ([127, 0, 0, 1], socket.local_addr().unwrap().port()).into());
    let (stop, stopped) = oneshot::channel::<()>();
    let builder = Guard::builder(Config::default()).stop_when(async { stopped.await.unwrap() });
    let guard = sockets.into_iter().fold(builder, heapbeat::GuardBuilder::listener).build().unwrap();
    assert!(guard.reading().rss().0 > 1 << 20);
    let app = Router::new()
        .route("/", get(async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.ip().to_string()))
        .route("/health/database", get(async || "the application's own"));
    let serving = tokio::spawn(guard.serve(app));
    for address in addresses {
        let (status, body) = ask(address, "/health").await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert_eq!(Health::parse(body.as_bytes()).unwrap().status, Status::Healthy);
        assert_eq!(ask(address, "/health/database").await.1, "the application's own");
        assert_eq!(
            ask(address, "/").await.1,
            "::ffff:127.0.0.1",
            "the client's address is there to be extracted"
        );
    }
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(addresses[0]).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn its_routes_can_be_served_by_another_server() {
    let guard = Guard::new(Config::default()).unwrap();
    let app = Router::new().route("/", get(async || "hello")).merge(guard.routes());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (status, body) = ask(address, "/health").await;
    assert_eq!(
        (status.as_str(), Health::parse(body.as_bytes()).unwrap().status),
        ("HTTP/1.1 200 OK", Status::Healthy)
    );
    assert_eq!(ask(address, "/health/ready").await.0, "HTTP/1.1 200 OK");
    assert_eq!(ask(address, "/").await.1, "hello");
}

#[tokio::test]
async fn a_failed_start_names_the_reason() {
    let taken = listen::bind(None, 0).unwrap();
    let config = Config { port: taken.local_addr().unwrap().port(), ..Config::default() };
    let error = Guard::new(config).unwrap().serve(Router::new()).await.unwrap_err();
    assert!(matches!(error, heapbeat::Error::Listen(listen::ListenError::Taken { .. })), "{error}");
    // What a `main` prints that returns it.
    assert_eq!(format!("{error:?}"), error.to_string());
}
