//! The headers by which a client says what it prefers: `Accept`, `Accept-Language` and `Accept-Encoding` (RFC 9110, section 12). Pure.

/// The most entries of a header that are read.
const MAX_ENTRIES: usize = 32;

/// Returns the values of a header in their order, each with its weight in thousandths: 1000 without one, and 0 for a value that is not
/// acceptable (`;q=0`) or whose weight is invalid.
pub fn weighted_values(header: &str) -> impl Iterator<Item = (&str, u16)> {
    header.split(',').take(MAX_ENTRIES).filter_map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let value = parts.next().filter(|value| !value.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((value, weight.map_or(1000, parse_weight)))
    })
}

/// Returns the weight of a value that the header names; `None` if it does not name it. Names are not case-sensitive.
pub fn weight_of(header: &str, wanted: &str) -> Option<u16> {
    weighted_values(header).find(|(value, _)| value.eq_ignore_ascii_case(wanted)).map(|(_, weight)| weight)
}

/// Parses a weight: `0` to `1` with at most three decimal places. An invalid one is 0.
fn parse_weight(text: &str) -> u16 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_valid = decimals.len() <= 3 && decimals.bytes().all(|b| b.is_ascii_digit());
    let thousandths = format!("{decimals:0<3}").parse().unwrap_or(0);
    match whole {
        "0" if is_valid => thousandths,
        "1" if is_valid && thousandths == 0 => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_weights() {
        let cases: [(&str, &[(&str, u16)]); 7] = [
            ("", &[]),
            ("gzip", &[("gzip", 1000)]),
            ("gzip;q=0, br ; q=0.5,*", &[("gzip", 0), ("br", 500), ("*", 1000)]),
            ("a/b;version=1.0;q=0.25;x=y", &[("a/b", 250)]),
            ("de;q=1.000, en;q=0.001", &[("de", 1000), ("en", 1)]),
            (
                "a;q=, b;q=x, c;q=1.5, d;q=0.1234, e;q=-1, f;Q=0.1",
                &[("a", 0), ("b", 0), ("c", 0), ("d", 0), ("e", 0), ("f", 100)],
            ),
            (";;;,;q=1, ,x", &[("x", 1000)]),
        ];
        for (header, expected) in cases {
            assert_eq!(weighted_values(header).collect::<Vec<_>>(), expected, "{header}");
        }
        assert_eq!(weighted_values(&"x,".repeat(1000)).count(), MAX_ENTRIES);
        assert_eq!((weight_of("GZIP;q=0", "gzip"), weight_of("br", "gzip")), (Some(0), None));
    }
}
