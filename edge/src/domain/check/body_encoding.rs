//! How the bytes of a body become text: by the content coding, then by the character set.
//!
//! The platform decodes `gzip` and `br`. Whether it decoded another coding is seen from the first bytes, as a proxy between it and the
//! target may have done so and left the header.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The longest name of a character set that is read.
const MAX_LABEL: usize = 40;

/// An encoding that the edge cannot decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
#[cbor(index_only)]
pub enum BodyEncoding {
    /// `gzip` or `x-gzip`, damaged.
    #[n(0)]
    Gzip,
    /// `deflate`, damaged.
    #[n(1)]
    Deflate,
    /// `zstd`.
    #[n(2)]
    Zstd,
    /// `compress`.
    #[n(3)]
    Compress,
    /// Another content coding, or several of them.
    #[n(4)]
    Other,
    /// A character set.
    #[n(5)]
    Charset,
}

impl BodyEncoding {
    const ALL: [BodyEncoding; 6] = [
        BodyEncoding::Gzip,
        BodyEncoding::Deflate,
        BodyEncoding::Zstd,
        BodyEncoding::Compress,
        BodyEncoding::Other,
        BodyEncoding::Charset,
    ];

    /// The name in HTTP, if it is one content coding.
    pub const fn as_str(self) -> &'static str {
        match self {
            BodyEncoding::Gzip => "gzip",
            BodyEncoding::Deflate => "deflate",
            BodyEncoding::Zstd => "zstd",
            BodyEncoding::Compress => "compress",
            BodyEncoding::Other => "other",
            BodyEncoding::Charset => "charset",
        }
    }

    /// The number that stands for it in a packed tick.
    pub fn number(self) -> u64 {
        Self::ALL.iter().position(|it| *it == self).map_or(0, |index| index as u64)
    }

    /// Returns the encoding of a number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// What is to be done with the bytes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// They are decoded already.
    Identity,
    /// They are in the format of `gzip`.
    Gzip,
    /// They are in the format of `zlib`, as RFC 9110 defines `deflate`.
    Zlib,
    /// They are `deflate` without a header, as some servers send it.
    RawDeflate,
    /// They cannot be decoded.
    Unknown(BodyEncoding),
}

/// Returns the content coding of a body by the header `Content-Encoding` and the first bytes.
pub fn content_coding(header: Option<&str>, body: &[u8]) -> ContentCoding {
    let header = header.unwrap_or_default().trim();
    let lower = header.to_ascii_lowercase();
    match (lower.as_str(), body) {
        // The platform knows these two names in lower case only.
        _ if matches!(header, "gzip" | "br") => ContentCoding::Identity,
        ("gzip" | "x-gzip", [0x1f, 0x8b, ..]) => ContentCoding::Gzip,
        ("" | "identity" | "gzip" | "x-gzip", _) | (_, []) => ContentCoding::Identity,
        ("deflate", [first, second, ..]) if is_zlib_header(*first, *second) => ContentCoding::Zlib,
        ("deflate", _) => ContentCoding::RawDeflate,
        ("zstd", [0x28, 0xb5, 0x2f, 0xfd, ..]) => ContentCoding::Unknown(BodyEncoding::Zstd),
        ("zstd", _) => ContentCoding::Identity,
        ("compress" | "x-compress", _) => ContentCoding::Unknown(BodyEncoding::Compress),
        _ => ContentCoding::Unknown(BodyEncoding::Other),
    }
}

/// Whether two bytes are the header of zlib with the method deflate (RFC 1950, 2.2).
fn is_zlib_header(first: u8, second: u8) -> bool {
    first & 0x0f == 8 && (u16::from(first) << 8 | u16::from(second)).is_multiple_of(31)
}

/// Returns the names under which the platform may know the character set of a body, in the order in which they are tried; none if the body
/// is UTF-8. A byte order mark precedes the header, as in the Encoding standard.
pub fn character_set(content_type: Option<&str>, body: &[u8]) -> Vec<String> {
    match body {
        [0xef, 0xbb, 0xbf, ..] => return Vec::new(),
        [0xff, 0xfe, ..] => return vec!["utf-16le".to_owned()],
        [0xfe, 0xff, ..] => return vec!["utf-16be".to_owned()],
        _ => {}
    }
    let label = content_type.and_then(charset_parameter).unwrap_or_default();
    // `latin-1` and `utf_8` are common, but are not among the names of the Encoding standard.
    let plain = label.replace(['-', '_'], "");
    if label.is_empty() || matches!(plain.as_str(), "utf8" | "usascii" | "ascii") {
        return Vec::new();
    }
    if plain == label { vec![label] } else { vec![label, plain] }
}

/// Returns the parameter `charset` of a media type in lower case (RFC 9110, 8.3.2).
fn charset_parameter(content_type: &str) -> Option<String> {
    let value = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    })?;
    let label = value.trim().trim_matches(['"', '\'']).trim();
    (label.len() <= MAX_LABEL).then(|| label.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_known_by_the_header_and_the_first_bytes() {
        use ContentCoding::{Gzip, Identity, RawDeflate, Unknown, Zlib};
        let (gzip, zlib, zstd): (&[u8], &[u8], &[u8]) =
            (b"\x1f\x8b\x08", b"\x78\x9c\xab", b"\x28\xb5\x2f\xfd");
        let cases: [(Option<&str>, &[u8], ContentCoding); 18] = [
            (None, b"{}", Identity),
            (Some("identity"), b"{}", Identity),
            (Some("gzip"), b"{}", Identity),
            (Some("br"), b"{}", Identity),
            (Some("x-gzip"), gzip, Gzip),
            (Some("GZIP"), gzip, Gzip),
            (Some("x-gzip"), b"{}", Identity),
            (Some("deflate"), zlib, Zlib),
            (Some(" Deflate "), zlib, Zlib),
            (Some("deflate"), b"\xab\x56", RawDeflate),
            (Some("deflate"), b"", Identity),
            (Some("zstd"), zstd, Unknown(BodyEncoding::Zstd)),
            (Some("zstd"), b"{}", Identity),
            (Some("compress"), b"\x1f\x9d", Unknown(BodyEncoding::Compress)),
            (Some("x-compress"), b"\x1f\x9d", Unknown(BodyEncoding::Compress)),
            (Some("gzip, br"), b"\x8b", Unknown(BodyEncoding::Other)),
            (Some("aes128gcm"), b"\x01", Unknown(BodyEncoding::Other)),
            (Some("BR"), b"\x01", Unknown(BodyEncoding::Other)),
        ];
        for (header, body, coding) in cases {
            assert_eq!(content_coding(header, body), coding, "{header:?} {body:?}");
        }
    }

    #[test]
    fn a_character_set_is_that_of_the_byte_order_mark_or_the_header() {
        let cases: [(Option<&str>, &[u8], &[&str]); 17] = [
            (None, b"{}", &[]),
            (Some("application/json"), b"{}", &[]),
            (Some("text/html; charset=utf-8"), b"", &[]),
            (Some("text/html; charset=UTF8"), b"", &[]),
            (Some("text/html; charset=utf_8"), b"", &[]),
            (Some("text/html; charset=US-ASCII"), b"", &[]),
            (Some("text/html; charset=gbk"), b"", &["gbk"]),
            (Some("text/html;charset=\"GB2312\""), b"", &["gb2312"]),
            (Some("text/html; Charset = latin-1"), b"", &["latin-1", "latin1"]),
            (Some("text/html; boundary=x; charset=ISO-8859-1"), b"", &["iso-8859-1", "iso88591"]),
            (Some("application/json; charset=utf-16"), b"{\0", &["utf-16", "utf16"]),
            (Some("application/json; charset=utf-16"), b"\xfe\xff\0{", &["utf-16be"]),
            (Some("application/json"), b"\xff\xfe{\0", &["utf-16le"]),
            (Some("text/plain; charset=gbk"), b"\xef\xbb\xbfok", &[]),
            (Some("text/plain; charset="), b"", &[]),
            (Some("text/plain; charset"), b"", &[]),
            (Some("charset=gbk"), b"", &[]),
        ];
        for (content_type, body, labels) in cases {
            assert_eq!(character_set(content_type, body), labels, "{content_type:?} {body:?}");
        }
        let long = format!("text/plain; charset={}", "x".repeat(MAX_LABEL + 1));
        assert_eq!(character_set(Some(&long), b""), Vec::<String>::new());
    }

    #[test]
    fn every_encoding_has_a_number() {
        for encoding in BodyEncoding::ALL {
            assert_eq!(BodyEncoding::from_number(encoding.number()), Some(encoding));
        }
        assert_eq!(BodyEncoding::from_number(6), None);
    }
}
