//! Where things are in the file, and what a record looks like. Numbers are little-endian.

use crate::attribution::TAGS;

/// What the file begins with; the last byte is the version of this layout.
pub(super) const MAGIC: [u8; 8] = *b"HBFLIGH\x02";

/// A part of the file that holds one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) at: usize,
    pub(super) size: usize,
}

pub(super) const HEAD: Field = Field { at: 8, size: 504 };
pub(super) const STOP: Field = Field { at: 512, size: 512 };
pub(super) const FINISHED: Field = Field { at: 1024, size: 512 };
/// The last look, where it is not the highest of its second.
pub(super) const LOOK: Field = Field { at: 1536, size: 64 };
pub(super) const PANIC: Field = Field { at: 4096, size: 12 << 10 };
pub(super) const HANG: Field = Field { at: 16 << 10, size: 16 << 10 };

/// Rings of records; the newest overwrites the oldest. A sample's place is that of its sequence number.
pub(super) const SAMPLES: Ring = Ring { at: 32 << 10, size: 64, count: 512 };
pub(super) const EVENTS: Ring = Ring { at: 64 << 10, size: 512, count: 64 };

/// A counter and a label for each route.
pub(super) const ROUTES: Ring = Ring { at: 96 << 10, size: 64, count: TAGS };

/// The whole file.
pub(super) const SIZE: usize = 128 << 10;

/// Equal places in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub(super) at: usize,
    pub(super) size: usize,
    pub(super) count: usize,
}

impl Ring {
    /// The place of the `n`th record.
    pub(super) const fn place(self, n: usize) -> Field {
        Field { at: self.at + n % self.count * self.size, size: self.size }
    }

    /// The place of the record with this number.
    pub(super) fn place_of(self, number: u64) -> Field {
        self.place(
            usize::try_from(number % self.count as u64).expect("a remainder is smaller than its divisor"),
        )
    }

    const fn end(self) -> usize {
        self.at + self.size * self.count
    }
}

const _: () = assert!(SAMPLES.end() <= EVENTS.at && EVENTS.end() <= ROUTES.at && ROUTES.end() <= SIZE);

/// Checksum and length.
pub(super) const PREFIX: usize = 8;

/// A record with `payload`: checksum, length, payload. `None` when it does not fit.
pub(super) fn seal(payload: &[u8], field: Field) -> Option<Vec<u8>> {
    if payload.len() + PREFIX > field.size {
        return None;
    }
    let mut record = Vec::with_capacity(PREFIX + payload.len());
    record.extend_from_slice(&[0; PREFIX]);
    record.extend_from_slice(payload);
    stamp(&mut record);
    Some(record)
}

/// Writes checksum and length before the payload that follows them.
pub(super) fn stamp(record: &mut [u8]) {
    let length = u32::try_from(record.len() - PREFIX).unwrap_or(u32::MAX);
    record[4..PREFIX].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&record[4..]);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
}

/// What a place holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened<'a> {
    /// Nothing was ever written.
    Empty,
    /// It was cut in half, or is not a record at all.
    Torn,
    /// The payload.
    Whole(&'a [u8]),
}

/// Reads the record at `field` of a file.
pub(super) fn open(file: &[u8], field: Field) -> Opened<'_> {
    let Some(place) = file.get(field.at..field.at + field.size) else { return Opened::Torn };
    let number = |at: usize| u32::from_le_bytes([place[at], place[at + 1], place[at + 2], place[at + 3]]);
    let (checksum, length) = (number(0), number(4) as usize);
    if (checksum, length) == (0, 0) && place.iter().all(|byte| *byte == 0) {
        return Opened::Empty;
    }
    match place.get(4..PREFIX.saturating_add(length)) {
        Some(sealed) if length > 0 && crc32fast::hash(sealed) == checksum => Opened::Whole(&sealed[4..]),
        _ => Opened::Torn,
    }
}
