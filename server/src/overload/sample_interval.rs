//! How soon to look again.
//!
//! A look costs tens of microseconds, so once a second is free and twenty times a second is not. What matters is not
//! how full memory is but how soon it could be fuller than allowed: eight looks before that are enough to act in
//! order, and a process that sits still at 85 % needs no more of them than an empty one.

use std::time::Duration;

use heapbeat_shared::Bytes;

/// The shortest time between two looks: 20 Hz.
pub const FASTEST: Duration = Duration::from_millis(50);

/// Looks that fit between now and the moment at which growth would reach the next mark.
const SAMPLES_TO_NEXT_THRESHOLD: u32 = 8;

/// Time to the next look.
///
/// `room` is what is left to the next mark above, `growth` what the last interval added (over `since`), `calm` the
/// longest interval, used when nothing moves.
pub fn next_interval(room: Bytes, growth: Bytes, since: Duration, calm: Duration) -> Duration {
    if growth == Bytes::ZERO {
        return calm;
    }
    let reached_in = since.as_secs_f64() * room.0 as f64 / growth.0 as f64;
    let wanted = reached_in / f64::from(SAMPLES_TO_NEXT_THRESHOLD);
    Duration::try_from_secs_f64(wanted).unwrap_or(calm).clamp(FASTEST.min(calm), calm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_faster_as_the_next_mark_nears() {
        const SECOND: Duration = Duration::from_secs(1);
        // room MB, growth MB within a second, milliseconds to the next look
        let cases = [
            (500, 0, 1000),
            (500, 1, 1000),
            (160, 20, 1000),
            (80, 20, 500),
            (40, 20, 250),
            (4, 20, 50),
            (0, 20, 50),
        ];
        for (room, growth, millis) in cases {
            let next = next_interval(Bytes::from_mb(room), Bytes::from_mb(growth), SECOND, SECOND);
            assert_eq!(next, Duration::from_millis(millis), "{growth} MB/s with {room} MB to go");
        }
    }

    #[test]
    fn a_shorter_calm_is_never_exceeded() {
        let calm = Duration::from_millis(20);
        assert_eq!(next_interval(Bytes::ZERO, Bytes(1), calm, calm), calm);
        assert_eq!(next_interval(Bytes(u64::MAX), Bytes(1), Duration::MAX, calm), calm);
    }
}
