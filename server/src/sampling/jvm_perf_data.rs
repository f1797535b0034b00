//! The maximum of a JVM's heap, by the performance data that `HotSpot` keeps in `/tmp/hsperfdata_USER/PID`.
//!
//! It is the value that the JVM has computed from all of its options and from the memory that it saw, which the command line does not
//! show. The format is that of `perfMemory.hpp` (a prologue of 32 bytes, then entries), version 2, as `jstat` reads it. The file belongs to
//! the process that is measured: it is found without following its links, must be its owner's, and everything in it may be wrong.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use heapbeat_shared::Bytes;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};

/// Size limit of a file; a JVM of today makes one of 32 kB (`-XX:PerfDataMemorySize`).
const MAX_SIZE: usize = 1 << 20;

/// The smallest page of memory in bytes.
const PAGE: u64 = 4096;

/// Most entries of `/tmp` that are searched for directories of performance data.
const MAX_ENTRIES: usize = 4096;

/// Size limit of a process's `status` in bytes, which has about 1,500.
const MAX_STATUS: u64 = 8192;

/// Returns the maximum of the heap of the process with this directory below `/proc`; `None` if it keeps no performance data
/// (`-XX:-UsePerfData`, `-XX:+PerfDisableSharedMem`, another JVM).
pub(super) fn heap_max(process: &Path) -> Option<Bytes> {
    let mut status = String::new();
    File::open(process.join("status")).ok()?.take(MAX_STATUS).read_to_string(&mut status).ok()?;
    parse_heap_max(&read_file(process, &Identity::parse(&status)?)?)
}

/// The owner of a process, and its id where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    /// Effective user, as seen from here.
    user: u32,
    /// Process id in its own namespace, by which it names its file.
    pid: u32,
}

impl Identity {
    /// Parses `status` (`proc_pid_status(5)`): users are real, effective, saved, of the file system; ids are outermost first.
    fn parse(status: &str) -> Option<Self> {
        let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        let user = field("Uid:")?.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let pid = field("NSpid:").or_else(|| field("Pid:"))?.split_ascii_whitespace().last()?.parse().ok()?;
        Some(Identity { user, pid })
    }
}

/// Reads the file of a process, in the root directory that the process has.
fn read_file(process: &Path, identity: &Identity) -> Option<Vec<u8>> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, process.join("root"), directory, Mode::empty()).ok()?;
    let tmp = openat(&root, "tmp", directory | OFlags::NOFOLLOW, Mode::empty()).ok()?;
    // The name of its user is known to the files of its root only, so that its directories are searched.
    Dir::read_from(&tmp).ok()?.take(MAX_ENTRIES).flatten().find_map(|entry| {
        let name = entry.file_name();
        name.to_bytes().strip_prefix(b"hsperfdata_")?;
        let users = openat(&tmp, name, directory | OFlags::NOFOLLOW, Mode::empty()).ok()?;
        is_own(&users, FileType::Directory, identity.user).then_some(())?;
        // A pipe is not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&users, identity.pid.to_string(), flags, Mode::empty()).ok()?;
        is_own(&file, FileType::RegularFile, identity.user).then_some(())?;
        read_bounded(file)
    })
}

/// Returns whether a file is of a kind, and only `user` may write to it.
fn is_own(file: impl AsFd, kind: FileType, user: u32) -> bool {
    fstat(file).is_ok_and(|status| {
        let others = Mode::WGRP | Mode::WOTH;
        FileType::from_raw_mode(status.st_mode) == kind
            && status.st_uid == user
            && !Mode::from_raw_mode(status.st_mode).intersects(others)
    })
}

fn read_bounded(file: OwnedFd) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    File::from(file).take(MAX_SIZE as u64 + 1).read_to_end(&mut data).ok()?;
    (data.len() <= MAX_SIZE).then_some(data)
}

/// Performance data, and the order of bytes in it.
#[derive(Clone, Copy)]
struct PerfData<'a> {
    data: &'a [u8],
    is_little: bool,
}

/// One entry: its name, the number of elements (0 for a single value), and the data from its value on.
struct Entry<'a> {
    name: &'a [u8],
    elements: usize,
    value: &'a [u8],
}

impl<'a> PerfData<'a> {
    /// Checks the prologue: magic number, order of bytes, major version 2, and that the JVM has finished it.
    fn parse(data: &'a [u8]) -> Option<Self> {
        let prologue = data.get(..32)?;
        let is_valid =
            prologue.starts_with(&[0xca, 0xfe, 0xc0, 0xc0]) && prologue[5] == 2 && prologue[7] == 1;
        is_valid.then_some(PerfData { data, is_little: prologue[4] == 1 })
    }

    /// Reads an `int` that is an offset or a length; `None` if it is negative.
    fn offset(self, at: usize) -> Option<usize> {
        let bytes = self.data.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let int = if self.is_little { i32::from_le_bytes(bytes) } else { i32::from_be_bytes(bytes) };
        usize::try_from(int).ok()
    }

    /// Reads a `long` at the beginning of `value`; `None` if it is negative.
    fn long(self, value: &[u8]) -> Option<u64> {
        let bytes = value.get(..8)?.try_into().ok()?;
        let long = if self.is_little { i64::from_le_bytes(bytes) } else { i64::from_be_bytes(bytes) };
        u64::try_from(long).ok()
    }

    /// Returns the entries, until one is invalid. Each has 20 bytes at least, so that they end.
    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let first = self.offset(24).unwrap_or(usize::MAX);
        let count = self.offset(28).unwrap_or(0);
        let next = move |at: &usize| at.checked_add(self.offset(*at)?.max(20));
        std::iter::successors(Some(first), next).take(count).map_while(move |at| self.entry(at))
    }

    /// Reads the entry at an offset: lengths of it and of its vector, and the places of its name and of its value in it.
    fn entry(self, at: usize) -> Option<Entry<'a>> {
        let length = self.offset(at)?;
        let entry = self.data.get(at..at.checked_add(length)?)?;
        let [name, elements, value] = [4, 8, 16].map(|field| self.offset(at.checked_add(field)?));
        let name = entry.get(name?..)?.split(|byte| *byte == 0).next()?;
        Some(Entry { name, elements: elements?, value: entry.get(value?..)? })
    }
}

/// Returns the maximum of the heap. Of collectors of two generations (`Copy:MSC`, `ParScav:MSC`), each generation has its part of it; of
/// others, each may take all of it; G1 adds some words to each, so that none is zero, while a heap has whole pages.
fn parse_heap_max(data: &[u8]) -> Option<Bytes> {
    let data = PerfData::parse(data)?;
    let (mut sum, mut highest, mut has_parts) = (0u64, 0, false);
    for entry in data.entries() {
        if entry.name == b"sun.gc.policy.name" {
            has_parts = entry.value.iter().take(entry.elements).any(|byte| *byte == b':');
        }
        let generation = entry.name.strip_prefix(b"sun.gc.generation.");
        let generation = generation.and_then(|name| name.strip_suffix(b".maxCapacity"));
        if generation.is_some_and(|number| number.iter().all(u8::is_ascii_digit)) && entry.elements == 0 {
            let max = data.long(entry.value)?;
            sum = sum.checked_add(max)?;
            highest = max.max(highest);
        }
    }
    let max = if has_parts { sum } else { highest };
    Some(Bytes(max / PAGE * PAGE)).filter(|max| *max > Bytes::ZERO)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const MB: i64 = 1 << 20;

    /// Returns a file with these entries, in an order of bytes.
    fn perf_data(entries: &[(&str, Value)], is_little: bool) -> Vec<u8> {
        let int = |int: usize| {
            let int = i32::try_from(int).unwrap();
            if is_little { int.to_le_bytes() } else { int.to_be_bytes() }
        };
        let mut data = vec![0xca, 0xfe, 0xc0, 0xc0, u8::from(is_little), 2, 0, 1];
        data.resize(24, 0);
        data.extend([int(32), int(entries.len())].concat());
        for (name, value) in entries {
            let (elements, value) = match value {
                Value::Long(long) if is_little => (0, long.to_le_bytes().to_vec()),
                Value::Long(long) => (0, long.to_be_bytes().to_vec()),
                Value::Text(text) => (text.len() + 1, [text.as_bytes(), &[0]].concat()),
            };
            let value_at = (20 + name.len() + 1).next_multiple_of(8);
            let length = (value_at + value.len()).next_multiple_of(8);
            let start = data.len();
            data.extend([int(length), int(20), int(elements), *b"J\0\0\0", int(value_at)].concat());
            data.extend(name.as_bytes());
            data.resize(start + value_at, 0);
            data.extend(value);
            data.resize(start + length, 0);
        }
        data.resize(data.len() + 100, 0);
        data
    }

    enum Value {
        Long(i64),
        Text(&'static str),
    }
    use Value::{Long, Text};

    fn serial(is_little: bool) -> Vec<u8> {
        let entries = [
            ("java.ci.totalTime", Long(5)),
            ("sun.gc.policy.name", Text("Copy:MSC")),
            ("sun.gc.generation.0.maxCapacity", Long(85 * MB)),
            ("sun.gc.generation.0.space.0.maxCapacity", Long(68 * MB)),
            ("sun.gc.generation.1.maxCapacity", Long(171 * MB)),
        ];
        perf_data(&entries, is_little)
    }

    #[test]
    fn the_maximum_is_the_sum_of_generations_or_what_each_may_take() {
        for is_little in [true, false] {
            assert_eq!(parse_heap_max(&serial(is_little)), Some(Bytes::from_mb(256)), "{is_little}");
        }
        let g1 = [
            ("sun.gc.policy.name", Text("GarbageFirst")),
            ("sun.gc.generation.1.maxCapacity", Long(256 * MB + 8)),
            ("sun.gc.generation.0.maxCapacity", Long(256 * MB + 24)),
        ];
        assert_eq!(parse_heap_max(&perf_data(&g1, true)), Some(Bytes::from_mb(256)));
        let cases: [&[(&str, Value)]; 3] = [
            &[("java.ci.totalTime", Long(5))],
            &[("sun.gc.generation.0.maxCapacity", Long(0))],
            &[("sun.gc.generation.0.maxCapacity", Long(-1))],
        ];
        for entries in cases {
            assert_eq!(parse_heap_max(&perf_data(entries, true)), None);
        }
    }

    #[test]
    fn damaged_data_gives_no_panic_and_no_endless_loop() {
        let data = serial(true);
        for length in 0..data.len() {
            parse_heap_max(&data[..length]);
        }
        for at in 0..data.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = data.clone();
                damaged[at] = value;
                parse_heap_max(&damaged);
            }
        }
        for (at, what) in [(0, "another file"), (5, "another version"), (7, "not finished")] {
            let mut other = data.clone();
            other[at] = 9;
            assert_eq!(parse_heap_max(&other), None, "{what}");
        }
    }

    #[test]
    fn the_owner_and_the_innermost_id_name_the_file() {
        let status = "Name:\tjava\nPid:\t4242\nUid:\t1000\t1001\t1001\t1001\nNSpid:\t4242\t17\t1\n";
        assert_eq!(Identity::parse(status), Some(Identity { user: 1001, pid: 1 }));
        let without = "Pid:\t4242\nUid:\t0\t0\t0\t0\n";
        assert_eq!(Identity::parse(without), Some(Identity { user: 0, pid: 4242 }));
        for invalid in ["", "Uid:\t0\n", "Pid:\t1\nUid:\t0\n", "Pid:\t-1\nUid:\t0\t0\t0\t0\n"] {
            assert_eq!(Identity::parse(invalid), None, "{invalid:?}");
        }
    }

    #[test]
    fn only_a_file_of_the_processs_own_user_is_read_and_no_link_is_followed() {
        let process = tempfile::tempdir().unwrap();
        let user = rustix::process::geteuid().as_raw();
        let write_status = |user: u32| {
            let status = format!("Pid:\t77\nUid:\t{user}\t{user}\t{user}\t{user}\nNSpid:\t77\t5\n");
            std::fs::write(process.path().join("status"), status).unwrap();
        };
        let directory = process.path().join("root/tmp/hsperfdata_app");
        let file = directory.join("5");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::create_dir(process.path().join("root/tmp/hsperfdata_other")).unwrap();
        let modes = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        modes(&directory, 0o755);
        let restore = || {
            let _ = std::fs::remove_file(&file);
            std::fs::write(&file, serial(true)).unwrap();
            modes(&file, 0o600);
        };
        restore();
        write_status(user);
        assert_eq!(heap_max(process.path()), Some(Bytes::from_mb(256)));

        write_status(user + 1);
        assert_eq!(heap_max(process.path()), None, "of another user");
        write_status(user);
        modes(&file, 0o666);
        assert_eq!(heap_max(process.path()), None, "others may write to it");
        restore();
        modes(&directory, 0o777);
        assert_eq!(heap_max(process.path()), None, "others may write to its directory");
        modes(&directory, 0o755);

        let elsewhere = process.path().join("elsewhere");
        std::fs::rename(&file, &elsewhere).unwrap();
        symlink(&elsewhere, &file).unwrap();
        assert_eq!(heap_max(process.path()), None, "a link to it");
        restore();
        let moved = process.path().join("moved");
        std::fs::rename(&directory, &moved).unwrap();
        symlink(&moved, &directory).unwrap();
        assert_eq!(heap_max(process.path()), None, "a link to its directory");
        std::fs::remove_file(&directory).unwrap();
        std::fs::rename(&moved, &directory).unwrap();
        assert_eq!(heap_max(process.path()), Some(Bytes::from_mb(256)));

        let mut large = serial(true);
        large.resize(MAX_SIZE + 1, 0);
        std::fs::write(&file, large).unwrap();
        assert_eq!(heap_max(process.path()), None, "too large");
        std::fs::remove_file(&file).unwrap();
        rustix::fs::mknodat(CWD, &file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(heap_max(process.path()), None, "a pipe is not waited for");
    }
}
