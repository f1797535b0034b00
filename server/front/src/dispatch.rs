//! What happens to a request: it is refused, answered by an operator route, shed, or forwarded to the program.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::body::{BodyFault, BodyLimits, ClientBody};
use crate::connection_limit::PermitKind;
use crate::forward::{ForwardError, ForwardRequest, Forwarded, forward};
use crate::framed_socket::SharedFraming;
use crate::framing::may_upgrade;
use crate::headers::{prepare_request, prepare_response};
use crate::memory::{Charge, HeadSize};
use crate::problem::{closing_problem, problem, unavailable};
use crate::progress::ConnectionProgress;
use crate::response_body::{ProgramBody, ResponseBody};
use crate::shared::{Shared, Stage};
use crate::statistics::RequestTicket;
use crate::tunnel::spawn_upgrade;
use crate::wait::{HoldError, Obstacle, Wait};

/// The client of a request.
pub(crate) struct ClientConnection {
    pub(crate) address: SocketAddr,
    pub(crate) kind: PermitKind,
    pub(crate) progress: Arc<ConnectionProgress>,
    pub(crate) framing: Arc<SharedFraming>,
    /// What the connection has while its requests are being worked on.
    pub(crate) admission: Mutex<ClientAdmission>,
}

/// What a connection has while its requests are being worked on.
#[derive(Default)]
pub(crate) struct ClientAdmission {
    charge: Option<Charge>,
    /// How the next request has waited.
    wait: Option<Result<Wait, HoldError>>,
}

impl ClientConnection {
    /// Begins to read requests.
    pub(crate) fn begin(&self, admission: Admission) {
        let Admission { charge, wait } = admission;
        *self.admission() = ClientAdmission { charge: Some(charge), wait };
        self.progress.set_charged(true);
    }

    /// Gives back what the connection had for its requests.
    pub(crate) fn end(&self) {
        *self.admission() = ClientAdmission::default();
        self.progress.set_charged(false);
    }

    /// Whether the connection has a place of the reserve.
    pub(crate) fn has_reserve(&self) -> bool {
        self.admission().charge.as_ref().is_some_and(Charge::is_reserve)
    }

    /// Returns since when the connection has no request at all; `None` if it has a part of one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let since = self.progress.clock.idle_since()?;
        let requests = self.progress.requests();
        self.framing.with(|framing| framing.is_between_requests(requests)).then_some(since)
    }

    fn admission(&self) -> MutexGuard<'_, ClientAdmission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the connection's part of the room in memory cover a request for the program; false if there is no room.
    fn covers(&self, shared: &Shared, head: HeadSize) -> bool {
        self.admission().charge.as_mut().is_some_and(|charge| charge.cover(&shared.memory, head))
    }
}

/// A response, and whether the connection becomes a tunnel with it.
struct Answer {
    response: Response<Either<Full<Bytes>, ProgramBody>>,
    ticket: Option<RequestTicket>,
    tunnel: bool,
}

impl From<Response<Full<Bytes>>> for Answer {
    fn from(response: Response<Full<Bytes>>) -> Self {
        Answer { response: response.map(Either::Left), ticket: None, tunnel: false }
    }
}

/// Responds to one request, whose head is boxed, as the future of each step would be larger by it twice.
pub(crate) async fn dispatch(
    shared: &Arc<Shared>,
    client: &ClientConnection,
    head: Box<Parts>,
    body: Incoming,
) -> Response<ResponseBody> {
    let number = client.progress.request_started(Instant::now());
    let wait = client.admission().wait.take();
    let answer = match client.framing.with(|framing| framing.refusal_of(number)) {
        Some(fault) => {
            shared.statistics.count_rejected();
            closing_problem(fault.status(), fault.detail()).into()
        }
        None => respond(shared, client, (number, wait), head, body).await,
    };
    client.framing.answer_upgrade(number, answer.tunnel);
    let mut response = answer.response;
    let closing = client.kind == PermitKind::Reserve || *shared.stage.borrow() != Stage::Open;
    if closing && !answer.tunnel {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let progress = (!answer.tunnel).then(|| Arc::clone(&client.progress));
    response.map(|body| ResponseBody::new(body, progress, answer.ticket))
}

async fn respond(
    shared: &Arc<Shared>,
    client: &ClientConnection,
    (number, wait): (u64, Option<Result<Wait, HoldError>>),
    head: Box<Parts>,
    body: Incoming,
) -> Answer {
    if let Some(response) = shared.routes.respond(&head) {
        if !body.is_end_stream() {
            client.progress.clock.leave_unread();
        }
        return response.await.into();
    }
    if client.kind == PermitKind::Reserve {
        return unavailable("too many connections; try again later", shared.config.hold.retry_after).into();
    }
    let arrived = match &wait {
        Some(Ok(wait)) => wait.arrived(),
        _ => Instant::now(),
    };
    let ticket = shared.statistics.begin(&head.method, head.uri.path(), arrived);
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let wait = wait.unwrap_or_else(|| Ok(Wait::new(shared))).and_then(|wait| {
        let covered = client.covers(shared, HeadSize::of(&head.headers, target));
        covered.then_some(wait).ok_or(HoldError::NoMemory)
    });
    let refusal = match wait {
        Ok(wait) if shared.gate.admits(head.uri.path()) => {
            let may_become_tunnel = client.framing.with(|framing| framing.is_withheld_for(number));
            let request = WaitingRequest { head, body, wait, may_become_tunnel };
            return forward_to_program(shared, client, request, ticket).await;
        }
        Ok(_) => {
            let detail = "the server is short of memory; try again later";
            unavailable(detail, shared.config.hold.retry_after)
        }
        Err(error) => explain(shared, &head.method, ForwardError::Held(error)),
    };
    if !body.is_end_stream() {
        client.progress.clock.leave_unread();
    }
    own_answer(refusal, ticket)
}

/// A request for the program.
struct WaitingRequest {
    head: Box<Parts>,
    body: Incoming,
    wait: Wait,
    may_become_tunnel: bool,
}

/// Creates the answer to a request that the program did not answer.
fn own_answer(response: Response<Full<Bytes>>, mut ticket: RequestTicket) -> Answer {
    ticket.answer(response.status());
    Answer { ticket: Some(ticket), ..response.into() }
}

async fn forward_to_program(
    shared: &Arc<Shared>,
    client: &ClientConnection,
    request: WaitingRequest,
    mut ticket: RequestTicket,
) -> Answer {
    let limits = &shared.config.limits;
    let WaitingRequest { mut head, body, wait, may_become_tunnel } = request;
    let method = head.method.clone();
    if limits.max_body.is_some_and(|longest| announced_length(&head).is_some_and(|length| length > longest)) {
        client.progress.clock.leave_unread();
        return own_answer(explain(shared, &method, ForwardError::Body(BodyFault::TooLarge)), ticket);
    }
    let client_upgrade = head.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade_of(&head).filter(|_| may_become_tunnel).zip(client_upgrade);
    let protocol = upgrade.as_ref().map(|(protocol, _)| protocol.clone());
    prepare_request(&mut head.headers, client.address, protocol, shared.config.trust);
    head.uri = origin_form(&head.uri);
    head.version = Version::HTTP_11;
    let body = request_body(shared, client, &mut head, body);
    let Forwarded { response, connection } =
        match forward(shared, ForwardRequest { head, body, wait }, &ticket.route()).await {
            Ok(forwarded) => forwarded,
            Err(error) => return own_answer(explain(shared, &method, error), ticket),
        };
    let (mut head, body) = response.into_parts();
    ticket.answer(head.status);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let program = head.extensions.remove::<OnUpgrade>();
        let (Some((_, upgraded)), Some(program)) = (upgrade, program) else {
            return own_answer(explain(shared, &method, ForwardError::Nonsense), ticket);
        };
        let protocol = head.headers.get(UPGRADE).cloned();
        prepare_response(&mut head.headers);
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            head.headers.insert(UPGRADE, protocol);
        }
        let progress = Arc::clone(&client.progress);
        spawn_upgrade((upgraded, progress), program, connection, ticket, Arc::clone(shared));
        let response = Response::from_parts(head, Either::Left(Full::default()));
        return Answer { response, ticket: None, tunnel: true };
    }
    prepare_response(&mut head.headers);
    head.version = Version::HTTP_11;
    let body = Either::Right(ProgramBody::new(body, connection));
    Answer { response: Response::from_parts(head, body), ticket: Some(ticket), tunnel: false }
}

/// Returns the protocol that a request wants to change to.
fn upgrade_of(head: &Parts) -> Option<HeaderValue> {
    head.headers.get(UPGRADE).filter(|value| may_upgrade(value.as_bytes())).cloned()
}

fn request_body(
    shared: &Arc<Shared>,
    client: &ClientConnection,
    head: &mut Parts,
    body: Incoming,
) -> Option<Arc<ClientBody>> {
    if body.is_end_stream() {
        head.headers.remove(EXPECT);
        return None;
    }
    let expect =
        head.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !head.headers.contains_key(CONTENT_LENGTH) {
        // Without it, hyper takes a GET of unknown length for one without a body.
        head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let repeatable = head.method == Method::PUT || head.method.is_safe() || head.method == Method::DELETE;
    let limits = BodyLimits {
        length: shared.config.limits.max_body,
        timeout: shared.config.limits.body_timeout,
        least_rate: shared.config.limits.least_rate,
        record: if repeatable { shared.config.hold.repeat_body } else { 0 },
    };
    Some(ClientBody::new(body, limits, expect, Arc::clone(&shared.room), Arc::clone(&client.progress)))
}

/// Returns the target without scheme and host, which the `Host` header has as well.
fn origin_form(uri: &Uri) -> Uri {
    if uri.scheme().is_none() {
        return uri.clone();
    }
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |target| Uri::from(target.clone()))
}

fn announced_length(head: &Parts) -> Option<u64> {
    head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Describes why a request was not passed on within the time that one waits.
fn describe_full(hold: Duration, obstacle: Obstacle) -> String {
    if hold.is_zero() {
        return "no instance of the program takes requests now, and they do not wait for one".to_owned();
    }
    let within = format!("within {} s", hold.as_secs_f64());
    match obstacle {
        Obstacle::NotReady => format!("no instance of the program got ready {within}; try again later"),
        Obstacle::Refused => format!(
            "the program accepted no connection {within}: it has ended, or does not listen where it did; try again later"
        ),
        Obstacle::NoTurn => format!("the program could take no further request {within}; try again later"),
    }
}

#[cfg(test)]
#[test]
fn the_time_of_a_request_that_waited_and_what_it_waited_for_are_told() {
    let every = [Obstacle::NotReady, Obstacle::Refused, Obstacle::NoTurn];
    assert!(every.iter().all(|obstacle| !describe_full(Duration::ZERO, *obstacle).contains("within")));
    let told = every.map(|obstacle| describe_full(Duration::from_millis(1500), obstacle));
    assert!(told.iter().all(|text| text.contains("within 1.5 s")), "{told:?}");
    assert!(
        told[0].contains("got ready")
            && told[1].contains("has ended")
            && told[2].contains("no further request")
    );
}

/// Returns the response to a request that got none of the program.
fn explain(shared: &Shared, method: &Method, error: ForwardError) -> Response<Full<Bytes>> {
    let hold = &shared.config.hold;
    match error {
        ForwardError::Held(HoldError::NoRoom) => {
            let detail =
                "the program is being started, and too many requests wait for it already; try again later";
            unavailable(detail, hold.retry_after)
        }
        ForwardError::Held(HoldError::NoMemory) => {
            let detail = "more requests are in flight than there is memory for; try again later";
            unavailable(detail, hold.retry_after)
        }
        ForwardError::Held(HoldError::Outage(time)) => {
            let retry_after = Duration::from_secs(time.as_secs() + 1);
            unavailable("the program does not start; it is tried again later", retry_after)
        }
        ForwardError::Held(HoldError::Ended) => {
            unavailable("the server is stopping; try again later", hold.retry_after)
        }
        ForwardError::Held(HoldError::TimedOut(obstacle)) => {
            unavailable(&describe_full(hold.time, obstacle), hold.retry_after)
        }
        ForwardError::Died(reason) => {
            shared.statistics.count_failed();
            let detail =
                format!("the program ended before it answered; this {method} was not repeated: {reason}");
            problem(StatusCode::BAD_GATEWAY, &detail)
        }
        ForwardError::Nonsense => {
            shared.statistics.count_failed();
            problem(StatusCode::BAD_GATEWAY, "the program did not answer in HTTP/1.1")
        }
        ForwardError::Interim => {
            shared.statistics.count_failed();
            let detail = "the program sent interim responses (1xx) without end, and no response";
            closing_problem(StatusCode::BAD_GATEWAY, detail)
        }
        ForwardError::TimedOut => {
            shared.statistics.count_failed();
            problem(StatusCode::GATEWAY_TIMEOUT, "the program did not answer in time")
        }
        ForwardError::Body(fault) => {
            let status = match fault {
                BodyFault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                BodyFault::TooSlow => StatusCode::REQUEST_TIMEOUT,
                BodyFault::Broken => StatusCode::BAD_REQUEST,
            };
            closing_problem(status, &fault.to_string())
        }
    }
}
