//! Sends one request to the program, and again where that is safe.
//!
//! What may be sent again is decided by how far the request had come:
//! - not written at all (the connection was refused, or a kept one turned out closed): any request;
//! - written, but no response head has arrived: idempotent methods (RFC 9110 9.2.2) whose body is still whole at hand, until two instances
//!   have ended by themselves while they had it (four with those that were replaced or killed from outside), or the longest wait of a
//!   request is over;
//! - after the response head: never.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::body::{BodyFault, ClientBody, RequestBody};
use crate::headers::keep_alive_seconds;
use crate::pool::{InFlight, PooledConnection, UpstreamPool};
use crate::response_body::ReturnTicket;
use crate::shared::Shared;
use crate::statistics::RouteKey;
use crate::turns::Unanswered;
use crate::wait::{HoldError, Wait};

/// Instances of the program that may end by themselves while they have the same request, until it is not sent again: it may be what they end
/// of.
const MAX_LOST: usize = 2;

/// The same with those that were killed from outside, or replaced and did not answer within their drain time. A request that needs too much
/// memory may be the reason for that as well, so there is a bound; a saturated program that leaks is replaced twice within the longest wait.
const MAX_ENDED: usize = 4;

/// Most kept connections that one request tries before it opens a new one.
const MAX_STALE: usize = 2;

/// Longest time for which a request that waited keeps its turn: one that takes longer is no work for the program, but waits for something.
const TURN: Duration = Duration::from_secs(1);

/// Why a request got no response of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForwardError {
    /// Too many requests wait for the program already, or this one waited too long.
    Held(HoldError),
    /// The program ended before it answered, and the request could not be repeated.
    Died(&'static str),
    /// The program answered something that is not HTTP.
    Nonsense,
    /// The program sent interim responses without end.
    Interim,
    /// The program did not answer in time.
    TimedOut,
    /// The request body could not be passed on.
    Body(BodyFault),
}

/// A request for the program.
pub(crate) struct ForwardRequest {
    /// The head, with prepared headers. It is boxed, as every future that has it would be larger by it twice.
    pub(crate) head: Box<Parts>,
    /// `None` for a request without a body.
    pub(crate) body: Option<Arc<ClientBody>>,
    /// What it may still wait.
    pub(crate) wait: Wait,
}

/// The response of the program, and the connection on which it arrives.
pub(crate) struct Forwarded {
    pub(crate) response: Response<Incoming>,
    pub(crate) connection: ReturnTicket,
}

/// A copy that has ended while it had the request.
struct LostCopy {
    pool: Arc<UpstreamPool>,
    /// Whether it was to end then.
    planned: bool,
}

impl LostCopy {
    /// Whether it may have ended of the request, as far as is known by now: a signal from outside is known a moment after the loss.
    fn may_be_due_to_request(&self) -> bool {
        !self.planned && !self.pool.ended_from_outside()
    }
}

/// The result of one attempt that failed.
enum Attempt {
    /// Nothing was written; here is the head again.
    Unwritten(Box<Parts>),
    /// It was written, and the connection failed.
    Lost,
    /// Something that another attempt does not help with.
    Failed(ForwardError),
}

/// Sends the request, and returns the response head.
pub(crate) async fn forward(
    shared: &Shared,
    request: ForwardRequest,
    route: &RouteKey,
) -> Result<Forwarded, ForwardError> {
    let ForwardRequest { head, body, mut wait } = request;
    let idempotent = is_idempotent(&head.method);
    // Kept while another attempt is possible, else taken by the attempt that writes it.
    let mut head = Some(head);
    let mut losses = 0;
    // A dying one may accept a connection or two.
    let mut lost: Vec<LostCopy> = Vec::new();
    let mut stale = 0;
    loop {
        let mut in_flight = wait.enter().await.map_err(ForwardError::Held)?;
        let pool = Arc::clone(in_flight.pool());
        let reused = if stale < MAX_STALE && losses == 0 { pool.reuse(idempotent) } else { None };
        let connection = match reused {
            Some(connection) => connection,
            None => match pool.connect().await {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::debug!("cannot connect to the program at {}: {error}", pool.upstream().address);
                    drop(in_flight);
                    wait.after_refusal().await.map_err(ForwardError::Held)?;
                    continue;
                }
            },
        };
        let unanswered = shared.room.turns().pass_on(wait.pass());
        let written = if idempotent { head.as_deref().cloned() } else { head.take().map(|head| *head) };
        let Some(written) = written else { return Err(ForwardError::Died("it was sent already")) };
        let view = body.as_ref().map_or_else(RequestBody::empty, ClientBody::view);
        let was_reused = connection.reused;
        let request = Request::from_parts(written, view);
        in_flight.set_route(route.clone());
        let mut attempt = pin!(attempt(shared, in_flight, connection, request, body.as_ref()));
        match in_turn(unanswered, attempt.as_mut()).await {
            Ok(forwarded) => {
                if let Some(body) = &body {
                    body.forget();
                }
                return Ok(forwarded);
            }
            Err(Attempt::Failed(error)) => return Err(error),
            Err(Attempt::Unwritten(unwritten)) => {
                head.get_or_insert(unwritten);
                if was_reused {
                    stale += 1;
                } else {
                    // A connection that was accepted and closed at once: the program is going away.
                    wait.after_refusal().await.map_err(ForwardError::Held)?;
                }
            }
            Err(Attempt::Lost) => {
                if head.is_none() {
                    return Err(ForwardError::Died("its method is not idempotent"));
                }
                if !body.as_ref().is_none_or(|body| body.is_whole()) {
                    return Err(ForwardError::Died("a part of its body is no longer at hand"));
                }
                if !lost.iter().any(|copy| Arc::ptr_eq(&copy.pool, &pool)) {
                    lost.push(LostCopy { planned: pool.ends_as_planned(), pool });
                }
                if lost.iter().filter(|copy| copy.may_be_due_to_request()).count() >= MAX_LOST {
                    return Err(ForwardError::Died("two instances ended while they had it"));
                }
                if lost.len() >= MAX_ENDED {
                    return Err(ForwardError::Died(
                        "four instances were replaced or ended while they had it",
                    ));
                }
                losses += 1;
                // A process that is being killed loses its sockets one after the other, the one that accepts perhaps last.
                wait.after_loss(losses).await.map_err(|error| match error {
                    HoldError::TimedOut(_) => ForwardError::Died("the time for repetitions is over"),
                    error => ForwardError::Held(error),
                })?;
                shared.statistics.count_repeated();
            }
        }
    }
}

/// Awaits an attempt, and gives the turn to the next request when this one is answered, or a moment later.
async fn in_turn<T, E>(
    mut unanswered: Unanswered,
    mut attempt: Pin<&mut impl Future<Output = Result<T, E>>>,
) -> Result<T, E> {
    let in_time = if unanswered.has_turn() { timeout(TURN, attempt.as_mut()).await.ok() } else { None };
    let result = if let Some(result) = in_time {
        result
    } else {
        unanswered.end_turn();
        attempt.await
    };
    if result.is_ok() {
        unanswered.answer();
    }
    result
}

/// Sends a request at once, and returns its response later.
fn attempt(
    shared: &Shared,
    mut in_flight: InFlight,
    connection: PooledConnection,
    mut request: Request<RequestBody>,
    body: Option<&Arc<ClientBody>>,
) -> impl Future<Output = Result<Forwarded, Attempt>> {
    if let Some(body) = body.filter(|_| request.headers().contains_key(EXPECT)) {
        let body = Arc::downgrade(body);
        hyper::ext::on_informational(&mut request, move |response| {
            if let Some(body) = body.upgrade().filter(|_| response.status() == StatusCode::CONTINUE) {
                body.open_gate();
            }
        });
    }
    let PooledConnection { mut sender, budget, .. } = connection;
    budget.renew();
    let is_head = request.method() == Method::HEAD;
    let sent = sender.try_send_request(request);
    async move {
        let answered = match shared.config.limits.response_timeout {
            Some(limit) => timeout(limit + upload_time(body), sent).await,
            None => Ok(sent.await),
        };
        let Ok(answered) = answered else { return Err(Attempt::Failed(ForwardError::TimedOut)) };
        let mut failed = match answered {
            Ok(response) => {
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    budget.lift();
                } else {
                    budget.renew();
                }
                in_flight.pool().note_progress();
                let kept = keep_alive_seconds(response.headers());
                let reusable = ends_with_its_head(is_head, response.status(), response.headers());
                let connection = ReturnTicket { sender, budget, in_flight, kept, reusable };
                return Ok(Forwarded { response, connection });
            }
            Err(failed) => failed,
        };
        if let Some(fault) = body.and_then(|body| body.fault()) {
            return Err(Attempt::Failed(ForwardError::Body(fault)));
        }
        if let Some(unwritten) = failed.take_message() {
            return Err(Attempt::Unwritten(Box::new(unwritten.into_parts().0)));
        }
        let (address, error) = (&in_flight.pool().upstream().address, failed.error());
        tracing::debug!("the program at {address} did not answer: {error}");
        if budget.is_exceeded() {
            return Err(Attempt::Failed(ForwardError::Interim));
        }
        if error.is_parse() {
            return Err(Attempt::Failed(ForwardError::Nonsense));
        }
        in_flight.note_interrupted();
        Err(Attempt::Lost)
    }
}

/// Returns the time that a request with a body gets in addition, as the program may answer only after all of it.
fn upload_time(body: Option<&Arc<ClientBody>>) -> Duration {
    body.map_or(Duration::ZERO, |body| body.timeout())
}

/// Whether a response certainly ends where HTTP says. A program may answer HEAD, or with a status that has no body, and send one after all;
/// what arrives late would be read as the answer to the next request.
fn ends_with_its_head(is_head: bool, status: StatusCode, headers: &HeaderMap) -> bool {
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let announced = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    !(is_head || bodiless && announced)
}

/// Whether a method may be repeated (RFC 9110 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE].contains(method)
}
