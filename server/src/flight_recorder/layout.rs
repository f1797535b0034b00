//! The layout of the file and the framing of its records. Numbers are little-endian.

use heapbeat_shared::InstanceId;

/// First bytes of the file; the last of them is the version of this layout.
pub(super) const MAGIC: [u8; 8] = *b"HBFLIGH\x03";

/// The place of one record in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordField {
    pub(super) at: usize,
    pub(super) size: usize,
}

pub(super) const HEAD: RecordField = RecordField { at: 8, size: 504 };
pub(super) const STOP: RecordField = RecordField { at: 512, size: 512 };
pub(super) const FINISHED: RecordField = RecordField { at: 1024, size: 512 };
/// The latest sample, if it is not the highest of its second.
pub(super) const LATEST: RecordField = RecordField { at: 1536, size: 64 };
/// The two copies of the seal.
pub(super) const SEALS: [usize; 2] = [1600, 3072];
pub(super) const PANIC: RecordField = RecordField { at: 4096, size: 12 << 10 };
pub(super) const HANG: RecordField = RecordField { at: 16 << 10, size: 16 << 10 };

/// Rings of records, in which the newest overwrites the oldest. The sequence number of a sample determines its place.
pub(super) const SAMPLES: RecordRing = RecordRing { at: 32 << 10, size: 64, count: 512 };
pub(super) const EVENTS: RecordRing = RecordRing { at: 64 << 10, size: 512, count: 64 };

/// Number of routes that have a counter.
pub(crate) const MAX_ROUTES: usize = 512;

/// A counter and a label for each route.
pub(super) const ROUTES: RecordRing = RecordRing { at: 96 << 10, size: 64, count: MAX_ROUTES };

/// Size of the file.
pub(super) const SIZE: usize = 128 << 10;

/// A ring of equally sized places.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordRing {
    pub(super) at: usize,
    pub(super) size: usize,
    pub(super) count: usize,
}

impl RecordRing {
    /// Returns the place of the `n`th record.
    pub(super) const fn place(self, n: usize) -> RecordField {
        RecordField { at: self.at + n % self.count * self.size, size: self.size }
    }

    /// Returns the place of the record with this number.
    pub(super) fn place_of(self, number: u64) -> RecordField {
        self.place(
            usize::try_from(number % self.count as u64).expect("a remainder is smaller than its divisor"),
        )
    }

    const fn end(self) -> usize {
        self.at + self.size * self.count
    }
}

const _: () = assert!(SAMPLES.end() <= EVENTS.at && EVENTS.end() <= ROUTES.at && ROUTES.end() <= SIZE);

/// Length of checksum and length together.
pub(super) const PREFIX_BYTES: usize = 8;

/// What the checksums of a file depend on besides the record and its place: the instance. A record at another place, or of another
/// instance's file, is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordSeal {
    instance: u64,
}

impl RecordSeal {
    pub(super) const fn of(instance: InstanceId) -> Self {
        RecordSeal { instance: instance.0 }
    }

    /// Reads the seal of a file. It is stored twice; the copy that the header was sealed with counts.
    pub(super) fn read(file: &[u8]) -> Self {
        let copies = SEALS.map(|at| {
            let instance = file.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
            RecordSeal { instance: u64::from_le_bytes(instance) }
        });
        let sealed = copies.into_iter().find(|seal| matches!(seal.open(file, HEAD), RecordState::Whole(_)));
        sealed.unwrap_or(copies[0])
    }

    /// The bytes that are stored at each of [`SEALS`].
    pub(super) const fn to_bytes(self) -> [u8; 8] {
        self.instance.to_le_bytes()
    }

    /// Returns the record for `payload`: checksum, length, payload. `None` if it does not fit into `field`.
    pub(super) fn seal(self, payload: &[u8], field: RecordField) -> Option<Vec<u8>> {
        if payload.len() + PREFIX_BYTES > field.size {
            return None;
        }
        let mut record = Vec::with_capacity(PREFIX_BYTES + payload.len());
        record.extend_from_slice(&[0; PREFIX_BYTES]);
        record.extend_from_slice(payload);
        self.write_checksum(&mut record, field);
        Some(record)
    }

    /// Writes checksum and length in front of the payload of `record`, which is for `field`.
    pub(super) fn write_checksum(self, record: &mut [u8], field: RecordField) {
        let length = u32::try_from(record.len() - PREFIX_BYTES).unwrap_or(u32::MAX);
        record[4..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
        let checksum = self.checksum(&record[4..], field);
        record[..4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads the record at `field` of a file.
    pub(super) fn open(self, file: &[u8], field: RecordField) -> RecordState<'_> {
        let Some(place) = file.get(field.at..field.at + field.size) else { return RecordState::Torn };
        let number = |at: usize| u32::from_le_bytes([place[at], place[at + 1], place[at + 2], place[at + 3]]);
        let (checksum, length) = (number(0), number(4) as usize);
        if (checksum, length) == (0, 0) && place.iter().all(|byte| *byte == 0) {
            return RecordState::Empty;
        }
        match place.get(4..PREFIX_BYTES.saturating_add(length)) {
            Some(sealed) if length > 0 && self.checksum(sealed, field) == checksum => {
                RecordState::Whole(&sealed[4..])
            }
            _ => RecordState::Torn,
        }
    }

    fn checksum(self, sealed: &[u8], field: RecordField) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.to_bytes());
        hasher.update(&(field.at as u64).to_le_bytes());
        hasher.update(sealed);
        hasher.finalize()
    }
}

/// Content of a record's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RecordState<'a> {
    /// Nothing was written.
    Empty,
    /// The record is incomplete or not a record.
    Torn,
    /// The payload.
    Whole(&'a [u8]),
}
