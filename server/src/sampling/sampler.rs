//! The sampler's thread. It is separate from the async runtime, so that a wedged runtime does not stop sampling.
//!
//! The sampler only keeps time. One function reads memory, acts on it and returns the time to the next reading.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The sampler's thread; dropping it stops and joins the thread.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop_signal: Arc<StopSignal>,
    thread: Option<JoinHandle<()>>,
}

/// Signals the thread to stop.
#[derive(Debug, Default)]
struct StopSignal {
    stopped: Mutex<bool>,
    wakeup: Condvar,
}

impl Sampler {
    /// Calls `sample` at once and then whenever the time that it returned has passed, measured from one look's beginning
    /// to the next one's. Looks that come too late are not made up for.
    pub(crate) fn start(mut sample: impl FnMut() -> Duration + Send + 'static) -> io::Result<Self> {
        let stop_signal = Arc::new(StopSignal::default());
        let signal = Arc::clone(&stop_signal);
        let thread = thread::Builder::new().name("heapbeat-sampler".to_owned()).spawn(move || {
            let mut next = Instant::now();
            loop {
                next = (next + sample()).max(Instant::now());
                if signal.stopped_before(next) {
                    return;
                }
            }
        })?;
        Ok(Sampler { stop_signal, thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        *self.stop_signal.stopped() = true;
        self.stop_signal.wakeup.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was logged when it happened.
            let _ = thread.join();
        }
    }
}

impl StopSignal {
    fn stopped(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `deadline` or the stop signal; returns whether it was the signal.
    fn stopped_before(&self, deadline: Instant) -> bool {
        let mut stopped = self.stopped();
        while !*stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            stopped = self.wakeup.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn no_call_comes_before_the_time_that_the_previous_one_returned() {
        let (call_sender, calls) = mpsc::channel();
        let waits = [1, 30, 1].map(Duration::from_millis);
        let mut made = 0;
        let began = Instant::now();
        let sampler = Sampler::start(move || {
            call_sender.send(Instant::now()).unwrap();
            made += 1;
            waits.get(made - 1).copied().unwrap_or(Duration::from_secs(3600))
        });
        let times: Vec<Instant> = calls.iter().take(4).collect();
        // Each call is planned from the planned start of the one before, so a late call shortens the wait after it.
        let mut planned = began;
        for (time, wait) in times[1..].iter().zip(waits) {
            planned += wait;
            assert!(*time >= planned, "{:?} too early", planned - *time);
        }
        drop(sampler);
    }

    #[test]
    fn it_stops_at_once_during_a_long_wait() {
        let (call_sender, calls) = mpsc::channel();
        let sampler = Sampler::start(move || {
            call_sender.send(()).unwrap();
            Duration::from_secs(3600)
        })
        .unwrap();
        calls.recv().unwrap();
        drop(sampler);
        assert!(calls.recv().is_err(), "the thread and its end of the channel are gone");
    }
}
