//! Says why the ladder is at a level whose threshold memory has not reached, and why a replacement is requested. Pure.

use heapbeat_shared::{Bytes, Pressure};

use crate::config::thresholds::Levels;
use crate::overload::ladder::RecycleReason;
use crate::supervisor::machine::ReplacementTime;

/// Why a replacement does not wait for the threshold. It is another forecast than the verdict on leaks, which needs minutes.
const SOON: &str = "because at the pace of the last seconds it soon reaches the limit";

/// What the ladder has judged by, besides memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// Memory with the growth that is expected before the next reading.
    pub(super) expected: Bytes,
    /// Why a replacement is wanted, or was since memory was calm.
    pub(super) reason: Option<RecycleReason>,
    /// Whether anything was asked to free memory since then.
    pub(super) asked_to_free: bool,
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
    } else if level >= Pressure::Recycle && judged.reason == Some(RecycleReason::Forecast) {
        SOON
    } else if levels.held(memory) >= level {
        "as memory has not fallen far enough since it reached it"
    } else {
        match judged.reason {
            Some(RecycleReason::PurgeIneffective) if judged.asked_to_free => {
                "because freeing memory did not help"
            }
            Some(RecycleReason::PurgeIneffective) => "because memory has not fallen for a minute",
            Some(RecycleReason::Shedding) => "because refusing requests did not help",
            // A purge is tried at once; a replacement waits for a second reading.
            Some(RecycleReason::Forecast) if level == Pressure::Purge => SOON,
            Some(RecycleReason::Forecast | RecycleReason::Threshold) | None => {
                "as it has fallen only a moment ago"
            }
        }
    };
    format!(", below its threshold of {threshold}, {cause}")
}

/// Describes the reason for a replacement, at the beginning of a sentence.
pub(super) fn describe_reason(
    reason: RecycleReason,
    memory: Bytes,
    levels: &Levels,
    time: ReplacementTime,
    asked_to_free: bool,
) -> String {
    match reason {
        RecycleReason::Forecast if time.fits_beside(memory) => {
            "memory grows, and soon another instance would not fit beside this one".to_owned()
        }
        RecycleReason::Forecast => {
            format!("memory reaches the limit within {} s if it grows on", time.at(memory).as_secs())
        }
        RecycleReason::PurgeIneffective if !asked_to_free => {
            "memory has stayed at the purge threshold for a minute".to_owned()
        }
        reason => reason.describe(memory, levels.enter(Pressure::Recycle)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_forecast_is_named_only_where_it_was_the_cause() {
        use Pressure::{Alert, Purge, Recycle, Shed};
        let levels = Config::default().thresholds.levels(Bytes::from_mb(1024)).unwrap();
        let (forecast, purge) = (Some(RecycleReason::Forecast), Some(RecycleReason::PurgeIneffective));
        let no_start = Some("because no replacement can be started now");
        let not_fallen = Some("as memory has not fallen far enough since it reached it");
        // Level, memory in MB, reason, whether memory was to be freed, replaceable, expected. The thresholds are 800, 900, 960 and 992 MB.
        let cases = [
            (Alert, 810, forecast, false, true, None),
            (Purge, 900, forecast, false, true, None),
            (Recycle, 960, forecast, false, true, None),
            (Purge, 820, forecast, false, true, Some(SOON)),
            (Recycle, 820, forecast, false, true, Some(SOON)),
            (Recycle, 820, forecast, true, true, Some(SOON)),
            (Shed, 830, forecast, false, false, no_start),
            (Shed, 970, None, false, false, no_start),
            (Shed, 995, forecast, false, false, None),
            (Recycle, 955, None, false, true, not_fallen),
            (Alert, 795, forecast, false, true, not_fallen),
            (Recycle, 905, purge, true, true, Some("because freeing memory did not help")),
            (Recycle, 905, purge, false, true, Some("because memory has not fallen for a minute")),
            (Recycle, 905, None, true, true, Some("as it has fallen only a moment ago")),
        ];
        for (level, mb, reason, asked_to_free, replaceable, expected) in cases {
            let memory = Bytes::from_mb(mb);
            let judged = Judged { expected: memory, reason, asked_to_free, replaceable };
            let cause = explain_level(level, memory, &levels, judged);
            match expected {
                Some(expected) => assert!(cause.ends_with(expected), "{level:?} at {mb} MB: {cause}"),
                None => assert_eq!(cause, "", "{level:?} at {mb} MB"),
            }
        }
        let judged = Judged {
            expected: Bytes::from_mb(961),
            reason: forecast,
            asked_to_free: false,
            replaceable: true,
        };
        let cause = explain_level(Recycle, Bytes::from_mb(955), &levels, judged);
        assert!(cause.ends_with("which it reaches before the next reading if it grows on"), "{cause}");
    }

    #[test]
    fn nothing_is_said_to_have_been_tried_that_was_not() {
        let levels = Config::default().thresholds.levels(Bytes::from_mb(1024)).unwrap();
        let time = ReplacementTime::fixed(Duration::from_secs(1));
        let memory = Bytes::from_mb(960);
        let describe = |asked| describe_reason(RecycleReason::PurgeIneffective, memory, &levels, time, asked);
        assert_eq!(describe(true), "purging did not help");
        assert_eq!(describe(false), "memory has stayed at the purge threshold for a minute");
    }

    #[test]
    fn a_replacement_names_the_threshold_or_the_time_that_requested_it() {
        let levels = Config::default().thresholds.levels(Bytes::from_mb(256)).unwrap();
        let late = Duration::from_secs(1);
        let time = ReplacementTime { beside: Duration::from_secs(6), fits_up_to: Bytes::from_mb(200), late };
        let cases = [
            (RecycleReason::Threshold, 240, "memory reached the recycle threshold"),
            (
                RecycleReason::Threshold,
                224,
                "memory reaches the recycle threshold of 240.0 MB before the next reading if it grows on",
            ),
            (
                RecycleReason::Forecast,
                200,
                "memory grows, and soon another instance would not fit beside this one",
            ),
            (RecycleReason::Forecast, 201, "memory reaches the limit within 1 s if it grows on"),
        ];
        for (reason, mb, expected) in cases {
            assert_eq!(
                describe_reason(reason, Bytes::from_mb(mb), &levels, time, false),
                expected,
                "{mb} MB"
            );
        }
    }
}
