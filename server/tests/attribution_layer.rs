//! The attribution layer: what is attributed to which route when requests succeed, fail, or are canceled.

#![allow(clippy::unwrap_used)] // a test

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::MatchedPath;
use axum::routing::{any, get};
use axum::{Router, response::Response};
use heapbeat::attribution::{
    AttributeLayer, Budget, MeanDistance, OverBudget, RouteMemory, RouteObserver, check_budget, propagate,
    propagate_fn, set_sampling,
};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

const MB: usize = 1 << 20;

/// Maximum that axum and the layer themselves allocate for a request.
const OVERHEAD: u64 = 8 << 10;

fn route_memory(label: &str) -> RouteMemory {
    let all = RouteObserver::default().snapshot(Duration::ZERO);
    all.routes.into_iter().find(|route| route.route == label).unwrap_or_else(|| panic!("no route {label}"))
}

async fn send(app: &Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

async fn read(app: &Router, path: &str) -> (StatusCode, Result<Bytes, axum::Error>) {
    let response = send(app, path).await;
    (response.status(), response.into_body().collect().await.map(http_body_util::Collected::to_bytes))
}

/// Allocates and frees `bytes`.
fn allocate_and_free(bytes: usize) {
    std::hint::black_box(Vec::<u8>::with_capacity(bytes));
}

fn close(got: u64, expected: usize) -> bool {
    (expected as u64..=expected as u64 + OVERHEAD).contains(&got)
}

#[tokio::test]
async fn a_requests_churn_is_counted_from_its_call_to_the_end_of_its_body() {
    async fn handler() -> Response {
        allocate_and_free(MB);
        tokio::task::yield_now().await;
        allocate_and_free(2 * MB);
        let mut frames = 0;
        Response::new(Body::new(http_body_util::StreamBody::new(stream(move || {
            frames += 1;
            (frames <= 4).then(|| {
                allocate_and_free(MB);
                Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"x")))
            })
        }))))
    }
    let app = Router::new().route("/layer/allocate/{id}", get(handler)).layer(AttributeLayer::new());
    for id in 0..10 {
        let (status, body) = read(&app, &format!("/layer/allocate/{id}")).await;
        assert_eq!((status, &*body.unwrap()), (StatusCode::OK, &b"xxxx"[..]));
    }
    let route = route_memory("GET /layer/allocate/{id}");
    assert_eq!(route.requests, 10);
    assert!(close(route.per_request.mean, 7 * MB), "{route:?}");
    for quantile in [route.per_request.p50, route.per_request.p99] {
        assert!((quantile as f64 / (7 * MB) as f64 - 1.0).abs() < 0.07, "{route:?}");
    }
}

fn stream<T: Unpin>(next: impl FnMut() -> Option<T> + Unpin) -> impl futures_core::Stream<Item = T> {
    struct Made<F>(F);
    impl<T, F: FnMut() -> Option<T> + Unpin> futures_core::Stream for Made<F> {
        type Item = T;
        fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<T>> {
            Poll::Ready((self.0)())
        }
    }
    Made(next)
}

#[tokio::test]
async fn tiny_sampled_objects_do_not_swell_the_count() {
    async fn handler() {
        for _ in 0..100_000 {
            allocate_and_free(64);
        }
    }
    // As many samples as can be: a page for each would be 100 kB of the 6.4 MB, were it counted.
    set_sampling(Some(MeanDistance::from_bytes(4096)));
    let app = Router::new().route("/layer/tiny", get(handler)).layer(AttributeLayer::new());
    for _ in 0..5 {
        send(&app, "/layer/tiny").await;
    }
    set_sampling(Some(MeanDistance::DEFAULT));
    let route = route_memory("GET /layer/tiny");
    assert!(close(route.per_request.mean, 6_400_000), "{route:?}");
}

#[tokio::test]
async fn a_canceled_request_counts_with_its_drop() {
    struct Costly;
    impl Drop for Costly {
        fn drop(&mut self) {
            allocate_and_free(3 * MB);
        }
    }
    async fn handler() {
        let _costly = Costly;
        allocate_and_free(2 * MB);
        std::future::pending::<()>().await;
    }
    let app = Router::new().route("/layer/cancelled", get(handler)).layer(AttributeLayer::new());
    let mut request = Box::pin(send(&app, "/layer/cancelled"));
    assert!(std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await.is_pending());
    assert_eq!(route_memory("GET /layer/cancelled").requests, 0);
    drop(request);
    let route = route_memory("GET /layer/cancelled");
    assert_eq!(route.requests, 1);
    assert!(close(route.allocated_bytes, 5 * MB), "{route:?}");
}

#[tokio::test]
async fn a_panic_leaves_the_thread_untagged_and_the_counts_correct() {
    async fn handler() {
        allocate_and_free(MB);
        // Without the panic hook, whose backtrace would load 46 MB of symbols under the tag of this route.
        std::panic::resume_unwind(Box::new("as asked"));
    }
    let app = Router::new().route("/layer/panic", get(handler)).layer(AttributeLayer::new());
    let task = tokio::spawn({
        let app = app.clone();
        async move { send(&app, "/layer/panic").await.status() }
    });
    assert!(task.await.unwrap_err().is_panic());
    let before = route_memory("GET /layer/panic");
    assert_eq!(before.requests, 1);
    assert!(close(before.allocated_bytes, MB), "{before:?}");
    // This runtime has one thread: its allocations are untagged now, and it propagates no route.
    let held = vec![1_u8; 64 * MB];
    tokio::spawn(propagate(async { allocate_and_free(MB) })).await.unwrap();
    let after = route_memory("GET /layer/panic");
    assert_eq!((after.allocated_bytes, after.propagated_bytes), (before.allocated_bytes, 0));
    assert!(after.live_bytes < 8 << 20, "{after:?}");
    drop(held);
}

#[tokio::test]
async fn a_request_made_within_a_request_is_counted_once_and_for_the_inner_route() {
    let inner = Router::new()
        .route("/layer/inner", get(|| async { allocate_and_free(4 * MB) }))
        .layer(AttributeLayer::new());
    let outer = Router::new()
        .route(
            "/layer/outer",
            get(move || async move {
                allocate_and_free(MB);
                send(&inner, "/layer/inner").await;
                allocate_and_free(MB);
            }),
        )
        .layer(AttributeLayer::new());
    send(&outer, "/layer/outer").await;
    let (inner, outer) = (route_memory("GET /layer/inner"), route_memory("GET /layer/outer"));
    assert!(close(inner.allocated_bytes, 4 * MB), "{inner:?}");
    assert!(close(outer.allocated_bytes, 2 * MB), "{outer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_count_for_the_route_only_if_it_is_propagated() {
    static RETAINED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    fn retain(bytes: usize) {
        let kept = vec![1; bytes];
        RETAINED.lock().unwrap().push(kept);
    }
    async fn handler() {
        let task = tokio::spawn(propagate(async {
            tokio::task::yield_now().await;
            retain(32 * MB);
        }));
        let blocking = tokio::task::spawn_blocking(propagate_fn(|| retain(64 * MB)));
        // A child of a task that propagates its route may do so as well.
        let nested =
            tokio::spawn(propagate(async { tokio::spawn(propagate(async { retain(16 * MB) })).await }));
        let stranger = tokio::spawn(async { retain(128 * MB) });
        task.await.unwrap();
        blocking.await.unwrap();
        nested.await.unwrap().unwrap();
        stranger.await.unwrap();
    }
    let app = Router::new().route("/layer/propagate", get(handler)).layer(AttributeLayer::new());
    send(&app, "/layer/propagate").await;
    let route = route_memory("GET /layer/propagate");
    assert!(close(route.propagated_bytes, 112 * MB), "{route:?}");
    assert!(route.allocated_bytes < OVERHEAD, "{route:?}");
    // Objects far larger than the distance are all sampled, and estimated without error.
    assert!((route.live_bytes as f64 / (112 * MB) as f64 - 1.0).abs() < 0.02, "{route:?}");
    std::thread::spawn(|| RETAINED.lock().unwrap().clear()).join().unwrap();
    assert!(route_memory("GET /layer/propagate").live_bytes < 2 << 20);
}

#[tokio::test]
async fn labels_are_patterns_and_never_requested_paths() {
    let app = Router::new()
        .route("/layer/any/{id}", any(|path: MatchedPath| async move { path.as_str().to_owned() }))
        .layer(AttributeLayer::new());
    for n in 0..50 {
        send(&app, &format!("/layer/no-such-{n}")).await;
        let method = Method::from_bytes(format!("X{n}").as_bytes()).unwrap();
        let request =
            Request::builder().method(method).uri(format!("/layer/any/{n}")).body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(route_memory("* /layer/any/{id}").requests, 50);
    assert!(route_memory("(unmatched)").requests >= 50);
    let labels: Vec<&str> =
        RouteObserver::default().snapshot(Duration::ZERO).routes.iter().map(|route| route.route).collect();
    assert!(!labels.iter().any(|label| label.contains("no-such") || label.contains('X')), "{labels:?}");
}

#[tokio::test]
async fn a_request_beyond_its_budget_is_ended_with_507_and_others_go_on() {
    async fn greedy() -> &'static str {
        let mut rows = Vec::new();
        loop {
            rows.push(vec![0_u8; MB]);
            tokio::task::yield_now().await;
        }
    }
    let app = Router::new()
        .route("/layer/greedy", get(greedy))
        .route("/layer/large", get(|| async { allocate_and_free(40 * MB) }))
        .route("/layer/modest", get(|| async { allocate_and_free(MB) }))
        .layer(
            AttributeLayer::new()
                .budget(Budget::unlimited().per_request(16 * MB as u64))
                .budget_for("GET /layer/large", Budget::unlimited().per_request(64 * MB as u64)),
        );
    let (status, body) = read(&app, "/layer/greedy").await;
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(
        &*body.unwrap(),
        b"This request exceeded its memory budget and was ended. Request less data.\n"
    );
    let greedy = route_memory("GET /layer/greedy");
    assert_eq!((greedy.requests, greedy.over_budget), (1, 1));
    assert!((16 * MB as u64..18 * MB as u64).contains(&greedy.allocated_bytes), "{greedy:?}");
    assert!(greedy.live_bytes < 2 << 20, "what it held is free: {greedy:?}");
    for path in ["/layer/modest", "/layer/large"] {
        assert_eq!(read(&app, path).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_body_beyond_its_budget_breaks_off() {
    async fn endless() -> Response {
        Response::new(Body::new(http_body_util::StreamBody::new(stream(|| {
            allocate_and_free(MB);
            Some(Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"x"))))
        }))))
    }
    let budget = Budget::unlimited().per_request(8 * MB as u64);
    let app = Router::new().route("/layer/endless", get(endless)).layer(AttributeLayer::new().budget(budget));
    let (status, body) = read(&app, "/layer/endless").await;
    assert_eq!(status, StatusCode::OK, "the head was out");
    let error = body.unwrap_err().to_string();
    assert!(
        error.starts_with("the request allocated") && error.ends_with("its budget is 8388608 bytes"),
        "{error}"
    );
    assert_eq!(route_memory("GET /layer/endless").over_budget, 1);
}

#[tokio::test]
async fn code_that_never_awaits_can_check_its_budget() {
    async fn handler() -> String {
        let mut rounds = 0;
        while check_budget().is_ok() {
            allocate_and_free(MB);
            rounds += 1;
        }
        rounds.to_string()
    }
    let budget = Budget::unlimited().per_request(10 * MB as u64);
    let app = Router::new().route("/layer/asking", get(handler)).layer(AttributeLayer::new().budget(budget));
    // It stopped by itself, but exceeded the budget: the response is the same.
    assert_eq!(read(&app, "/layer/asking").await.0, StatusCode::INSUFFICIENT_STORAGE);
    let route = route_memory("GET /layer/asking");
    assert!(close(route.allocated_bytes, 10 * MB), "{route:?}");
    assert_eq!(check_budget(), Ok(()), "outside of a request nothing is limited");
}

#[tokio::test]
async fn a_route_that_holds_too_much_is_refused_until_it_frees_memory() {
    let kept: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let store = Arc::clone(&kept);
    let retain = move || {
        let store = Arc::clone(&store);
        async move { store.lock().unwrap().push(vec![1; 16 * MB]) }
    };
    let budget = Budget::unlimited().held_by_route(40 * MB as u64);
    let app = Router::new().route("/layer/holds", get(retain)).layer(AttributeLayer::new().budget(budget));
    for round in 0..3 {
        assert_eq!(read(&app, "/layer/holds").await.0, StatusCode::OK, "{round}");
    }
    let refused = send(&app, "/layer/holds").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "10");
    assert_eq!(kept.lock().unwrap().len(), 3, "the handler was not called");
    kept.lock().unwrap().clear();
    assert_eq!(read(&app, "/layer/holds").await.0, StatusCode::OK);
    let over = OverBudget::Route { held: 50, limit: 40 };
    assert_eq!(over.to_string(), "the route holds about 50 bytes of live memory; its budget is 40 bytes");
}
