//! What makes the server stop: a signal, or whatever the application says instead.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::guard::act::Leave;

/// Why to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGTERM: the platform asks; somebody may still be sending requests here.
    Terminate,
    /// SIGINT: a person at a terminal.
    Interrupt,
    /// The application's own reason.
    Asked,
    /// Memory stayed too full although requests were refused.
    Memory,
}

/// Where reasons to stop come from; each is told once.
pub(crate) struct StopSource {
    signals: Option<(Signal, Signal)>,
    asked: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    leave: Arc<Leave>,
}

impl StopSource {
    /// SIGTERM and SIGINT of this process. Must be called within a tokio runtime.
    pub(crate) fn signals(leave: Arc<Leave>) -> io::Result<Self> {
        let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(StopSource { signals: Some(signals), asked: None, leave })
    }

    /// When `asked` is done; signals are left to the application.
    pub(crate) fn when(asked: Pin<Box<dyn Future<Output = ()> + Send>>, leave: Arc<Leave>) -> Self {
        StopSource { signals: None, asked: Some(asked), leave }
    }

    /// The next reason; never, when there can be none any more.
    pub(crate) async fn next(&mut self) -> Stop {
        if let Some((terminate, interrupt)) = &mut self.signals {
            return tokio::select! {
                _ = terminate.recv() => Stop::Terminate,
                _ = interrupt.recv() => Stop::Interrupt,
                () = self.leave.asked() => Stop::Memory,
            };
        }
        match &mut self.asked {
            Some(asked) => {
                tokio::select! {
                    () = asked.as_mut() => {}
                    () = self.leave.asked() => return Stop::Memory,
                }
                self.asked = None;
                Stop::Asked
            }
            None => std::future::pending().await,
        }
    }
}

impl Stop {
    /// One word for machines.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Stop::Terminate => "SIGTERM",
            Stop::Interrupt => "SIGINT",
            Stop::Asked => "application",
            Stop::Memory => "memory",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stop::Terminate => "SIGTERM",
            Stop::Interrupt => "SIGINT",
            Stop::Asked => "the application asked to stop",
            Stop::Memory => "memory stayed too full",
        })
    }
}
