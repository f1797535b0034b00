//! The tower layer that attributes memory to routes: every poll of a request, of its body and its drop run under the route's tag.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::MatchedPath;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::body::AttributedBody;
use super::budget::{Budget, OverBudget};
use super::request_account::RequestAccount;
use super::route::{intern, route};
use super::tag::Tag;

/// Seconds after which a client may repeat a request that the budget of its route refused.
const TRY_AGAIN: HeaderValue = HeaderValue::from_static("10");

/// Attributes memory to routes: `Router::new().route(…).layer(AttributeLayer::new())`.
///
/// The route is axum's [`MatchedPath`], so the layer is added to the router with `.layer`, after all layers whose allocations are to
/// be counted. Requests that match no route count as `(unmatched)`.
#[derive(Clone, Debug, Default)]
pub struct AttributeLayer {
    budgets: Arc<Budgets>,
}

#[derive(Clone, Debug, Default)]
struct Budgets {
    usual: Budget,
    by_route: Vec<(String, Budget)>,
}

impl Budgets {
    fn of(&self, tag: Tag) -> Budget {
        if self.by_route.is_empty() {
            return self.usual;
        }
        let label = &*route(tag).label;
        self.by_route.iter().find(|(route, _)| route == label).map_or(self.usual, |(_, budget)| *budget)
    }
}

impl AttributeLayer {
    /// Creates a layer without budgets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the budget of requests whose route has no budget of its own.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        Arc::make_mut(&mut self.budgets).usual = budget;
        self
    }

    /// Sets the budget of one route by its label: method and pattern, such as `POST /upload/{name}`.
    #[must_use]
    pub fn budget_for(mut self, label: impl Into<String>, budget: Budget) -> Self {
        Arc::make_mut(&mut self.budgets).by_route.push((label.into(), budget));
        self
    }
}

impl<S> Layer<S> for AttributeLayer {
    type Service = Attribute<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Attribute { inner, budgets: Arc::clone(&self.budgets) }
    }
}

/// A service whose requests are attributed to routes; created by [`AttributeLayer`].
#[derive(Clone, Debug)]
pub struct Attribute<S> {
    inner: S,
    budgets: Arc<Budgets>,
}

impl<S, In, Out> Service<Request<In>> for Attribute<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    Out: Body<Data = Bytes>,
{
    type Response = Response<AttributedBody<Out>>;
    type Error = S::Error;
    type Future = Attributed<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let tag = match request.extensions().get::<MatchedPath>() {
            Some(path) => intern(request.method(), path.as_str()),
            None => Tag::UNMATCHED,
        };
        let mut account = RequestAccount::open(tag, self.budgets.of(tag));
        if let Some(over) = account.check_start() {
            account.run(|| drop(request));
            return Attributed { inner: None, refused: Some(over), account: Some(account) };
        }
        let inner = account.run(|| self.inner.call(request));
        Attributed { inner: Some(inner), refused: None, account: Some(account) }
    }
}

pin_project! {
    /// The future of an attributed request. It must not be polled after it has returned a response.
    pub struct Attributed<F> {
        #[pin]
        inner: Option<F>,
        refused: Option<OverBudget>,
        account: Option<RequestAccount>,
    }

    impl<F> PinnedDrop for Attributed<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Dropping a canceled request may allocate, too; that counts for its route.
            if let Some(account) = this.account.as_mut() {
                account.run(|| this.inner.set(None));
            }
        }
    }
}

impl<F, Out, E> Future for Attributed<F>
where
    F: Future<Output = Result<Response<Out>, E>>,
{
    type Output = Result<Response<AttributedBody<Out>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(mut account) = this.account.take() else { return Poll::Pending };
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            let polled = account.run(|| inner.poll(context));
            *this.refused = account.check();
            if this.refused.is_none() && polled.is_pending() {
                *this.account = Some(account);
                return Poll::Pending;
            }
            account.run(|| this.inner.set(None));
            match (*this.refused, polled) {
                (None, Poll::Ready(answer)) => {
                    return Poll::Ready(answer.map(|it| it.map(|body| AttributedBody::new(body, account))));
                }
                (_, unwanted) => account.run(|| drop(unwanted)),
            }
        }
        this.refused.take().map_or(Poll::Pending, |over| Poll::Ready(Ok(refusal(over, account))))
    }
}

fn refusal<B>(over: OverBudget, account: RequestAccount) -> Response<AttributedBody<B>> {
    let mut response = Response::new(AttributedBody::refusal(over.client_message(), account));
    *response.status_mut() = over.status();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let OverBudget::Route { .. } = over {
        response.headers_mut().insert(RETRY_AFTER, TRY_AGAIN);
    }
    response
}
