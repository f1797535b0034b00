//! Writes and reads bits, most significant first, and LEB128 varints.

use super::SeriesError;

#[derive(Default)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    /// Bits not yet written out, in the low `filled` bits.
    pending: u64,
    filled: u32,
}

impl BitWriter {
    /// Appends the low `width` bits of `value`; `width` is at most 32.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        debug_assert!(width <= 32);
        self.pending = (self.pending << width) | (value & ((1 << width) - 1));
        self.filled += width;
        while self.filled >= 8 {
            self.filled -= 8;
            self.out.push(low_byte(self.pending >> self.filled));
        }
    }

    /// Appends all 64 bits of `value`.
    pub(super) fn put_word(&mut self, value: u64) {
        self.put(value >> 32, 32);
        self.put(value & 0xffff_ffff, 32);
    }

    /// Returns the bytes; the last one is padded with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.put(0, 8 - self.filled);
        }
        self.out
    }
}

pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position in bits.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    /// Reads `width` bits as a number; `width` is at most 32.
    pub(super) fn take(&mut self, width: u32) -> Result<u64, SeriesError> {
        let end = self.at + width as usize;
        if end > self.bytes.len() * 8 {
            return Err(SeriesError::Truncated);
        }
        let (first, last) = (self.at / 8, end.div_ceil(8));
        let word = self.bytes[first..last].iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        self.at = end;
        Ok((word >> (last * 8 - end)) & ((1 << width) - 1))
    }

    /// Reads 64 bits.
    pub(super) fn take_word(&mut self) -> Result<u64, SeriesError> {
        Ok((self.take(32)? << 32) | self.take(32)?)
    }

    /// Reads up to `most` ones, and the zero behind them if there are fewer. Returns the number of ones.
    pub(super) fn take_unary(&mut self, most: u32) -> Result<u32, SeriesError> {
        for ones in 0..most {
            if self.take(1)? == 0 {
                return Ok(ones);
            }
        }
        Ok(most)
    }

    /// Returns the whole bytes after the current one.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at.div_ceil(8)..]
    }
}

/// Returns the low eight bits.
const fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Appends `value` in LEB128: seven bits a byte, low ones first.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Reads a LEB128 number from the front of `bytes`, and removes it.
pub(super) fn read_varint(bytes: &mut &[u8]) -> Result<u64, SeriesError> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(SeriesError::Truncated)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return Err(SeriesError::Damaged);
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(SeriesError::Damaged)
}
