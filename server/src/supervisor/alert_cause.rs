//! Says why an alert was given for a level whose threshold memory has not reached. Pure.

use heapbeat_shared::{Bytes, Pressure};

use crate::config::thresholds::Levels;

/// What the ladder has judged by, besides memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Memory with the growth that is expected before the next reading.
    pub(super) expected: Bytes,
    /// Whether the forecast reaches the limit before a replacement could be ready.
    pub(super) limit_is_near: bool,
    /// Whether a replacement can be started, or is starting.
    pub(super) replaceable: bool,
}

/// Returns the cause as the end of a sentence; empty if memory has reached the threshold.
pub(super) fn explain_level(level: Pressure, memory: Bytes, levels: &Levels, judged: Judged) -> String {
    let threshold = levels.enter(level);
    if memory >= threshold {
        return String::new();
    }
    let cause = if judged.expected >= threshold {
        "which it reaches before the next reading if it grows on"
    } else if level == Pressure::Shed && !judged.replaceable {
        "because no replacement can be started now"
    } else if level >= Pressure::Recycle && judged.limit_is_near {
        "because of the forecast"
    } else if levels.held(memory) >= level {
        "as memory has not fallen far enough since it reached it"
    } else {
        "because freeing memory did not help"
    };
    format!(", below its threshold of {threshold}, {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_forecast_is_named_only_where_it_was_the_cause() {
        use Pressure::{Alert, Purge, Recycle, Shed};
        let levels = Config::default().thresholds.levels(Bytes::from_mb(1024)).unwrap();
        // Level, memory in MB, limit is near, replaceable, expected. The thresholds are 800, 900, 960 and 992 MB.
        let cases = [
            (Alert, 810, true, true, None),
            (Purge, 900, true, true, None),
            (Recycle, 960, true, true, None),
            (Recycle, 820, true, true, Some("because of the forecast")),
            (Shed, 830, true, false, Some("because no replacement can be started now")),
            (Shed, 970, false, false, Some("because no replacement can be started now")),
            (Shed, 995, true, false, None),
            (Recycle, 955, false, true, Some("as memory has not fallen far enough since it reached it")),
            (Alert, 795, true, true, Some("as memory has not fallen far enough since it reached it")),
            (Recycle, 905, false, true, Some("because freeing memory did not help")),
        ];
        for (level, mb, limit_is_near, replaceable, expected) in cases {
            let memory = Bytes::from_mb(mb);
            let judged = Judged { expected: memory, limit_is_near, replaceable };
            let cause = explain_level(level, memory, &levels, judged);
            match expected {
                Some(expected) => assert!(cause.ends_with(expected), "{level:?} at {mb} MB: {cause}"),
                None => assert_eq!(cause, "", "{level:?} at {mb} MB"),
            }
        }
        let judged = Judged { expected: Bytes::from_mb(961), limit_is_near: true, replaceable: true };
        let cause = explain_level(Recycle, Bytes::from_mb(955), &levels, judged);
        assert!(cause.ends_with("which it reaches before the next reading if it grows on"), "{cause}");
    }
}
