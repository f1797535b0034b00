//! The causes that stop the server: a signal, its supervisor, or the application.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;

use crate::supervisor::StopRequest;
use crate::supervisor::machine::StopSignal;

/// Why the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// SIGTERM from the platform; load balancers may still send requests.
    Terminate,
    /// SIGINT, from a terminal.
    Interrupt,
    /// The application requested it.
    Application,
    /// Memory stayed too high although requests were refused.
    Memory,
    /// A replacement serves already; requests in flight have this much time.
    HandOver(Duration),
    /// The supervisor is gone.
    Orphaned,
}

/// A request of the guard to stop this process because memory stayed too high.
#[derive(Debug, Default)]
pub(crate) struct ShutdownRequest {
    requested: AtomicBool,
    notify: Notify,
}

impl ShutdownRequest {
    /// Requests the shutdown; a second request changes nothing.
    pub(crate) fn request(&self) {
        if !self.requested.swap(true, Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }

    /// Whether the shutdown was requested.
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Completes once, when the shutdown is requested.
    pub(crate) async fn requested(&self) {
        self.notify.notified().await;
    }
}

type StopFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The sources of stop causes; each cause is returned once.
pub(crate) struct StopSource {
    signals: Option<(Signal, Signal)>,
    app_stop: Option<StopFuture>,
    stop_requests: Option<Receiver<StopRequest>>,
    supervised: bool,
    shutdown: Arc<ShutdownRequest>,
}

impl StopSource {
    /// Creates a source from the application's own stop future or, without one, SIGTERM and SIGINT of this process, and from the
    /// requests of a supervisor, if there is one. Must be called within a tokio runtime.
    pub(crate) fn new(
        app_stop: Option<StopFuture>,
        stop_requests: Option<Receiver<StopRequest>>,
        shutdown: Arc<ShutdownRequest>,
    ) -> io::Result<Self> {
        let signals = match app_stop {
            Some(_) => None,
            None => Some((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)),
        };
        Ok(StopSource { signals, app_stop, supervised: stop_requests.is_some(), stop_requests, shutdown })
    }

    /// Returns the first cause.
    pub(crate) async fn next(&mut self) -> StopCause {
        tokio::select! {
            stop = next_signal(&mut self.signals) => stop,
            request = next_request(&mut self.stop_requests) => match request {
                StopRequest::Stop(StopSignal::Terminate, _) => StopCause::Terminate,
                StopRequest::Stop(StopSignal::Interrupt, _) => StopCause::Interrupt,
                StopRequest::HandOver(within) => StopCause::HandOver(within),
                StopRequest::Orphaned => StopCause::Orphaned,
            },
            () = app_stopped(&mut self.app_stop) => StopCause::Application,
            () = self.shutdown.requested() => StopCause::Memory,
        }
    }

    /// Returns a cause that ends the drain as well. A signal often reaches both the supervisor and its worker (a terminal sends Ctrl-C
    /// to all processes in the foreground), so for a worker the supervisor counts the signals.
    pub(crate) async fn next_urgent(&mut self) -> StopCause {
        loop {
            let again = tokio::select! {
                stop = next_signal(&mut self.signals) => (!self.supervised).then_some(stop),
                request = next_request(&mut self.stop_requests) => match request {
                    StopRequest::Stop(StopSignal::Terminate, 2..) => Some(StopCause::Terminate),
                    StopRequest::Stop(StopSignal::Interrupt, 2..) => Some(StopCause::Interrupt),
                    _ => None,
                },
                () = app_stopped(&mut self.app_stop) => Some(StopCause::Application),
                () = self.shutdown.requested() => Some(StopCause::Memory),
            };
            if let Some(stop) = again {
                return stop;
            }
        }
    }
}

async fn next_signal(signals: &mut Option<(Signal, Signal)>) -> StopCause {
    match signals {
        Some((terminate, interrupt)) => tokio::select! {
            _ = terminate.recv() => StopCause::Terminate,
            _ = interrupt.recv() => StopCause::Interrupt,
        },
        None => pending().await,
    }
}

async fn next_request(stop_requests: &mut Option<Receiver<StopRequest>>) -> StopRequest {
    let request = match stop_requests {
        Some(receiver) => receiver.recv().await,
        None => None,
    };
    if let Some(request) = request {
        return request;
    }
    *stop_requests = None;
    pending().await
}

async fn app_stopped(app_stop: &mut Option<StopFuture>) {
    match app_stop {
        Some(reason) => reason.as_mut().await,
        None => pending().await,
    }
    *app_stop = None;
}

impl StopCause {
    /// Returns one word for logs and reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            StopCause::Terminate => "SIGTERM",
            StopCause::Interrupt => "SIGINT",
            StopCause::Application => "application",
            StopCause::Memory => "memory",
            StopCause::HandOver(_) => "recycle",
            StopCause::Orphaned => "orphaned",
        }
    }
}

impl fmt::Display for StopCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StopCause::Terminate => "SIGTERM",
            StopCause::Interrupt => "SIGINT",
            StopCause::Application => "the application requested a stop",
            StopCause::Memory => "memory stayed too high",
            StopCause::HandOver(_) => "a replacement worker takes over",
            StopCause::Orphaned => "the supervisor is gone",
        })
    }
}
