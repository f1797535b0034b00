//! Decompresses a body within a bound on its length.
//!
//! The platform's `DecompressionStream` decompresses all that is written to it before anything is read: 300 kB of a hostile host became 300 MB,
//! whatever was read of them, and an isolate has 128 MB.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit, decompress_to_vec_zlib_with_limit};

/// A format of compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionFormat {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
    /// RFC 1951.
    RawDeflate,
}

/// Why bytes were not decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecompressError {
    /// There are more than the limit.
    TooLong,
    /// They are damaged.
    Damaged,
}

/// Decompresses bytes to at most `limit` bytes.
pub fn decompress(bytes: &[u8], format: CompressionFormat, limit: usize) -> Result<Vec<u8>, DecompressError> {
    let decompressed = match format {
        CompressionFormat::Gzip => {
            let deflated = after_gzip_header(bytes).ok_or(DecompressError::Damaged)?;
            decompress_to_vec_with_limit(deflated, limit)
        }
        CompressionFormat::Zlib => decompress_to_vec_zlib_with_limit(bytes, limit),
        CompressionFormat::RawDeflate => decompress_to_vec_with_limit(bytes, limit),
    };
    decompressed.map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => DecompressError::TooLong,
        _ => DecompressError::Damaged,
    })
}

/// Returns what follows the header of the first member (RFC 1952, 2.3).
fn after_gzip_header(bytes: &[u8]) -> Option<&[u8]> {
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let (header, mut rest) = bytes.split_at_checked(10)?;
    let [0x1f, 0x8b, 8, flags, ..] = *header else { return None };
    if flags & EXTRA != 0 {
        let ([low, high], extra) = rest.split_first_chunk()?;
        rest = extra.get(usize::from(u16::from_le_bytes([*low, *high]))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            rest = rest.split_at(rest.iter().position(|byte| *byte == 0)? + 1).1;
        }
    }
    if flags & CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

    use super::*;

    fn gzip(flags: u8, fields: &[u8], deflated: &[u8]) -> Vec<u8> {
        let checksum_and_length = [0; 8];
        [&[0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3], fields, deflated, &checksum_and_length].concat()
    }

    #[test]
    fn every_format_is_decompressed() {
        let (text, raw) = (b"operational", compress_to_vec(b"operational", 9));
        let all_fields = b"\x03\0abcname\0comment\0\x01\x02";
        for (format, bytes) in [
            (CompressionFormat::RawDeflate, raw.clone()),
            (CompressionFormat::Zlib, compress_to_vec_zlib(text, 9)),
            (CompressionFormat::Gzip, gzip(0, b"", &raw)),
            (CompressionFormat::Gzip, gzip(2 | 4 | 8 | 16, all_fields, &raw)),
        ] {
            assert_eq!(decompress(&bytes, format, 11).as_deref(), Ok(&text[..]), "{format:?}");
            assert_eq!(decompress(&bytes, format, 10), Err(DecompressError::TooLong), "{format:?}");
        }
    }

    #[test]
    fn what_is_damaged_is_no_text() {
        let raw = compress_to_vec(b"operational", 9);
        for bytes in [
            &b""[..],
            b"\x1f\x8b",
            &gzip(4, b"\xff\xff", &[]),
            &gzip(8, b"", &[1; 9])[..12],
            &gzip(0, b"", &raw)[..14],
            b"\x1f\x8b\x07\0\0\0\0\0\0\0",
        ] {
            assert_eq!(
                decompress(bytes, CompressionFormat::Gzip, 99),
                Err(DecompressError::Damaged),
                "{bytes:?}"
            );
        }
        assert_eq!(decompress(&[0xff; 9], CompressionFormat::RawDeflate, 99), Err(DecompressError::Damaged));
    }

    #[test]
    fn a_bomb_costs_what_may_be_read_of_it() {
        let bomb = compress_to_vec(&vec![0; 64 << 20], 6);
        assert!(bomb.len() < 256 << 10, "{}", bomb.len());
        assert_eq!(
            decompress(&bomb, CompressionFormat::RawDeflate, 256 << 10),
            Err(DecompressError::TooLong)
        );
    }
}
