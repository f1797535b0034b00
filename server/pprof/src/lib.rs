//! A profile in the format of `pprof`: `profile.proto`
//! (<https://github.com/google/pprof/blob/main/proto/profile.proto>), not compressed, which its tools read as well.
//!
//! The messages are `prost` structs with the field names and numbers of the schema; fields that heapbeat never sets are left
//! out. [`ProfileBuilder`] numbers addresses, functions and texts, as the format refers to all of them by number.

use std::collections::HashMap;
use std::hash::Hash;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    str: i64,
}

#[derive(Clone, PartialEq, Message)]
#[expect(clippy::struct_excessive_bools, reason = "the schema has them")]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "3")]
    memory_limit: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
    #[prost(bool, tag = "8")]
    has_filenames: bool,
    #[prost(bool, tag = "9")]
    has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

/// A function; without a system name, as pprof takes one that equals the name for mangled and cuts the generics out of it.
#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// One function at one place of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLine {
    /// Name of the function.
    pub function: String,
    /// Path of the file.
    pub file: String,
    /// Number of the line, from 1; 0 if unknown.
    pub number: u32,
}

/// The properties of a whole profile.
#[derive(Clone, Copy, Debug)]
pub struct ProfileHeader<'a> {
    /// Names and units of each sample's values.
    pub values: [(&'a str, &'a str); 2],
    /// Mean distance between two samples, in bytes.
    pub period: u64,
    /// Wall time in nanoseconds since 1970.
    pub time_nanos: u64,
    /// Length of the window in nanoseconds.
    pub duration_nanos: u64,
    /// Path of the program's file.
    pub program: &'a str,
    /// A remark that pprof's tools show.
    pub comment: &'a str,
}

/// The only mapping: all addresses are symbolized already, so no tool needs to resolve any.
const MAPPING: u64 = 1;

/// Builds a profile sample by sample.
#[derive(Debug, Default)]
pub struct ProfileBuilder {
    profile: Profile,
    locations: Numbering<usize>,
    functions: Numbering<(i64, i64)>,
    strings: Numbering<String>,
}

impl ProfileBuilder {
    /// Returns the number of an address. `lines` is asked once for the function at the address and those inlined into it,
    /// innermost first.
    pub fn location(&mut self, address: usize, lines: impl FnOnce() -> Vec<SourceLine>) -> u64 {
        let (id, is_new) = self.locations.number(address);
        if is_new {
            let line = lines()
                .into_iter()
                .map(|line| Line { line: line.number.into(), function_id: self.function(&line) })
                .collect();
            let location = Location { id, mapping_id: MAPPING, address: address as u64, line };
            self.profile.location.push(location);
        }
        id
    }

    fn function(&mut self, line: &SourceLine) -> u64 {
        let (name, filename) = (self.string(&line.function), self.string(&line.file));
        let (id, is_new) = self.functions.number((name, filename));
        if is_new {
            self.profile.function.push(Function { id, name, filename });
        }
        id
    }

    /// Adds a stack, innermost address first, with its values and one label.
    pub fn add_sample(&mut self, locations: Vec<u64>, values: [u64; 2], label: (&str, &str)) {
        let label = Label { key: self.string(label.0), str: self.string(label.1) };
        let value = values.map(signed).to_vec();
        self.profile.sample.push(Sample { location_id: locations, value, label: vec![label] });
    }

    /// Encodes the profile.
    pub fn encode(mut self, header: &ProfileHeader) -> Vec<u8> {
        self.profile.sample_type = header.values.map(|(name, unit)| self.value_type(name, unit)).to_vec();
        self.profile.mapping = vec![Mapping {
            id: MAPPING,
            memory_limit: u64::MAX,
            filename: self.string(header.program),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
        }];
        self.profile.time_nanos = signed(header.time_nanos);
        self.profile.duration_nanos = signed(header.duration_nanos);
        self.profile.period_type = Some(self.value_type("space", "bytes"));
        self.profile.period = signed(header.period);
        self.profile.comment = vec![self.string(header.comment)];
        self.profile.default_sample_type = self.string(header.values[1].0);
        self.profile.encode_to_vec()
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType { r#type: self.string(name), unit: self.string(unit) }
    }

    /// Returns the number of a text in the string table, whose first entry is empty.
    fn string(&mut self, text: &str) -> i64 {
        if self.profile.string_table.is_empty() {
            self.profile.string_table.push(String::new());
        }
        if text.is_empty() {
            return 0;
        }
        let (id, is_new) = self.strings.number(text.to_owned());
        if is_new {
            self.profile.string_table.push(text.to_owned());
        }
        signed(id)
    }
}

/// Numbers from 1, in the order in which things come.
#[derive(Debug)]
struct Numbering<T>(HashMap<T, u64>);

impl<T> Default for Numbering<T> {
    fn default() -> Self {
        Numbering(HashMap::new())
    }
}

impl<T: Eq + Hash> Numbering<T> {
    /// Returns a thing's number, and whether it is new.
    fn number(&mut self, thing: T) -> (u64, bool) {
        let next = self.0.len() as u64 + 1;
        let id = *self.0.entry(thing).or_insert(next);
        (id, id == next)
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
