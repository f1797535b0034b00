//! The body of a response, decoded: conditions read text in UTF-8.

use web_sys::Response;

use super::fetch_error::{TcpCheck, classify_error, explain_error};
use crate::domain::Failure;
use crate::domain::check::body_encoding::{BodyEncoding, ContentCoding, character_set, content_coding};
use crate::domain::check::decompress::{CompressionFormat, DecompressError, decompress};
use crate::domain::check::outcome::{ProbeError, ResponseBody};
use crate::platform::body::read_body;
use crate::platform::decode::decode_text;

/// Reads a body of at most `limit` bytes, before and after it is decompressed. With `is_text` it is also decoded from its character set,
/// which makes it at most twice as long.
pub(super) async fn read_decoded(
    response: &Response,
    limit: usize,
    is_text: bool,
) -> Result<ResponseBody, ProbeError> {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let bytes = match read_body(response, limit).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(ResponseBody::Unusable(Failure::BodyTooLarge)),
        Err(error) => return Err(explain_error(classify_error(&error.to_string()), TcpCheck::Skipped)),
    };
    let coding = content_coding(header("content-encoding").as_deref(), &bytes);
    let (format, encoding) = match coding {
        ContentCoding::Identity => {
            return Ok(decode_characters(header("content-type").as_deref(), bytes, is_text));
        }
        ContentCoding::Unknown(encoding) => return Ok(undecodable(encoding)),
        ContentCoding::Gzip => (CompressionFormat::Gzip, BodyEncoding::Gzip),
        ContentCoding::Zlib => (CompressionFormat::Zlib, BodyEncoding::Deflate),
        ContentCoding::RawDeflate => (CompressionFormat::RawDeflate, BodyEncoding::Deflate),
    };
    Ok(match decompress(&bytes, format, limit) {
        Ok(bytes) => decode_characters(header("content-type").as_deref(), bytes, is_text),
        Err(DecompressError::TooLong) => ResponseBody::Unusable(Failure::BodyTooLarge),
        Err(DecompressError::Damaged) => undecodable(encoding),
    })
}

fn undecodable(encoding: BodyEncoding) -> ResponseBody {
    ResponseBody::Unusable(Failure::Undecodable(encoding))
}

/// Decodes a text from its character set.
fn decode_characters(content_type: Option<&str>, bytes: Vec<u8>, is_text: bool) -> ResponseBody {
    let labels = if is_text { character_set(content_type, &bytes) } else { Vec::new() };
    if labels.is_empty() || bytes.is_empty() {
        return ResponseBody::Whole(bytes);
    }
    let text = labels.iter().find_map(|label| decode_text(&bytes, label));
    text.map_or_else(|| undecodable(BodyEncoding::Charset), |text| ResponseBody::Whole(text.into_bytes()))
}
