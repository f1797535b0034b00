//! The mapped file. All `unsafe` code of the recorder is here.
//!
//! The mapping is accessed through atomics only, a byte or a counter at a time, so that it is sound for several threads to store there
//! and for another process to read the same pages. Checksums tell whether what was read is consistent.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use super::layout::SIZE;

/// The mapped file.
#[derive(Debug)]
pub(super) struct MappedFile(MmapRaw);

impl MappedFile {
    /// Maps a file of the right size. Its blocks were allocated when it was created, so a store cannot fail for lack of space. If the
    /// file were truncated, a store would raise SIGBUS; only its owner could do that.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() != SIZE as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file size is not that of a flight recorder",
            ));
        }
        Ok(MappedFile(MmapOptions::new().len(SIZE).map_raw(file)?))
    }

    /// Stores bytes; bytes beyond the end are ignored.
    pub(super) fn store(&self, at: usize, bytes: &[u8]) {
        for (offset, byte) in (at..SIZE).zip(bytes) {
            // SAFETY: `offset` is below SIZE, the length of the mapping, which is readable and writable and lives as
            // long as `self`; an AtomicU8 has no alignment; nobody makes any other kind of reference into it.
            let byte_cell = unsafe { AtomicU8::from_ptr(self.0.as_mut_ptr().add(offset)) };
            byte_cell.store(*byte, Ordering::Relaxed);
        }
    }

    /// Returns the byte at `at`.
    pub(super) fn byte(&self, at: usize) -> u8 {
        let at = at.min(SIZE - 1);
        // SAFETY: as in `store`.
        unsafe { AtomicU8::from_ptr(self.0.as_mut_ptr().add(at)) }.load(Ordering::Relaxed)
    }

    /// Returns the counter at `at`, a multiple of four.
    pub(super) fn counter(&self, at: usize) -> &AtomicU32 {
        let at = at.min(SIZE - 4) & !3;
        // SAFETY: the four bytes from `at` are within the mapping, which begins at a page and so is aligned for any
        // multiple of four; it lives as long as the reference, which borrows `self`. Counters are never stored to as
        // bytes: `store` is given the places of records only, and the layout keeps them apart.
        unsafe { AtomicU32::from_ptr(self.0.as_mut_ptr().add(at).cast()) }
    }
}
