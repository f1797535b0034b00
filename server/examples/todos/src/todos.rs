//! The application: create, list, change and delete things to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// One thing to do.
#[derive(Clone, Debug, Serialize)]
struct Todo {
    id: u64,
    text: String,
    done: bool,
}

/// A new thing to do.
#[derive(Deserialize)]
struct NewTodo {
    text: String,
}

/// What shall change.
#[derive(Deserialize)]
struct TodoChange {
    text: Option<String>,
    done: Option<bool>,
}

/// Which part of the list is wanted.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// The list, shared by all requests.
#[derive(Clone, Default)]
struct TodoList(Arc<Mutex<Todos>>);

#[derive(Default)]
struct Todos {
    last_id: u64,
    by_id: BTreeMap<u64, Todo>,
}

impl TodoList {
    fn lock(&self) -> MutexGuard<'_, Todos> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The application with an empty list.
pub(crate) fn app() -> Router {
    Router::new()
        .route("/todos", get(list).post(create))
        .route("/todos/{id}", patch(change).delete(delete))
        .with_state(TodoList::default())
}

async fn list(State(list): State<TodoList>, Query(page): Query<Page>) -> Json<Vec<Todo>> {
    let todos = list.lock();
    Json(todos.by_id.values().skip(page.offset).take(page.limit.unwrap_or(100)).cloned().collect())
}

async fn create(State(list): State<TodoList>, Json(new): Json<NewTodo>) -> (StatusCode, Json<Todo>) {
    let mut todos = list.lock();
    todos.last_id += 1;
    let todo = Todo { id: todos.last_id, text: new.text, done: false };
    todos.by_id.insert(todo.id, todo.clone());
    (StatusCode::CREATED, Json(todo))
}

async fn change(
    State(list): State<TodoList>,
    Path(id): Path<u64>,
    Json(change): Json<TodoChange>,
) -> Result<Json<Todo>, StatusCode> {
    let mut todos = list.lock();
    let todo = todos.by_id.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
    if let Some(text) = change.text {
        todo.text = text;
    }
    if let Some(done) = change.done {
        todo.done = done;
    }
    Ok(Json(todo.clone()))
}

async fn delete(State(list): State<TodoList>, Path(id): Path<u64>) -> StatusCode {
    match list.lock().by_id.remove(&id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

#[cfg(test)]
mod tests;
