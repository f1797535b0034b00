//! The body of a request on its way to the program: limited, timed, gated by `Expect: 100-continue`, and repeatable while that is
//! cheap.
//!
//! The client's body outlives one attempt to send it. Each attempt gets a [`RequestBody`], a view that first yields what earlier
//! attempts have consumed, if it was recorded, and then goes on with what the client sends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use heapbeat_connection::remaining_wait;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::headers::prepare_trailers;
use crate::hold::HoldRoom;
use crate::progress::ConnectionProgress;

/// Time after which the body is sent although the program has not asked for it; RFC 9110 10.1.1 wants no unlimited wait.
const EXPECT_PATIENCE: Duration = Duration::from_secs(1);

/// Why a request body was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFault {
    /// It is longer than allowed.
    #[error("the request body is larger than allowed")]
    TooLarge,
    /// Its next part did not arrive in time, or all parts arrived more slowly than allowed.
    #[error("the request body arrived too slowly")]
    TooSlow,
    /// It is malformed, or the client has gone.
    #[error("the request body is malformed or incomplete")]
    Broken,
}

/// Limits on a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) length: Option<u64>,
    pub(crate) timeout: Duration,
    /// Least bytes a second on average, once the client has been waited for longer than `timeout`; 0: any.
    pub(crate) least_rate: u64,
    /// Bytes that are recorded for a repetition; 0 for a body that is not repeated.
    pub(crate) record: usize,
}

/// The body of a client.
#[derive(Debug)]
pub(crate) struct ClientBody {
    state: Mutex<State>,
    room: Arc<HoldRoom>,
    limits: BodyLimits,
    progress: Arc<ConnectionProgress>,
}

#[derive(Debug)]
struct State {
    incoming: Incoming,
    received: u64,
    recorded: Vec<Bytes>,
    recorded_bytes: usize,
    /// Whether everything that was consumed is recorded.
    whole: bool,
    trailers: Option<HeaderMap>,
    ended: bool,
    fault: Option<BodyFault>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when the client is waited for.
    waiting_since: Option<Instant>,
    /// Sum of all earlier waits for the client.
    waited: Duration,
    gate: Gate,
}

#[derive(Debug)]
enum Gate {
    Open,
    /// The program has not asked for the body yet.
    Closed(Option<Pin<Box<Sleep>>>, Option<Waker>),
}

impl ClientBody {
    /// Creates the body of a request. With `expect`, it waits until the program asks for it.
    pub(crate) fn new(
        incoming: Incoming,
        limits: BodyLimits,
        expect: bool,
        room: Arc<HoldRoom>,
        progress: Arc<ConnectionProgress>,
    ) -> Arc<Self> {
        let gate = if expect { Gate::Closed(None, None) } else { Gate::Open };
        let ended = incoming.is_end_stream();
        let state = State {
            incoming,
            received: 0,
            recorded: Vec::new(),
            recorded_bytes: 0,
            whole: true,
            trailers: None,
            ended,
            fault: None,
            timer: None,
            waiting_since: None,
            waited: Duration::ZERO,
            gate,
        };
        Arc::new(ClientBody { state: Mutex::new(state), room, limits, progress })
    }

    /// Returns a view for one attempt.
    pub(crate) fn view(self: &Arc<Self>) -> RequestBody {
        RequestBody(Some(Box::new(BodyView { body: Arc::clone(self), at: 0 })))
    }

    /// Whether another attempt would send all of the body.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.state();
        state.whole && state.fault.is_none()
    }

    /// Returns why the body was not passed on.
    pub(crate) fn fault(&self) -> Option<BodyFault> {
        self.state().fault
    }

    /// Lets the body pass: the program has asked for it.
    pub(crate) fn open_gate(&self) {
        if let Gate::Closed(_, Some(waker)) = std::mem::replace(&mut self.state().gate, Gate::Open) {
            waker.wake();
        }
    }

    /// Returns the longest wait for the next part.
    pub(crate) const fn timeout(&self) -> Duration {
        self.limits.timeout
    }

    /// Stops recording; there will be no further attempt.
    pub(crate) fn forget(&self) {
        self.stop_recording(&mut self.state());
    }

    fn stop_recording(&self, state: &mut State) {
        state.whole = false;
        state.recorded = Vec::new();
        self.room.release_repeat(std::mem::take(&mut state.recorded_bytes));
    }

    fn record(&self, state: &mut State, data: &Bytes) {
        if !state.whole {
            return;
        }
        let fits = state.recorded_bytes + data.len() <= self.limits.record;
        if fits && self.room.reserve_repeat(data.len()) {
            state.recorded_bytes += data.len();
            // A copy, because the original would keep the whole read buffer of the connection.
            state.recorded.push(Bytes::copy_from_slice(data));
        } else {
            self.stop_recording(state);
        }
    }

    fn poll_frame(
        &self,
        at: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let state = &mut *self.state();
        if let Some(fault) = state.fault {
            return Poll::Ready(Some(Err(fault)));
        }
        if let Gate::Closed(timer, waker) = &mut state.gate {
            let timer = timer.get_or_insert_with(|| Box::pin(sleep(EXPECT_PATIENCE)));
            if timer.as_mut().poll(cx).is_pending() {
                *waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            state.gate = Gate::Open;
        }
        if let Some(data) = state.recorded.get(*at) {
            *at += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        if state.ended {
            // The position behind the records is that of the trailers.
            let unsent = *at == state.recorded.len();
            *at = usize::MAX;
            let trailers = state.trailers.clone().filter(|_| unsent);
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        match Pin::new(&mut state.incoming).poll_frame(cx) {
            Poll::Pending => self.poll_timer(state, cx),
            Poll::Ready(frame) => {
                if let Some(since) = state.waiting_since.take() {
                    state.waited += since.elapsed();
                    self.progress.body_arrived();
                }
                self.receive(state, at, frame)
            }
        }
    }

    fn receive(
        &self,
        state: &mut State,
        at: &mut usize,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let frame = match frame {
            None => {
                state.ended = true;
                return Poll::Ready(None);
            }
            Some(Err(_)) => return Poll::Ready(Some(Err(*state.fault.insert(BodyFault::Broken)))),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => {
                state.received += data.len() as u64;
                if self.limits.length.is_some_and(|length| state.received > length) {
                    return Poll::Ready(Some(Err(*state.fault.insert(BodyFault::TooLarge))));
                }
                self.record(state, &data);
                if state.whole {
                    *at = state.recorded.len();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Err(frame) => {
                state.ended = true;
                let Ok(mut trailers) = frame.into_trailers() else { return Poll::Ready(None) };
                prepare_trailers(&mut trailers);
                *at = usize::MAX;
                if state.whole {
                    state.trailers = Some(trailers.clone());
                }
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn poll_timer(
        &self,
        state: &mut State,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let BodyLimits { timeout, least_rate, .. } = self.limits;
        let timer = state.timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if state.waiting_since.is_none() {
            let now = Instant::now();
            state.waiting_since = Some(now);
            self.progress.body_awaited(now);
            timer.as_mut().reset(now + remaining_wait(timeout, least_rate, state.received, state.waited));
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(*state.fault.insert(BodyFault::TooSlow))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.forget();
        self.progress.body_arrived();
        if !self.state().ended {
            self.progress.clock.leave_unread();
        }
    }
}

/// The body of one attempt; `None` for a request without a body. It is one pointer, as hyper has room for 32 requests in each connection,
/// which fit into 8 kB like that.
#[derive(Debug)]
pub(crate) struct RequestBody(Option<Box<BodyView>>);

#[derive(Debug)]
struct BodyView {
    body: Arc<ClientBody>,
    /// Number of recorded parts that were sent.
    at: usize,
}

impl RequestBody {
    pub(crate) const fn empty() -> Self {
        RequestBody(None)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match &mut self.get_mut().0 {
            Some(view) => view.body.poll_frame(&mut view.at, cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let Some(BodyView { body, at }) = self.0.as_deref() else { return true };
        let state = body.state();
        state.ended
            && state.fault.is_none()
            && (*at > state.recorded.len() || (state.recorded.is_empty() && state.trailers.is_none()))
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.as_deref() {
            // The client's length, also for an attempt that begins with records.
            Some(BodyView { body, at }) => {
                let state = body.state();
                match state.incoming.size_hint().exact() {
                    Some(left) if *at == 0 => SizeHint::with_exact(left + state.recorded_bytes as u64),
                    _ => SizeHint::default(),
                }
            }
            None => SizeHint::with_exact(0),
        }
    }
}
