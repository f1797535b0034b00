//! Looks at memory again and again, on a thread of its own: a wedged async runtime must not blind it.
//!
//! The sampler only keeps time. What is read and what is done with it is one function from now to the time of the next
//! look, so that everything behind it (ladder, history, report) is a plain call with one owned value.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The thread; dropping it stops and joins the thread.
#[derive(Debug)]
pub(crate) struct Sampler {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// How the thread is told to end.
#[derive(Debug, Default)]
struct Bell {
    stopped: Mutex<bool>,
    rung: Condvar,
}

impl Sampler {
    /// Calls `look` at once and then whenever the time that it returned has passed, measured from one look's beginning
    /// to the next one's. Looks that come too late are not made up for.
    pub(crate) fn start(mut look: impl FnMut() -> Duration + Send + 'static) -> io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let thread = thread::Builder::new().name("heapbeat-sampler".to_owned()).spawn(move || {
            let mut next = Instant::now();
            loop {
                next = (next + look()).max(Instant::now());
                if heard.stopped_before(next) {
                    return;
                }
            }
        })?;
        Ok(Sampler { bell, thread: Some(thread) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        *self.bell.stopped() = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was logged when it happened.
            let _ = thread.join();
        }
    }
}

impl Bell {
    fn stopped(&self) -> MutexGuard<'_, bool> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `deadline` or the end; says whether it was the end.
    fn stopped_before(&self, deadline: Instant) -> bool {
        let mut stopped = self.stopped();
        while !*stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            stopped = self.rung.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn no_reading_comes_before_the_time_that_the_one_before_asked_for() {
        let (looked, looks) = mpsc::channel();
        let waits = [1, 30, 1].map(Duration::from_millis);
        let mut made = 0;
        let began = Instant::now();
        let sampler = Sampler::start(move || {
            looked.send(Instant::now()).unwrap();
            made += 1;
            waits.get(made - 1).copied().unwrap_or(Duration::from_secs(3600))
        });
        let times: Vec<Instant> = looks.iter().take(4).collect();
        // Each is planned from the planned beginning of the one before, so a late one shortens the wait after it.
        let mut planned = began;
        for (time, wait) in times[1..].iter().zip(waits) {
            planned += wait;
            assert!(*time >= planned, "{:?} too early", planned - *time);
        }
        drop(sampler);
    }

    #[test]
    fn it_ends_at_once_however_long_the_wait() {
        let (looked, looks) = mpsc::channel();
        let sampler = Sampler::start(move || {
            looked.send(()).unwrap();
            Duration::from_secs(3600)
        })
        .unwrap();
        looks.recv().unwrap();
        drop(sampler);
        assert!(looks.recv().is_err(), "the thread and its end of the channel are gone");
    }
}
