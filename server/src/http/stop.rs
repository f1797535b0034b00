//! What makes the server stop: a signal, its supervisor, or whatever the application says instead.

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

/// Why to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// SIGTERM: the platform asks; somebody may still be sending requests here.
    Terminate,
    /// SIGINT: a person at a terminal.
    Interrupt,
    /// The application's own reason.
    Asked,
    /// Memory stayed too full although requests were refused.
    Memory,
    /// A replacement serves already; so long what is in flight may take.
    HandOver(Duration),
    /// The supervisor is gone.
    Orphaned,
}

/// A request of the guard to stop this process, as memory stayed too full.
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

type Reason = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where reasons to stop come from; each is told once.
pub(crate) struct StopSource {
    signals: Option<(Signal, Signal)>,
    asked: Option<Reason>,
    orders: Option<Receiver<StopRequest>>,
    supervised: bool,
    shutdown: Arc<ShutdownRequest>,
}

impl StopSource {
    /// The application's own reason or, without one, SIGTERM and SIGINT of this process; and a supervisor's orders where
    /// there is one. Must be called within a tokio runtime.
    pub(crate) fn new(
        asked: Option<Reason>,
        orders: Option<Receiver<StopRequest>>,
        shutdown: Arc<ShutdownRequest>,
    ) -> io::Result<Self> {
        let signals = match asked {
            Some(_) => None,
            None => Some((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)),
        };
        Ok(StopSource { signals, asked, supervised: orders.is_some(), orders, shutdown })
    }

    /// The first reason.
    pub(crate) async fn next(&mut self) -> StopCause {
        tokio::select! {
            stop = signalled(&mut self.signals) => stop,
            asking = ordered(&mut self.orders) => match asking {
                StopRequest::Stop(StopSignal::Terminate, _) => StopCause::Terminate,
                StopRequest::Stop(StopSignal::Interrupt, _) => StopCause::Interrupt,
                StopRequest::HandOver(within) => StopCause::HandOver(within),
                StopRequest::Orphaned => StopCause::Orphaned,
            },
            () = done(&mut self.asked) => StopCause::Asked,
            () = self.shutdown.requested() => StopCause::Memory,
        }
    }

    /// A reason not to wait for what is in flight either. A signal often reaches both the supervisor and its worker (Ctrl-C
    /// goes to everybody at the terminal), so for a worker the supervisor counts how often it was asked.
    pub(crate) async fn cut(&mut self) -> StopCause {
        loop {
            let again = tokio::select! {
                stop = signalled(&mut self.signals) => (!self.supervised).then_some(stop),
                asking = ordered(&mut self.orders) => match asking {
                    StopRequest::Stop(StopSignal::Terminate, 2..) => Some(StopCause::Terminate),
                    StopRequest::Stop(StopSignal::Interrupt, 2..) => Some(StopCause::Interrupt),
                    _ => None,
                },
                () = done(&mut self.asked) => Some(StopCause::Asked),
                () = self.shutdown.requested() => Some(StopCause::Memory),
            };
            if let Some(stop) = again {
                return stop;
            }
        }
    }
}

async fn signalled(signals: &mut Option<(Signal, Signal)>) -> StopCause {
    match signals {
        Some((terminate, interrupt)) => tokio::select! {
            _ = terminate.recv() => StopCause::Terminate,
            _ = interrupt.recv() => StopCause::Interrupt,
        },
        None => pending().await,
    }
}

async fn ordered(orders: &mut Option<Receiver<StopRequest>>) -> StopRequest {
    let order = match orders {
        Some(receiver) => receiver.recv().await,
        None => None,
    };
    if let Some(order) = order {
        return order;
    }
    *orders = None;
    pending().await
}

async fn done(asked: &mut Option<Reason>) {
    match asked {
        Some(reason) => reason.as_mut().await,
        None => pending().await,
    }
    *asked = None;
}

impl StopCause {
    /// One word for machines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            StopCause::Terminate => "SIGTERM",
            StopCause::Interrupt => "SIGINT",
            StopCause::Asked => "application",
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
            StopCause::Asked => "the application asked to stop",
            StopCause::Memory => "memory stayed too high",
            StopCause::HandOver(_) => "a fresh worker takes over",
            StopCause::Orphaned => "the supervisor is gone",
        })
    }
}
