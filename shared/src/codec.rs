//! What is kept for later, as CBOR: a type is the list of its fields, in order.
//!
//! A field that a later version adds stands at the end and is optional: what an earlier version wrote reads as without it, and
//! what a later one wrote reads as far as it is known. `minicbor` reads and writes the values; its own derived readers carry
//! an error through every field and were a twelfth of the Worker, and all that anybody wants to know is whether a record can be
//! read.

use std::collections::VecDeque;
use std::time::Duration;

use minicbor::{Decoder, Encoder};

/// A type that can be kept.
pub trait Record: Sized {
    /// Writes it.
    fn put(&self, to: &mut Writer);

    /// Reads it; `None` where something else was written.
    fn take(from: &mut Reader<'_>) -> Option<Self>;

    /// What stands for it where an earlier version wrote nothing; `None` where it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// The bytes of a record.
pub fn write(record: &impl Record) -> Vec<u8> {
    written(|to| record.put(to))
}

/// The bytes of what `put` writes.
pub fn written(put: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut to = Writer(Encoder::new(Vec::new()));
    put(&mut to);
    to.0.into_writer()
}

/// The record in these bytes; `None` where they hold none.
pub fn read<T: Record>(bytes: &[u8]) -> Option<T> {
    T::take(&mut Reader(Decoder::new(bytes)))
}

/// Most lists in lists that are passed over.
const DEEPEST: u8 = 16;

/// Where a record is written.
#[derive(Debug)]
pub struct Writer(Encoder<Vec<u8>>);

/// Where a record is read.
#[derive(Debug)]
pub struct Reader<'b>(Decoder<'b>);

// Writing to a Vec cannot fail.
impl Writer {
    /// A whole number that is not negative.
    pub fn number(&mut self, number: u64) {
        let _ = self.0.u64(number);
    }

    /// The beginning of a list of so many.
    pub fn list(&mut self, length: usize) {
        let _ = self.0.array(length as u64);
    }
}

impl Reader<'_> {
    /// A whole number that is not negative.
    pub fn number(&mut self) -> Option<u64> {
        self.0.u64().ok()
    }

    /// How many items follow.
    pub fn list(&mut self) -> Option<u64> {
        self.0.array().ok()?
    }

    /// The next field of those that are `left`; nothing where there is none and it may be missing.
    pub fn field<T: Record>(&mut self, left: &mut u64) -> Option<T> {
        match left.checked_sub(1) {
            Some(fewer) => {
                *left = fewer;
                T::take(self)
            }
            None => T::absent(),
        }
    }

    /// Passes over fields that a later version wrote.
    pub fn rest(&mut self, left: u64) -> Option<()> {
        self.skip(left, DEEPEST)
    }

    /// Passes over values: `minicbor` can pass over all of CBOR, which is 1 kB of wasm, and records are made of these.
    fn skip(&mut self, values: u64, deep: u8) -> Option<()> {
        use minicbor::data::Type;
        (0..values).try_for_each(|_| match self.0.datatype().ok()? {
            Type::Array => {
                let items = self.list()?;
                self.skip(items, deep.checked_sub(1)?)
            }
            Type::String => self.0.str().ok().map(drop),
            Type::Bool => self.0.bool().ok().map(drop),
            Type::Null => self.0.null().ok(),
            Type::F64 => self.0.f64().ok().map(drop),
            _ => self.0.int().ok().map(drop),
        })
    }

    fn items<T: Record>(&mut self, mut each: impl FnMut(T)) -> Option<()> {
        // As many as there are bytes for; a length that lies ends at the end.
        let length = self.list()?;
        (0..length).try_for_each(|_| T::take(self).map(&mut each))
    }
}

macro_rules! numbers {
    ($($type:ty)*) => {$(
        impl Record for $type {
            fn put(&self, to: &mut Writer) {
                to.number((*self).try_into().unwrap_or(u64::MAX));
            }

            fn take(from: &mut Reader<'_>) -> Option<Self> {
                from.number()?.try_into().ok()
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 usize);

impl Record for i64 {
    fn put(&self, to: &mut Writer) {
        let _ = to.0.i64(*self);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        from.0.int().ok()?.try_into().ok()
    }
}

impl Record for f64 {
    fn put(&self, to: &mut Writer) {
        let _ = to.0.f64(*self);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        from.0.f64().ok()
    }
}

impl Record for bool {
    fn put(&self, to: &mut Writer) {
        let _ = to.0.bool(*self);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        from.0.bool().ok()
    }
}

impl Record for String {
    fn put(&self, to: &mut Writer) {
        let _ = to.0.str(self);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        from.0.str().ok().map(str::to_owned)
    }
}

/// Whole milliseconds.
impl Record for Duration {
    fn put(&self, to: &mut Writer) {
        to.number(u64::try_from(self.as_millis()).unwrap_or(u64::MAX));
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        from.number().map(Duration::from_millis)
    }
}

impl<T: Record> Record for Option<T> {
    fn put(&self, to: &mut Writer) {
        match self {
            Some(value) => value.put(to),
            None => {
                let _ = to.0.null();
            }
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        if from.0.datatype().ok()? == minicbor::data::Type::Null {
            return from.0.null().ok().map(|()| None);
        }
        T::take(from).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Record> Record for Vec<T> {
    fn put(&self, to: &mut Writer) {
        to.list(self.len());
        for item in self {
            item.put(to);
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        let mut items = Vec::new();
        from.items(|item| items.push(item))?;
        Some(items)
    }
}

impl<T: Record> Record for VecDeque<T> {
    fn put(&self, to: &mut Writer) {
        to.list(self.len());
        for item in self {
            item.put(to);
        }
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        Vec::take(from).map(VecDeque::from)
    }
}

impl<A: Record, B: Record> Record for (A, B) {
    fn put(&self, to: &mut Writer) {
        to.list(2);
        self.0.put(to);
        self.1.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        (from.list()? == 2).then_some(())?;
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<A: Record, B: Record, C: Record> Record for (A, B, C) {
    fn put(&self, to: &mut Writer) {
        to.list(3);
        self.0.put(to);
        self.1.put(to);
        self.2.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Option<Self> {
        (from.list()? == 3).then_some(())?;
        Some((A::take(from)?, B::take(from)?, C::take(from)?))
    }
}

/// Types as lists of their fields.
#[macro_export]
macro_rules! record {
    ($($type:ident { $($field:ident),* $(,)? })*) => {$(
        impl $crate::codec::Record for $type {
            fn put(&self, to: &mut $crate::codec::Writer) {
                to.list([$(stringify!($field)),*].len());
                $($crate::codec::Record::put(&self.$field, to);)*
            }

            fn take(from: &mut $crate::codec::Reader<'_>) -> Option<Self> {
                let mut left = from.list()?;
                let read = Self { $($field: from.field(&mut left)?),* };
                from.rest(left)?;
                Some(read)
            }
        }
    )*};
}

/// Types that are written as another: what they become and what they are made of.
#[macro_export]
macro_rules! record_as {
    ($($type:ident as $other:ty: $to:expr, $from:expr;)*) => {$(
        impl $crate::codec::Record for $type {
            fn put(&self, to: &mut $crate::codec::Writer) {
                let become_other: fn(&$type) -> $other = $to;
                $crate::codec::Record::put(&become_other(self), to);
            }

            fn take(from: &mut $crate::codec::Reader<'_>) -> Option<Self> {
                let made_of: fn($other) -> Option<$type> = $from;
                made_of($crate::codec::Record::take(from)?)
            }
        }
    )*};
}

/// Words of a fixed set, by their place in it; a place is never given to another word.
#[macro_export]
macro_rules! record_word {
    ($($type:ident: $($word:ident)*;)*) => {
        $crate::record_as! {$(
            $type as usize:
                |word| [$($type::$word),*].iter().position(|known| known == word).unwrap_or(usize::MAX),
                |at| [$($type::$word),*].get(at).copied();
        )*}
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        let (told, later) = (write(&old), write(&new));
        assert_eq!(read::<Old>(&told).unwrap(), old);
        assert_eq!(read::<New>(&later).unwrap(), new);
        assert_eq!(read::<New>(&told), Some(New { three: None, ..new }));
        assert_eq!(read::<Old>(&later).unwrap(), old);
        assert_eq!(read::<Old>(&write(&vec![1_u64])), None, "too short");
    }

    #[test]
    fn a_word_is_its_place() {
        for word in [Word::Yes, Word::No] {
            assert_eq!(read::<Word>(&write(&word)), Some(word));
        }
        assert_eq!(write(&Word::No), [1]);
        assert_eq!(read::<Word>(&[2]), None);
    }

    #[test]
    fn a_list_that_lies_about_its_length_is_none() {
        // An array of 2^63 items, and two of them.
        let lie = [0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2];
        assert_eq!(read::<Vec<u64>>(&lie), None);
    }

    type Everything = (Option<String>, (i64, bool, f64), Vec<Option<u16>>);

    proptest! {
        #[test]
        fn what_is_written_is_read(all: Everything, cut: prop::sample::Index) {
            let bytes = write(&all);
            let whole = read::<Everything>(&bytes);
            prop_assert!(whole == Some(all.clone()) || all.1.2.is_nan());
            prop_assert_eq!(read::<Everything>(&bytes[..cut.index(bytes.len())]), None);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = read::<Everything>(&bytes);
        }
    }
}
