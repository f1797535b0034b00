//! The blob of a day's latencies: a sequence of CBOR items (RFC 8742), one for each monitor and hour. An hour is appended without
//! decoding the others.

use heapbeat_shared::codec;
use minicbor::{Decode, Decoder, Encode};

use crate::domain::history::latency::LatencySummary;
use crate::monitor_config::MonitorId;

/// The latencies of one monitor in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MonitorHour {
    /// The monitor.
    #[n(0)]
    pub monitor: MonitorId,
    /// The hour of the day, from 0.
    #[n(1)]
    pub hour: u8,
    /// The statistics of the hour.
    #[n(2)]
    pub figures: LatencySummary,
}

/// Adds an hour to the blob of a day.
pub fn append_hour(day: &mut Vec<u8>, hour: &MonitorHour) {
    day.extend(codec::encode(hour));
}

/// Reads the hours of such a blob, up to the first damaged item.
pub(super) fn hours(day: &[u8]) -> Vec<MonitorHour> {
    let mut decoder = Decoder::new(day);
    std::iter::from_fn(|| decoder.decode().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_latencies_is_some_kilobytes() {
        let (mut day, mut kept) = (Vec::new(), Vec::new());
        for hour in 0..24 {
            for number in 0..40 {
                let monitor: MonitorId = format!("service-{number}").parse().unwrap();
                let figures = match number {
                    0 => [None, None, None, Some(60), Some(60)],
                    _ => [80 + number, 150, 1200 + number, 60, 0].map(Some),
                };
                let hour = MonitorHour { monitor, hour, figures };
                append_hour(&mut day, &hour);
                kept.push(hour);
            }
        }
        assert!(day.len() < 24 * 40 * 26, "{} bytes", day.len());
        assert_eq!(hours(&day), kept);
        assert_eq!(hours(&day[..day.len() - 1]), kept[..kept.len() - 1], "as far as it can be read");
        assert_eq!(hours(&[]), []);
    }
}
