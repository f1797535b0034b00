//! Restarts that happened between two probes, although both probes found everything in order.
//!
//! An answer tells for how long the process has been up. When the instant at which it must have started moves
//! forward, or the uptime shrinks, it is another process. The instants compared are those of the answers by
//! the edge's own clock, not the tick's: a tick that comes late must not look like a restart.
//!
//! A machine that was suspended can look the same, as its uptime may stand still meanwhile; only the instance
//! id of a signed report tells the two apart.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

/// How far the start may seem to move without a restart: uptime comes in whole seconds, answers take their
/// time on the way, and the clocks of two data centres differ a little.
pub const TOLERANCE: Duration = Duration::from_secs(5);

/// Restarts remembered for one monitor.
pub const REMEMBERED: usize = 20;

/// The uptime that an answer told, and when it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UptimeReading {
    /// When the answer came, by the edge's clock.
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

    /// Whether the process that answered now is another one than the one that answered `before`.
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
