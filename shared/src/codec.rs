//! Stored records as CBOR (RFC 8949), by the derives of `minicbor`.
//!
//! A struct is an array of its fields, an enum without data an index. A field that a later version adds takes the next number and is an
//! `Option` (or `#[cbor(default)]`): earlier records are decoded without it, and earlier versions skip it.
//!
//! Damaged or hostile bytes cost no more than their own length. A list grows by its items and not by its claimed length, no record type
//! contains itself, so that the types bound the nesting, and unknown values are skipped iteratively. Tests check both.

use minicbor::{Decode, Encode};

/// The bytes are not the expected record.
pub type DecodeError = minicbor::decode::Error;

/// Encodes a record.
pub fn encode(record: &impl Encode<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail, and no `Encode` here refuses a value.
    let _ = minicbor::encode(record, &mut bytes);
    bytes
}

/// Decodes a record.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    minicbor::decode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Old {
        #[n(0)]
        one: u32,
        #[n(1)]
        two: String,
    }

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct New {
        #[n(0)]
        one: u32,
        #[n(1)]
        two: String,
        #[n(2)]
        three: Option<u32>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
    #[cbor(index_only)]
    enum Flag {
        #[n(0)]
        Yes,
        #[n(1)]
        No,
    }

    #[test]
    fn earlier_and_later_versions_decode_each_other() {
        let (old, new) = (Old { one: 1, two: "x".into() }, New { one: 1, two: "x".into(), three: Some(3) });
        let (earlier, later) = (encode(&old), encode(&new));
        assert_eq!(decode::<Old>(&earlier).unwrap(), old);
        assert_eq!(decode::<New>(&later).unwrap(), new);
        assert_eq!(decode::<New>(&earlier).unwrap(), New { three: None, ..new });
        assert_eq!(decode::<Old>(&later).unwrap(), old);
        assert!(decode::<Old>(&encode(&vec![1_u64])).is_err(), "too short");
    }

    #[test]
    fn an_enum_without_data_is_its_index() {
        for flag in [Flag::Yes, Flag::No] {
            assert_eq!(decode::<Flag>(&encode(&flag)).unwrap(), flag);
        }
        assert_eq!(encode(&Flag::No), [1]);
        assert!(decode::<Flag>(&[2]).is_err());
    }

    #[test]
    fn a_list_with_an_oversized_length_is_rejected() {
        // An array of 2^63 items, and two of them.
        let oversized = [0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2];
        assert!(decode::<Vec<u64>>(&oversized).is_err());
    }

    #[test]
    fn a_deeply_nested_unknown_field_is_skipped_without_recursion() {
        // [1, "x", [[[...]]]]
        let mut bytes = vec![0x83, 1, 0x61, b'x'];
        bytes.extend(std::iter::repeat_n(0x81, 1_000_000));
        bytes.push(0);
        assert_eq!(decode::<Old>(&bytes).unwrap(), Old { one: 1, two: "x".into() });
    }

    type Everything = (Option<String>, (i64, bool, f64), Vec<Option<u16>>);

    proptest! {
        #[test]
        fn an_encoded_record_decodes_to_itself(all: Everything, cut: prop::sample::Index) {
            let bytes = encode(&all);
            let whole = decode::<Everything>(&bytes);
            prop_assert!(whole.unwrap() == all || all.1.2.is_nan());
            prop_assert!(decode::<Everything>(&bytes[..cut.index(bytes.len())]).is_err());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            let _ = decode::<Everything>(&bytes);
        }
    }
}
