//! Detects restarts between two probes that both found everything in order, by the uptime of an unsigned response.
//!
//! If the instant at which the process must have started moves forward, or its uptime shrinks, it is another process. The instants
//! are those of the responses by the edge's own clock, not the tick's: a tick that comes late must not look like a restart.
//!
//! A machine that was suspended can look the same, as its uptime may stand still meanwhile; only the instance id of a signed
//! report tells the two apart.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

/// How far the start may seem to move without a restart: uptime is in whole seconds, responses take time, and the clocks of two
/// data centers differ a little.
pub const TOLERANCE: Duration = Duration::from_secs(5);

/// The maximum number of restarts that are kept of one monitor.
pub const MAX_RESTARTS: usize = 20;

/// The uptime in a response, and when it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UptimeReading {
    /// When the response was received, by the edge's own clock.
    #[n(0)]
    pub at: UnixMillis,
    /// Whole seconds since the process started.
    #[n(1)]
    pub uptime: u64,
}

impl UptimeReading {
    /// The instant at which the process must have started.
    pub fn started(self) -> UnixMillis {
        self.at.minus(Duration::from_secs(self.uptime))
    }

    /// Whether another process responded than in the reading `before`.
    pub fn restarted_since(self, before: UptimeReading) -> bool {
        self.uptime < before.uptime || self.started().since(before.started()) > TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_a_start_that_moved() {
        // (seconds, uptime) before and now
        let cases = [
            ("runs on", (0, 100), (60, 160), false),
            ("a slow answer", (0, 100), (64, 160), false),
            ("rounding", (0, 100), (60, 159), false),
            ("the tick came an hour late", (0, 100), (3660, 3760), false),
            ("the clock of another data centre is behind", (60, 160), (58, 160), false),
            ("began anew", (0, 100), (60, 5), true),
            ("began anew, and is up for longer than before by now", (0, 10), (600, 500), true),
            ("a crash loop that looks the same at each probe", (0, 3), (60, 3), true),
            ("the clock was set back, but the uptime shrank", (1000, 100), (0, 99), true),
        ];
        for (name, before, now, restarted) in cases {
            let heard =
                |(second, uptime): (i64, u64)| UptimeReading { at: UnixMillis(second * 1000), uptime };
            assert_eq!(heard(now).restarted_since(heard(before)), restarted, "{name}");
        }
    }
}
