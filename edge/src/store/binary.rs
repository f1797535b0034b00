//! Numbers and ids in a packed blob, written and read.

use crate::config::MonitorId;

/// Why a blob cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It was written in another layout.
    #[error("a stored tick has layout {0}, which this version does not read")]
    Version(u8),
    /// It ends in the middle, or holds what no version wrote.
    #[error("a stored blob is damaged")]
    Damaged,
}

/// Writes an id: a byte for its length, and the id.
pub(super) fn put_id(out: &mut Vec<u8>, id: &MonitorId) {
    let id = id.as_str().as_bytes();
    out.push(u8::try_from(id.len()).unwrap_or(0));
    out.extend_from_slice(id);
}

/// Writes a whole number, in LEB128: 7 bits a byte, lowest first.
pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// What is left of a blob.
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], PackError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PackError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PackError> {
        Ok(self.take(1)?[0])
    }

    /// The id that [`put_id`] wrote.
    pub(super) fn id(&mut self) -> Result<&'b str, PackError> {
        let length = self.byte()?;
        std::str::from_utf8(self.take(usize::from(length))?).map_err(|_| PackError::Damaged)
    }

    pub(super) fn varint(&mut self) -> Result<u64, PackError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
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
