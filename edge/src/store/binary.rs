//! Writing and reading numbers and ids in a blob.

use crate::monitor_config::MonitorId;

/// A blob that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The blob has a layout that this version does not know.
    #[error("a stored tick has the unknown layout {0}")]
    Version(u8),
    /// The blob is cut off, or has bytes that no version wrote.
    #[error("a stored blob is damaged")]
    Damaged,
}

/// Writes an id: one byte for its length, then the id.
pub(super) fn write_id(out: &mut Vec<u8>, id: &MonitorId) {
    let id = id.as_str().as_bytes();
    out.push(u8::try_from(id.len()).unwrap_or(0));
    out.extend_from_slice(id);
}

/// Writes a whole number in LEB128: 7 bits per byte, lowest first.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Reads a blob from its beginning; the rest is in the field.
pub(super) struct BlobReader<'b>(pub(super) &'b [u8]);

impl<'b> BlobReader<'b> {
    pub(super) fn read_bytes(&mut self, count: usize) -> Result<&'b [u8], PackError> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(PackError::Damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn read_byte(&mut self) -> Result<u8, PackError> {
        Ok(self.read_bytes(1)?[0])
    }

    /// The id that [`write_id`] wrote.
    pub(super) fn read_id(&mut self) -> Result<&'b str, PackError> {
        let length = self.read_byte()?;
        std::str::from_utf8(self.read_bytes(usize::from(length))?).map_err(|_| PackError::Damaged)
    }

    pub(super) fn read_varint(&mut self) -> Result<u64, PackError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.read_byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(PackError::Damaged);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PackError::Damaged)
    }
}
