//! The latencies of a day, all monitors' hours in one blob.

use super::bytes::{Reader, put_id, varint};
use super::tick_codec::PackError;
use crate::config::MonitorId;
use crate::domain::history::latency::Hour;

/// Adds an hour of `monitor` to the blob of a day's latencies: a byte for the length of the id and the id, a varint for the
/// hour, and each figure plus 1, or 0.
pub fn pack_hour(out: &mut Vec<u8>, monitor: &MonitorId, hour: i64, figures: &Hour) {
    put_id(out, monitor);
    varint(out, hour.unsigned_abs());
    for figure in figures {
        varint(out, figure.map_or(0, |figure| u64::from(figure) + 1));
    }
}

/// Goes over the hours in such a blob, as far as it can be read.
pub(super) fn each_hour(blob: &[u8], take: &mut dyn FnMut(&str, i64, Hour)) {
    let mut rest = Reader(blob);
    while let Ok(()) = next_hour(&mut rest, take) {}
}

fn next_hour(rest: &mut Reader<'_>, take: &mut dyn FnMut(&str, i64, Hour)) -> Result<(), PackError> {
    let id = rest.id()?;
    let hour = i64::try_from(rest.varint()?).map_err(|_| PackError::Damaged)?;
    let mut figures = Hour::default();
    for figure in &mut figures {
        *figure = rest.varint()?.checked_sub(1).and_then(|figure| u32::try_from(figure).ok());
    }
    take(id, hour, figures);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_latencies_is_some_kilobytes() {
        let (mut day, mut kept) = (Vec::new(), Vec::new());
        for hour in 0..24 {
            for monitor in 0..40 {
                let id: MonitorId = format!("service-{monitor}").parse().unwrap();
                let figures = match monitor {
                    0 => [None, None, None, Some(60), Some(60)],
                    _ => [80 + monitor, 150, 1200 + monitor, 60, 0].map(Some),
                };
                pack_hour(&mut day, &id, hour, &figures);
                kept.push((id, hour, figures));
            }
        }
        assert!(day.len() < 24 * 40 * 20, "{} bytes", day.len());
        let read = |blob: &[u8]| {
            let mut seen = Vec::new();
            each_hour(blob, &mut |id, hour, figures| seen.push((id.parse().unwrap(), hour, figures)));
            seen
        };
        assert_eq!(read(&day), kept);
        assert_eq!(
            read(&day[..day.len() - 1]),
            kept[..kept.len() - 1],
            "one that was cut is read as far as it goes"
        );
        assert_eq!(read(&[]), []);
    }
}
