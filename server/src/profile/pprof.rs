//! Profiles as `pprof` reads them: `profile.proto` (<https://github.com/google/pprof/blob/main/proto/profile.proto>),
//! not compressed, which its tools take as well.
//!
//! Written by hand: a profile is nested lists of numbers, and the encoding of those is forty lines where a protobuf
//! crate would bring a compiler along. Pure.

use std::collections::HashMap;
use std::hash::Hash;

/// A profile to be.
#[derive(Debug, Default)]
pub(super) struct Profile {
    samples: Message,
    locations: Interned<usize>,
    functions: Interned<(u64, u64)>,
    strings: Strings,
    written_locations: Message,
    written_functions: Message,
}

/// What stands behind one address: the function it is in, and those that were inlined into that, innermost first.
pub(super) type Lines = Vec<Line>;

/// One function at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) function: String,
    pub(super) file: String,
    pub(super) number: u32,
}

/// What is said once of the whole profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heading<'a> {
    /// Names and units of each sample's values.
    pub(super) values: [(&'a str, &'a str); 2],
    /// Mean distance between two samples, in bytes.
    pub(super) period: u64,
    pub(super) time_nanos: u64,
    pub(super) duration_nanos: u64,
    /// The program's file.
    pub(super) program: &'a str,
    pub(super) comment: &'a str,
}

impl Profile {
    /// The number of an address; its lines are asked for once.
    pub(super) fn location(&mut self, address: usize, lines: impl FnOnce() -> Lines) -> u64 {
        let (id, new) = self.locations.id(address);
        if new {
            let mut location = Message::default();
            location.number(1, id).number(2, 1).number(3, address as u64);
            for line in lines() {
                let function = self.function(&line);
                let mut written = Message::default();
                written.number(1, function).number(2, u64::from(line.number));
                location.message(4, &written);
            }
            self.written_locations.message(4, &location);
        }
        id
    }

    fn function(&mut self, line: &Line) -> u64 {
        let key = (self.strings.id(&line.function), self.strings.id(&line.file));
        let (id, new) = self.functions.id(key);
        if new {
            let mut function = Message::default();
            // No system name: where it equals the name, pprof takes that for mangled and cuts the generics out of it.
            function.number(1, id).number(2, key.0).number(4, key.1);
            self.written_functions.message(5, &function);
        }
        id
    }

    /// One stack, innermost address first, with its values and one label.
    pub(super) fn sample(&mut self, locations: &[u64], values: [u64; 2], (key, label): (&str, &str)) {
        let mut written = Message::default();
        written.number(1, self.strings.id(key)).number(2, self.strings.id(label));
        let mut sample = Message::default();
        sample.numbers(1, locations).numbers(2, &values).message(3, &written);
        self.samples.message(2, &sample);
    }

    /// The encoded profile.
    pub(super) fn finish(mut self, heading: &Heading) -> Vec<u8> {
        let mut profile = Message::default();
        for (name, unit) in heading.values {
            profile.message(1, &self.value_type(name, unit));
        }
        let space = self.value_type("space", "bytes");
        let mut mapping = Message::default();
        // Everything is symbolised already, so one mapping for all and no look-up anywhere.
        mapping.number(1, 1).number(3, u64::MAX).number(5, self.strings.id(heading.program));
        for flag in 7..=10 {
            mapping.number(flag, 1);
        }
        let (comment, usual) = (self.strings.id(heading.comment), self.strings.id(heading.values[1].0));
        profile.append(&self.samples).message(3, &mapping);
        profile.append(&self.written_locations).append(&self.written_functions);
        for text in &self.strings.all {
            profile.bytes(6, text.as_bytes());
        }
        profile.number(9, heading.time_nanos).number(10, heading.duration_nanos).message(11, &space);
        profile.number(12, heading.period).numbers(13, &[comment]).number(14, usual);
        profile.0
    }

    fn value_type(&mut self, name: &str, unit: &str) -> Message {
        let mut written = Message::default();
        written.number(1, self.strings.id(name)).number(2, self.strings.id(unit));
        written
    }
}

/// Numbers from 1, in the order in which things come.
#[derive(Debug)]
struct Interned<T>(HashMap<T, u64>);

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned(HashMap::new())
    }
}

impl<T: Eq + Hash> Interned<T> {
    fn id(&mut self, thing: T) -> (u64, bool) {
        let next = self.0.len() as u64 + 1;
        let id = *self.0.entry(thing).or_insert(next);
        (id, id == next)
    }
}

/// The table of strings; the first is empty, as the format wants it.
#[derive(Debug)]
struct Strings {
    all: Vec<String>,
    ids: HashMap<String, u64>,
}

impl Default for Strings {
    fn default() -> Self {
        Strings { all: vec![String::new()], ids: HashMap::from([(String::new(), 0)]) }
    }
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.all.len() as u64;
        self.all.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }
}

/// Fields of a protobuf message, encoded (<https://protobuf.dev/programming-guides/encoding/>).
#[derive(Clone, Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    /// A number; 0 is what a reader takes when there is none.
    fn number(&mut self, field: u32, value: u64) -> &mut Self {
        if value != 0 {
            self.varint(u64::from(field) << 3);
            self.varint(value);
        }
        self
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(&mut self, field: u32, message: &Message) -> &mut Self {
        self.bytes(field, &message.0)
    }

    /// Packed numbers.
    fn numbers(&mut self, field: u32, values: &[u64]) -> &mut Self {
        let mut packed = Message::default();
        for value in values {
            packed.varint(*value);
        }
        self.message(field, &packed)
    }

    fn append(&mut self, fields: &Message) -> &mut Self {
        self.0.extend_from_slice(&fields.0);
        self
    }
}
