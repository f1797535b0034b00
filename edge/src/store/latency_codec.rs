//! The blob of four days' latencies: a sequence of CBOR items (RFC 8742), one for each monitor and hour. An hour is appended without
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
    /// The hour since the beginning of the blob, from 0.
    #[n(1)]
    pub hour: u8,
    /// The statistics of the hour.
    #[n(2)]
    pub figures: LatencySummary,
}

/// Adds an hour to a blob.
pub fn append_hour(blob: &mut Vec<u8>, hour: &MonitorHour) {
    blob.extend(codec::encode(hour));
}

/// Reads the hours of such a blob, up to the first damaged item.
pub(super) fn hours(blob: &[u8]) -> Vec<MonitorHour> {
    let mut decoder = Decoder::new(blob);
    std::iter::from_fn(|| decoder.decode().ok()).collect()
}

/// Whether all of such a blob can be read.
pub(super) fn is_readable(blob: &[u8]) -> bool {
    let mut decoder = Decoder::new(blob);
    while decoder.position() < blob.len() {
        if decoder.decode::<MonitorHour>().is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_days_of_latencies_fit_into_a_row() {
        let (mut blob, mut kept) = (Vec::new(), Vec::new());
        for hour in 0..96 {
            for number in 0..40 {
                let monitor: MonitorId = format!("service-{number}").parse().unwrap();
                let figures = match number {
                    0 => [None, None, None, Some(60), Some(60)],
                    _ => [80 + number, 150, 1200 + number, 60, 0].map(Some),
                };
                let hour = MonitorHour { monitor, hour, figures };
                append_hour(&mut blob, &hour);
                kept.push(hour);
            }
        }
        assert!(blob.len() < 96 * 40 * 26, "{} bytes", blob.len());
        assert_eq!(hours(&blob), kept);
        assert_eq!(hours(&blob[..blob.len() - 1]), kept[..kept.len() - 1], "as far as it can be read");
        assert_eq!(hours(&[]), []);
        assert!(is_readable(&[]) && is_readable(&blob) && !is_readable(&blob[..blob.len() - 1]));
    }
}
