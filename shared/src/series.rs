//! A dense, exact encoding of a run of samples.
//!
//! A response must carry an hour of history, and a free account must store a week of it, so a sample of five figures and a time may take at
//! most four bytes. Memory figures change little from one second to the next, and change together. Each figure is therefore a column of
//! page counts, each column is stored as differences, and each group of differences as Rice codes with the parameter that suits the group
//! (R. F. Rice, "Some practical universal noiseless coding techniques", JPL 79-22, 1979). If a column follows the previous one, only the
//! deviation is written.
//!
//! Figures are kept in whole pages of 4,096 bytes: rss, `stats.active` and `stats.resident` are multiples of a
//! page by nature, the others are rounded to the nearest. Encoding decoded samples again gives the same bytes.
//!
//! A block is: version (1 byte), sequence number of the first sample (varint), count (varint), then six columns.
//! A column is its first value (zigzag varint) and a bit string of groups, padded to a byte.

mod bits;
mod column;

use crate::sample::Sample;
use crate::units::{Bytes, UnixMillis};

use bits::{BitReader, BitWriter, read_varint, write_varint};

/// The unit of encoded figures, in bytes.
pub const PAGE: u64 = 4096;

/// Most samples in one block; a decoder refuses more before it reserves memory for them.
pub const MAX_SAMPLES: usize = 8192;

/// First byte of a block.
const VERSION: u8 = 1;

const COLUMNS: usize = 6;

/// The column of times, which is encoded by the changes of its differences, so that a constant interval takes no space.
const TIME: usize = 0;

/// A run of samples with consecutive sequence numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Sequence number of the first sample.
    pub first: u64,
    /// The samples, figures in whole pages (see [`to_pages`]).
    pub samples: Vec<Sample>,
}

impl Series {
    /// Removes the samples up to this sequence number, and returns the number of samples that are missing after it.
    pub fn keep_after(&mut self, sequence: u64) -> u64 {
        let wanted = sequence.saturating_add(1);
        let known = usize::try_from(wanted.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.skip(known);
        self.first.saturating_sub(wanted)
    }

    /// Removes the first `count` samples.
    pub fn skip(&mut self, count: usize) {
        let count = count.min(self.samples.len());
        self.samples.drain(..count);
        self.first = self.first.saturating_add(count as u64);
    }
}

/// The bytes are not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeriesError {
    /// The block is of a newer version, or the bytes are not a block.
    #[error("the samples begin with version {0}; this heapbeat reads version {VERSION}")]
    Version(u8),
    /// The bytes end before the samples do.
    #[error("the samples are cut short")]
    Truncated,
    /// There are more samples than a block may have.
    #[error("the block has {0} samples; at most {MAX_SAMPLES} are allowed")]
    TooMany(u64),
    /// A value is invalid.
    #[error("the samples are damaged")]
    Damaged,
}

/// Rounds every figure to whole pages, as encoding does.
#[must_use]
pub fn to_pages(sample: Sample) -> Sample {
    from_row(to_row(&sample)).expect("a rounded sample is a sample")
}

/// Encodes consecutive samples, the first of which has sequence number `first`. More than [`MAX_SAMPLES`]
/// need several blocks.
///
/// # Panics
///
/// Panics if there are more than [`MAX_SAMPLES`].
pub fn encode(first: u64, samples: &[Sample]) -> Vec<u8> {
    assert!(samples.len() <= MAX_SAMPLES, "{} samples in one block", samples.len());
    let mut out = vec![VERSION];
    write_varint(&mut out, first);
    write_varint(&mut out, samples.len() as u64);
    if samples.is_empty() {
        return out;
    }
    let mut columns: [Vec<i64>; COLUMNS] = std::array::from_fn(|_| Vec::with_capacity(samples.len()));
    for sample in samples {
        for (column, value) in columns.iter_mut().zip(to_row(sample)) {
            column.push(value);
        }
    }
    let mut leader: Vec<i64> = Vec::new();
    for (index, values) in columns.iter().enumerate() {
        write_varint(&mut out, zigzag(values[0]));
        let mut deltas = differences(values);
        if index == TIME {
            deltas = beats(&deltas);
        }
        let mut bits = BitWriter::default();
        column::encode(&mut bits, &deltas, &leader);
        out.extend_from_slice(&bits.finish());
        leader = deltas;
    }
    out
}

/// Decodes a block. Whatever the bytes, it allocates at most [`MAX_SAMPLES`] samples.
pub fn decode(bytes: &[u8]) -> Result<Series, SeriesError> {
    let (&version, mut rest) = bytes.split_first().ok_or(SeriesError::Truncated)?;
    if version != VERSION {
        return Err(SeriesError::Version(version));
    }
    let first = read_varint(&mut rest)?;
    let count = read_varint(&mut rest)?;
    if count > MAX_SAMPLES as u64 {
        return Err(SeriesError::TooMany(count));
    }
    let count = usize::try_from(count).map_err(|_| SeriesError::Damaged)?;
    first.checked_add(count as u64).ok_or(SeriesError::Damaged)?;
    if count == 0 {
        return Ok(Series { first, samples: Vec::new() });
    }
    let mut rows = vec![[0i64; COLUMNS]; count];
    let mut leader: Vec<i64> = Vec::new();
    for index in 0..COLUMNS {
        let mut value = unzigzag(read_varint(&mut rest)?);
        let mut bits = BitReader::new(rest);
        let deltas = column::decode(&mut bits, count - 1, &leader)?;
        rest = bits.rest();
        rows[0][index] = value;
        let mut step = 0i64;
        for (row, delta) in rows[1..].iter_mut().zip(&deltas) {
            step = if index == TIME { step.wrapping_add(*delta) } else { *delta };
            value = value.wrapping_add(step);
            row[index] = value;
        }
        leader = deltas;
    }
    let samples =
        rows.into_iter().map(|row| from_row(row).ok_or(SeriesError::Damaged)).collect::<Result<_, _>>()?;
    Ok(Series { first, samples })
}

/// Returns the time, then the figures in an order in which each resembles the previous one.
fn to_row(sample: &Sample) -> [i64; COLUMNS] {
    let pages = |bytes: Bytes| (bytes.0 / PAGE + u64::from(bytes.0 % PAGE >= PAGE / 2)).cast_signed();
    [
        sample.at.0,
        pages(sample.heap_used),
        pages(sample.heap_total),
        pages(sample.heap_resident),
        pages(sample.rss),
        pages(sample.working_set),
    ]
}

fn from_row([at, heap_used, heap_total, heap_resident, rss, working_set]: [i64; COLUMNS]) -> Option<Sample> {
    let bytes = |pages: i64| u64::try_from(pages).ok()?.checked_mul(PAGE).map(Bytes);
    Some(Sample {
        at: UnixMillis(at),
        rss: bytes(rss)?,
        heap_used: bytes(heap_used)?,
        heap_total: bytes(heap_total)?,
        heap_resident: bytes(heap_resident)?,
        working_set: bytes(working_set)?,
    })
}

fn differences(values: &[i64]) -> Vec<i64> {
    values.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect()
}

/// Returns the first difference, then the change of each difference.
fn beats(deltas: &[i64]) -> Vec<i64> {
    let before = std::iter::once(0).chain(deltas.iter().copied());
    deltas.iter().zip(before).map(|(delta, before)| delta.wrapping_sub(before)).collect()
}

/// Maps small numbers of either sign to small unsigned ones: 0, -1, 1, -2, … to 0, 1, 2, 3, …
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests;
