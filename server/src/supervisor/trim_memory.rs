//! Releases the pages of program files that only the start needed.
//!
//! Most of a supervisor's memory are pages of its binary and of the C library: starting a worker runs through megabytes of code that
//! the loop never needs. They are unchanged pages of files, so releasing them loses nothing: the kernel reads them again from the
//! file on demand.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::ptr;

use rustix::mm::{Advice, madvise};

/// How pages are released. Only Linux lists them, so that nothing is released elsewhere.
#[cfg(target_os = "linux")]
const RELEASE: Advice = Advice::LinuxDontNeed;
#[cfg(not(target_os = "linux"))]
const RELEASE: Advice = Advice::Normal;

/// Releases the pages; does nothing if the kernel does not list them.
pub(super) fn release_clean_pages() {
    let Ok(map) = File::open("/proc/self/smaps") else { return };
    for range in clean_ranges(BufReader::new(map)) {
        let begin = ptr::with_exposed_provenance_mut::<c_void>(range.start);
        // SAFETY: the range is one whole mapping of a file in this process that cannot be written to and holds no page of its
        // own (`unchanged`): every page in it is the file's, and reading it again yields the same bytes as before. Nothing
        // unmaps or changes it meanwhile, as the supervisor's other threads (the allocator's) map no files and it loads no
        // libraries. Where the mapping is code that runs just now, the processor fetches it anew.
        let given = unsafe { madvise(begin, range.len(), RELEASE) };
        if let Err(error) = given {
            tracing::debug!("cannot release pages of program files: {error}");
        }
    }
}

/// Returns the read-only mappings of files without a changed page (by relocation, or a debugger).
fn clean_ranges(smaps: impl BufRead) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut candidate = None;
    for line in smaps.lines().map_while(Result::ok) {
        if let Some(range) = parse_heading(&line) {
            candidate = range;
        } else if let Some(changed) = line.strip_prefix("Anonymous:") {
            ranges.extend(candidate.take().filter(|_| changed.trim() == "0 kB"));
        }
    }
    ranges
}

/// Parses the heading of a mapping: its range if it is a read-only mapping of a file. `None` for other lines.
#[expect(clippy::option_option, reason = "whether it is a heading, and whether of interest")]
fn parse_heading(line: &str) -> Option<Option<Range<usize>>> {
    let mut words = line.split_ascii_whitespace();
    let (begin, end) = words.next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let (range, permissions) = (number(begin)?..number(end)?, words.next()?);
    let of_a_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
    Some((of_a_file && matches!(permissions, "r-xp" | "r--p")).then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unchanged_pages_of_files_are_released() {
        let smaps = "1000-3000 r-xp 00000000 fe:00 77     /usr/bin/heapbeat\nSize: 8 kB\nAnonymous:      0 kB\n\
                     3000-4000 r--p 00002000 fe:00 77     /usr/bin/heapbeat (deleted)\nAnonymous:      0 kB\n\
                     4000-5000 r--p 00003000 fe:00 77     /usr/bin/heapbeat\nAnonymous:      4 kB\n\
                     5000-6000 rw-p 00004000 fe:00 77     /usr/bin/heapbeat\nAnonymous:      0 kB\n\
                     6000-7000 r--s 00000000 fe:00 78     /shared\nAnonymous:      0 kB\n\
                     7000-8000 rw-p 00000000 00:00 0 \nAnonymous:      0 kB\n\
                     8000-9000 r-xp 00000000 00:00 0      [vdso]\nAnonymous:      0 kB\n\
                     9000-a000 r-xp 00000000 fe:00 79     /usr/lib/libc.so.6\nRss: 4 kB\n";
        assert_eq!(clean_ranges(smaps.as_bytes()), [0x1000..0x3000, 0x3000..0x4000]);
    }
}
