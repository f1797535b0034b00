//! How many requests that waited are with the program at the same time. Pure.
//!
//! A program that gets a thousand requests at once begins all of them, and needs the memory of all of them before anybody can see it and act.
//! It finishes none of them sooner: what it has no processor, no connection to a database or no thread for waits inside of it. So
//! requests that waited are passed on as it can use them:
//!
//! - At first so many as twice the number that it usually works on while none wait, and at least [`LEAST`].
//! - More, by half each time, as long as that makes it answer more of them in a second; else fewer again, by and by.
//! - Twice as many whenever it answers nothing at all: then its requests are long ones.
//! - A quarter of that while memory is short: what it needs for the requests that it has when it is replaced comes on top.
//!
//! How many it works on is the rate of answers times the usual latency (Little's law). The number that it has is no measure: a program that
//! cannot keep up has them all.
//!
//! A request that does not have to wait is only counted, and never delayed.

use std::time::Duration;

use tokio::time::Instant;

/// Least number of requests: as many as a program on one thread can use in any case.
pub(crate) const LEAST: usize = 32;

/// Part of the first number that is left while memory is short.
const SHORT: usize = 4;

/// Most of them.
const MOST: usize = 4096;

/// Time over which the usual number is averaged.
const USUAL_OVER: Duration = Duration::from_secs(10);

/// How fast the usual latency follows one that is higher, and one that is lower: a program is too busy for a while more often than it becomes
/// slower for good.
const RISE: f64 = 0.03;
const FALL: f64 = 0.3;

/// Shortest time and least number of answers from which it is judged whether more requests are answered than before.
const WINDOW: Duration = Duration::from_millis(200);
const ENOUGH_ANSWERS: u32 = 50;

/// Time after which fewer answers have to do.
const LONG_WINDOW: Duration = Duration::from_secs(1);

/// Increase of the rate of answers from which a higher limit was of use.
const WORTHWHILE: f64 = 1.3;

/// Pause after a higher limit was of no use.
const REST: Duration = Duration::from_secs(1);

/// Time without any answer after which the limit is doubled.
const SILENT: Duration = Duration::from_millis(400);

/// The limit, and what it is learned from.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    limit: usize,
    memory_short: bool,
    /// Requests that had waited, which the program has and has not answered.
    released: usize,
    /// How many it works on, and seconds until an answer, on average while none wait.
    usual: f64,
    usual_latency: Option<f64>,
    /// Whether requests waited when something happened last.
    waited: bool,
    last_answer: Instant,
    window: Window,
    /// A lower limit that held before, and the answers a second at that time.
    before: Option<(usize, f64)>,
    rest_until: Instant,
}

/// What is counted to judge a limit.
#[derive(Debug)]
struct Window {
    since: Instant,
    answers: u32,
    latency: Duration,
    /// Whether requests waited, and whether some did because of the limit.
    waited: bool,
    was_full: bool,
}

impl Window {
    const fn begin(since: Instant) -> Self {
        Window { since, answers: 0, latency: Duration::ZERO, waited: false, was_full: false }
    }

    fn mean_latency(&self) -> Duration {
        self.latency.checked_div(self.answers).unwrap_or_default()
    }

    /// Whether it has lasted for long enough: also as long as a request takes, as the answers are those of requests before otherwise.
    fn is_over(&self, now: Instant) -> bool {
        let lasted = now.saturating_duration_since(self.since);
        let least = if self.answers >= ENOUGH_ANSWERS { WINDOW } else { LONG_WINDOW };
        self.answers > 0 && lasted >= least.max(self.mean_latency())
    }

    fn rate(&self, now: Instant) -> f64 {
        f64::from(self.answers) / now.saturating_duration_since(self.since).as_secs_f64()
    }
}

impl ConcurrencyLimit {
    pub(crate) const fn new(now: Instant) -> Self {
        ConcurrencyLimit {
            limit: LEAST,
            memory_short: false,
            released: 0,
            usual: 0.0,
            usual_latency: None,
            waited: false,
            last_answer: now,
            window: Window::begin(now),
            before: None,
            rest_until: now,
        }
    }

    /// Returns how many requests that waited may be with the program.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Records that a request is passed on. `released` tells whether it had waited, `full` whether as many as allowed are with the program now,
    /// `waiting` whether others wait.
    pub(crate) fn begin(&mut self, released: bool, full: bool, waiting: bool, now: Instant) {
        self.follow(waiting, now);
        self.released += usize::from(released);
        self.window.was_full |= released && full;
    }

    /// Records that a request is with the program no more, with the time until its answer if there was one.
    pub(crate) fn end(&mut self, released: bool, latency: Option<Duration>, waiting: bool, now: Instant) {
        self.follow(waiting, now);
        if released {
            self.forget_released();
        }
        if let Some(latency) = latency {
            self.last_answer = now;
            // Requests from before the window tell nothing about it.
            if now.checked_duration_since(self.window.since).is_some() {
                self.window.answers += 1;
                self.window.latency += latency;
            }
        }
    }

    /// Records that a request that had waited counts no more, as it takes long.
    pub(crate) const fn forget_released(&mut self) {
        self.released = self.released.saturating_sub(1);
    }

    /// Begins anew, with another copy of the program.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.limit = self.first_limit();
        (self.before, self.rest_until, self.last_answer) = (None, now, now);
        self.window = Window::begin(now);
    }

    /// Records whether memory is short.
    pub(crate) fn set_memory_short(&mut self, short: bool, now: Instant) {
        if std::mem::replace(&mut self.memory_short, short) != short {
            self.restart(now);
        }
    }

    /// Looks after the limit while nothing happens. `full` as in [`begin`](Self::begin).
    pub(crate) fn tick(&mut self, full: bool, waiting: bool, now: Instant) {
        let silent = now.saturating_duration_since(self.last_answer.max(self.window.since)) >= SILENT;
        if full && waiting && silent {
            self.limit = (self.limit * 2).min(MOST);
            self.before = None;
            self.window = Window::begin(now);
        }
    }

    fn follow(&mut self, waiting: bool, now: Instant) {
        let waits = std::mem::replace(&mut self.waited, waiting) || waiting || self.released > 0;
        if !waits {
            self.limit = self.first_limit();
            self.before = None;
            if self.window.waited {
                self.window = Window::begin(now);
            }
        }
        self.window.waited |= waits;
        if self.window.is_over(now) {
            let window = std::mem::replace(&mut self.window, Window::begin(now));
            if window.waited { self.judge(&window, now) } else { self.learn(&window, now) }
        }
    }

    /// Learns from answers to requests that did not wait.
    fn learn(&mut self, window: &Window, now: Instant) {
        let latency = window.mean_latency().as_secs_f64();
        let usual = self.usual_latency.get_or_insert(latency);
        *usual += (latency - *usual) * if latency > *usual { RISE } else { FALL };
        let works_on = window.rate(now) * usual.min(latency);
        let share = now.saturating_duration_since(window.since).as_secs_f64() / USUAL_OVER.as_secs_f64();
        self.usual += (works_on - self.usual) * share.min(1.0);
    }

    /// Judges the limit by how many requests were answered.
    fn judge(&mut self, window: &Window, now: Instant) {
        let rate = window.rate(now);
        let was_of_use = self.before.take().is_none_or(|(limit, rate_before)| {
            let more = rate >= rate_before * WORTHWHILE;
            if !more {
                self.limit = limit;
            }
            more
        });
        if !was_of_use {
            self.limit = (self.limit * 4 / 5).max(self.first_limit());
            self.rest_until = now + REST;
        } else if window.was_full && now >= self.rest_until {
            self.before = Some((self.limit, rate));
            self.limit = (self.limit * 3 / 2).min(MOST);
            // The next answers are those of requests that are with the program already.
            self.window.since = now + window.mean_latency();
        }
    }

    fn first_limit(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded below")]
        let twice = (self.usual * 2.0).ceil().clamp(0.0, MOST as f64) as usize;
        let enough = twice.max(LEAST);
        if self.memory_short { enough / SHORT } else { enough }
    }
}

#[cfg(test)]
mod tests;
