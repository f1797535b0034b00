use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

async fn send(app: &Router, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let response = app.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_todo_is_created_changed_listed_and_deleted() {
    let app = app();
    let created = send(&app, "POST", "/todos", json!({ "text": "water the plants" })).await;
    assert_eq!(created, (201, json!({ "id": 1, "text": "water the plants", "done": false })));
    let changed = send(&app, "PATCH", "/todos/1", json!({ "done": true })).await;
    assert_eq!(changed, (200, json!({ "id": 1, "text": "water the plants", "done": true })));
    assert_eq!(send(&app, "GET", "/todos?limit=5", Value::Null).await, (200, json!([changed.1])));
    assert_eq!(send(&app, "DELETE", "/todos/1", Value::Null).await.0, 204);
    assert_eq!(send(&app, "DELETE", "/todos/1", Value::Null).await.0, 404);
}
