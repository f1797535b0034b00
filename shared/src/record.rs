//! What is kept for later, as CBOR: a type is the list of its fields, in order.
//!
//! A field that a later version adds stands at the end and is optional: what an earlier version wrote reads as without it, and
//! what a later one wrote reads as far as it is known. The library's own derived readers are four times as large, and the
//! Worker carries these.

use minicbor::decode::{Decode, Decoder, Error};

/// The fields that are left of one value.
#[derive(Debug)]
pub struct Fields(u64);

impl Fields {
    /// The fields of what comes next.
    pub fn begin(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        decoder.array()?.map(Fields).ok_or(Error::message("a record says how many fields it has"))
    }

    /// The next field; nothing where there is none and it may be missing.
    pub fn next<'b, C, T: Decode<'b, C>>(
        &mut self,
        decoder: &mut Decoder<'b>,
        context: &mut C,
    ) -> Result<T, Error> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                T::decode(decoder, context)
            }
            None => T::nil().ok_or(Error::message("a record is too short")),
        }
    }

    /// Passes over fields that a later version wrote.
    pub fn end(self, decoder: &mut Decoder<'_>) -> Result<(), Error> {
        (0..self.0).try_for_each(|_| decoder.skip())
    }
}

/// Types as lists of their fields.
#[macro_export]
macro_rules! record {
    ($($type:ident { $($field:ident),* $(,)? })*) => {$(
        impl<C> minicbor::Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                context: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.array([$(stringify!($field)),*].len() as u64)?;
                $(self.$field.encode(encoder, context)?;)*
                Ok(())
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $type {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                context: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let mut fields = $crate::record::Fields::begin(decoder)?;
                let read = Self { $($field: fields.next(decoder, context)?),* };
                fields.end(decoder)?;
                Ok(read)
            }
        }
    )*};
}

/// Types that are written as another: what they become and what they are made of.
#[macro_export]
macro_rules! record_as {
    ($($type:ident as $other:ty: $to:expr, $from:expr;)*) => {$(
        impl<C> minicbor::Encode<C> for $type {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                context: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                let to: fn(&$type) -> $other = $to;
                to(self).encode(encoder, context)
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $type {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                context: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let from: fn($other) -> Option<$type> = $from;
                from(minicbor::Decode::decode(decoder, context)?)
                    .ok_or(minicbor::decode::Error::message("a record holds what nobody wrote"))
            }
        }
    )*};
}

/// Words of a fixed set, by their place in it; a place is never given to another word.
#[macro_export]
macro_rules! record_word {
    ($($type:ident: $($word:ident)*;)*) => {
        $crate::record_as! {$(
            $type as u8:
                |word| [$($type::$word),*].iter().position(|known| known == word).map_or(u8::MAX, |at| at as u8),
                |at| [$($type::$word),*].get(usize::from(at)).copied();
        )*}
    };
}

#[cfg(test)]
mod tests {
    #[derive(Debug, PartialEq)]
    struct Old {
        one: u32,
        two: String,
    }

    #[derive(Debug, PartialEq)]
    struct New {
        one: u32,
        two: String,
        three: Option<u32>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Word {
        Yes,
        No,
    }

    record! {
        Old { one, two }
        New { one, two, three }
    }
    record_word! { Word: Yes No; }

    #[test]
    fn versions_read_each_other() {
        let (old, new) = (Old { one: 1, two: "x".into() }, New { one: 1, two: "x".into(), three: Some(3) });
        let (told, later) = (minicbor::to_vec(&old).unwrap(), minicbor::to_vec(&new).unwrap());
        assert_eq!(minicbor::decode::<Old>(&told).unwrap(), old);
        assert_eq!(minicbor::decode::<New>(&later).unwrap(), new);
        assert_eq!(minicbor::decode::<New>(&told).unwrap(), New { three: None, ..new });
        assert_eq!(minicbor::decode::<Old>(&later).unwrap(), old);
        assert!(minicbor::decode::<Old>(&minicbor::to_vec([1]).unwrap()).is_err(), "too short");
    }

    #[test]
    fn a_word_is_its_place() {
        for word in [Word::Yes, Word::No] {
            assert_eq!(minicbor::decode::<Word>(&minicbor::to_vec(word).unwrap()).unwrap(), word);
        }
        assert_eq!(minicbor::to_vec(Word::No).unwrap(), [1]);
        assert!(minicbor::decode::<Word>(&[2]).is_err());
    }
}
