//! What is recorded of one look at memory: all of it to the byte, in one cache line.

use heapbeat_shared::{Bytes, Pressure, Sample, UnixMillis};

use super::layout::{PREFIX, stamp};

/// Bytes of a figure: 256 TB.
const FIGURE: usize = 6;

/// Numbers of the look and of its second, time, five figures and the limit, pressure.
const PAYLOAD: usize = 4 + 4 + 8 + 6 * FIGURE + 1;

/// What a record takes.
pub(super) const RECORD: usize = PREFIX + PAYLOAD;

/// The place of a reading in the history's ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleSlot {
    /// Sequence number of the reading's second.
    pub sequence: u64,
    /// Whether the reading is the highest of that second so far, and so the one that is kept.
    pub highest: bool,
}

/// A look at memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastSample {
    pub(crate) sample: Sample,
    pub(crate) pressure: Pressure,
    pub(crate) limit: Bytes,
}

/// One look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SampleRecord {
    /// How many were before it.
    pub(super) number: u32,
    /// Sequence number of its second in the history.
    pub(super) sequence: u64,
    pub(super) last: LastSample,
}

impl SampleRecord {
    pub(super) fn to_record(self) -> [u8; RECORD] {
        let LastSample { sample, pressure, limit } = self.last;
        let mut record = [0; RECORD];
        let mut at = PREFIX;
        let mut put = |bytes: &[u8]| {
            record[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&self.number.to_le_bytes());
        // A second each: enough for 136 years.
        put(&u32::try_from(self.sequence).unwrap_or(u32::MAX).to_le_bytes());
        put(&sample.at.0.to_le_bytes());
        let figures = [
            sample.rss,
            sample.heap_used,
            sample.heap_total,
            sample.heap_resident,
            sample.working_set,
            limit,
        ];
        for Bytes(figure) in figures {
            put(&figure.min((1 << (8 * FIGURE)) - 1).to_le_bytes()[..FIGURE]);
        }
        put(&[pressure as u8]);
        stamp(&mut record);
        record
    }

    /// `None` where something else was recorded.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; PAYLOAD] = payload.try_into().ok()?;
        let mut rest = &payload[..];
        let number = u32::from_le_bytes(take(&mut rest)?);
        let sequence = u32::from_le_bytes(take(&mut rest)?).into();
        let at = UnixMillis(i64::from_le_bytes(take(&mut rest)?));
        let mut figure = || {
            let mut whole = [0; 8];
            whole[..FIGURE].copy_from_slice(&take::<FIGURE>(&mut rest)?);
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
        let [pressure] = take(&mut rest)?;
        let pressure = Pressure::ALL.get(usize::from(pressure)).copied()?;
        Some(SampleRecord { number, sequence, last: LastSample { sample, pressure, limit } })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_of_a_look_is_read_back(
            number: u32, sequence: u32, at: i64, figures in prop::array::uniform6(0u64..1 << 48), rung in 0usize..5,
        ) {
            let [rss, heap_used, heap_total, heap_resident, working_set, limit] = figures.map(Bytes);
            let sample = Sample { at: UnixMillis(at), rss, heap_used, heap_total, heap_resident, working_set };
            let look =
                SampleRecord { number, sequence: sequence.into(), last: LastSample { sample, pressure: Pressure::ALL[rung], limit } };
            let record = look.to_record();
            prop_assert_eq!(SampleRecord::read(&record[PREFIX..]), Some(look));
            prop_assert_eq!(SampleRecord::read(&record[PREFIX..RECORD - 1]), None);
        }
    }
}
