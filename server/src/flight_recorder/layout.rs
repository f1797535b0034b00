//! Where things are in the file, and what a record looks like. Numbers are little-endian.

/// What the file begins with; the last byte is the version of this layout.
pub(super) const MAGIC: [u8; 8] = *b"HBFLIGH\x02";

/// A part of the file that holds one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextField {
    pub(super) at: usize,
    pub(super) size: usize,
}

pub(super) const HEAD: TextField = TextField { at: 8, size: 504 };
pub(super) const STOP: TextField = TextField { at: 512, size: 512 };
pub(super) const FINISHED: TextField = TextField { at: 1024, size: 512 };
/// The last look, where it is not the highest of its second.
pub(super) const LOOK: TextField = TextField { at: 1536, size: 64 };
pub(super) const PANIC: TextField = TextField { at: 4096, size: 12 << 10 };
pub(super) const HANG: TextField = TextField { at: 16 << 10, size: 16 << 10 };

/// Rings of records; the newest overwrites the oldest. A sample's place is that of its sequence number.
pub(super) const SAMPLES: RecordRing = RecordRing { at: 32 << 10, size: 64, count: 512 };
pub(super) const EVENTS: RecordRing = RecordRing { at: 64 << 10, size: 512, count: 64 };

/// Most routes that have a counter.
pub(crate) const MAX_ROUTES: usize = 512;

/// A counter and a label for each route.
pub(super) const ROUTES: RecordRing = RecordRing { at: 96 << 10, size: 64, count: MAX_ROUTES };

/// The whole file.
pub(super) const SIZE: usize = 128 << 10;

/// Equal places in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordRing {
    pub(super) at: usize,
    pub(super) size: usize,
    pub(super) count: usize,
}

impl RecordRing {
    /// The place of the `n`th record.
    pub(super) const fn place(self, n: usize) -> TextField {
        TextField { at: self.at + n % self.count * self.size, size: self.size }
    }

    /// The place of the record with this number.
    pub(super) fn place_of(self, number: u64) -> TextField {
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
pub(super) fn seal(payload: &[u8], field: TextField) -> Option<Vec<u8>> {
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
pub(super) enum OpenedLayout<'a> {
    /// Nothing was ever written.
    Empty,
    /// It was cut in half, or is not a record at all.
    Torn,
    /// The payload.
    Whole(&'a [u8]),
}

/// Reads the record at `field` of a file.
pub(super) fn open(file: &[u8], field: TextField) -> OpenedLayout<'_> {
    let Some(place) = file.get(field.at..field.at + field.size) else { return OpenedLayout::Torn };
    let number = |at: usize| u32::from_le_bytes([place[at], place[at + 1], place[at + 2], place[at + 3]]);
    let (checksum, length) = (number(0), number(4) as usize);
    if (checksum, length) == (0, 0) && place.iter().all(|byte| *byte == 0) {
        return OpenedLayout::Empty;
    }
    match place.get(4..PREFIX.saturating_add(length)) {
        Some(sealed) if length > 0 && crc32fast::hash(sealed) == checksum => {
            OpenedLayout::Whole(&sealed[4..])
        }
        _ => OpenedLayout::Torn,
    }
}
