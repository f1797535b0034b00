//! The record of one sample: all figures to the byte, in one cache line.

use heapbeat_shared::{Bytes, Pressure, Sample, UnixMillis};

use super::layout::{PREFIX_BYTES, RecordField, RecordSeal};

/// Length of a figure, enough for 256 TB.
const FIGURE_BYTES: usize = 6;

/// Length of the payload: number of the sample, sequence number, time, five figures and the limit, pressure.
const PAYLOAD_BYTES: usize = 4 + 4 + 8 + 6 * FIGURE_BYTES + 1;

/// Length of a record.
pub(super) const RECORD_BYTES: usize = PREFIX_BYTES + PAYLOAD_BYTES;

/// The place of a sample in the history's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleSlot {
    /// Sequence number of the sample's second.
    pub sequence: u64,
    /// Whether the sample is the highest of that second so far, and therefore the one that is kept.
    pub highest: bool,
}

/// A sample with its circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastSample {
    pub(crate) sample: Sample,
    pub(crate) pressure: Pressure,
    pub(crate) limit: Bytes,
}

/// A sample as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SampleRecord {
    /// Number of samples before it.
    pub(super) number: u32,
    /// Sequence number of its second in the history.
    pub(super) sequence: u64,
    pub(super) last: LastSample,
}

impl SampleRecord {
    /// Returns the record for a place in a file.
    pub(super) fn to_record(self, seal: RecordSeal, place: RecordField) -> [u8; RECORD_BYTES] {
        let LastSample { sample, pressure, limit } = self.last;
        let mut record = [0; RECORD_BYTES];
        let mut at = PREFIX_BYTES;
        let mut write_record = |bytes: &[u8]| {
            record[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        write_record(&self.number.to_le_bytes());
        // A second each: enough for 136 years.
        write_record(&u32::try_from(self.sequence).unwrap_or(u32::MAX).to_le_bytes());
        write_record(&sample.at.0.to_le_bytes());
        let figures = [
            sample.rss,
            sample.heap_used,
            sample.heap_total,
            sample.heap_resident,
            sample.working_set,
            limit,
        ];
        for Bytes(figure) in figures {
            write_record(&figure.min((1 << (8 * FIGURE_BYTES)) - 1).to_le_bytes()[..FIGURE_BYTES]);
        }
        write_record(&[pressure as u8]);
        seal.write_checksum(&mut record, place);
        record
    }

    /// Reads a payload; `None` if it is not a sample.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; PAYLOAD_BYTES] = payload.try_into().ok()?;
        let mut rest = &payload[..];
        let number = u32::from_le_bytes(take_bytes(&mut rest)?);
        let sequence = u32::from_le_bytes(take_bytes(&mut rest)?).into();
        let at = UnixMillis(i64::from_le_bytes(take_bytes(&mut rest)?));
        let mut figure = || {
            let mut whole = [0; 8];
            whole[..FIGURE_BYTES].copy_from_slice(&take_bytes::<FIGURE_BYTES>(&mut rest)?);
            Some(Bytes(u64::from_le_bytes(whole)))
        };
        let sample = Sample {
            at,
            rss: figure()?,
            heap_used: figure()?,
            heap_total: figure()?,
            heap_resident: figure()?,
            working_set: figure()?,
        };
        let limit = figure()?;
        let [pressure] = take_bytes(&mut rest)?;
        let pressure = Pressure::ALL.get(usize::from(pressure)).copied()?;
        Some(SampleRecord { number, sequence, last: LastSample { sample, pressure, limit } })
    }
}

fn take_bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::InstanceId;
    use proptest::prelude::*;

    use super::*;
    use crate::flight_recorder::layout::LATEST;

    proptest! {
        #[test]
        fn every_byte_of_a_sample_is_read_back(
            number: u32, sequence: u32, at: i64, figures in prop::array::uniform6(0u64..1 << 48), level in 0usize..5,
        ) {
            let [rss, heap_used, heap_total, heap_resident, working_set, limit] = figures.map(Bytes);
            let sample = Sample { at: UnixMillis(at), rss, heap_used, heap_total, heap_resident, working_set };
            let written =
                SampleRecord { number, sequence: sequence.into(), last: LastSample { sample, pressure: Pressure::ALL[level], limit } };
            let record = written.to_record(RecordSeal::of(InstanceId(7)), LATEST);
            prop_assert_eq!(SampleRecord::read(&record[PREFIX_BYTES..]), Some(written));
            prop_assert_eq!(SampleRecord::read(&record[PREFIX_BYTES..RECORD_BYTES - 1]), None);
        }
    }
}
