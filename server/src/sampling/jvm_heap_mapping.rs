//! The resident part of a JVM's heap, by the kernel's account of the process's mappings.
//!
//! `HotSpot` reserves the whole maximum of the heap at once, as one range of addresses. With compressed references, which it uses below
//! 32 GB, that is the lowest range of this size. The kernel tells how much of each mapping in it is resident. What else is resident
//! (code, classes, stacks, direct buffers, the collector's tables) is outside of the heap.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use heapbeat_shared::Bytes;

/// The end of the addresses at which a heap with compressed references can be: 32 GB, and 64 GB with objects in steps of 16 bytes.
const MAX_ADDRESS: u64 = 1 << 36;

/// Returns how much of the heap of the JVM with this directory below `/proc` is resident; `None` if its range of `max` bytes is not found
/// (a heap without compressed references, ZGC).
pub(super) fn resident_heap(process: &Path, max: Bytes) -> Option<Bytes> {
    parse_resident(BufReader::new(File::open(process.join("smaps")).ok()?), max.0)
}

/// Sums up the resident part of the first range of at least `max` bytes without a hole, as far as `max`. No more is read, so that the kernel
/// does not count the rest.
fn parse_resident(smaps: impl BufRead, max: u64) -> Option<Bytes> {
    if max == 0 {
        return None;
    }
    let (mut range, mut counts, mut resident) = (0..0, false, 0u64);
    for line in smaps.lines() {
        let line = line.ok()?;
        if let Some(mapping) = parse_mapping(&line) {
            if range.end - range.start >= max {
                break;
            }
            if mapping.start != range.end {
                // The range before was too short.
                (range, resident) = (mapping.start..mapping.start, 0);
            }
            if range.start.checked_add(max)? > MAX_ADDRESS {
                return None;
            }
            counts = mapping.start - range.start < max;
            range.end = mapping.end;
        } else if let Some(kilobytes) = line.strip_prefix("Rss:").filter(|_| counts) {
            let kilobytes: u64 = kilobytes.trim().strip_suffix(" kB")?.parse().ok()?;
            resident = resident.checked_add(kilobytes.checked_mul(1024)?)?;
        }
    }
    (range.end - range.start >= max).then_some(Bytes(resident))
}

/// Parses the first line of a mapping, `f0000000-100000000 rw-p …` (`proc_pid_smaps(5)`); `None` for the lines of its figures.
fn parse_mapping(line: &str) -> Option<std::ops::Range<u64>> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let address = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    (start <= end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, mappings from one address to another with their resident kB, and the expected resident kB.
    type Case<'a> = (&'a str, &'a [(u64, u64, u64)], Option<u64>);

    fn smaps(mappings: &[(u64, u64, u64)]) -> String {
        let mapping = |(start, end, resident): &(u64, u64, u64)| {
            format!(
                "{start:x}-{end:x} rw-p 00000000 00:00 0 \nSize:  4 kB\nRss:     {resident} kB\nPss: 1 kB\nTHPeligible: 0\n"
            )
        };
        mappings.iter().map(mapping).collect()
    }

    #[test]
    fn the_lowest_range_of_the_heaps_size_is_the_heap() {
        const MB: u64 = 1 << 20;
        // 256 MB below 4 GB.
        let (heap, end) = (0xf000_0000, 0x1_0000_0000);
        let high = 0x7f94_d800_0000;
        let cases: [Case<'_>; 8] = [
            ("one mapping", &[(heap, end, 500), (high, high + 999 * MB, 70)], Some(500)),
            ("committed and reserved parts", &[(heap, heap + MB, 9), (heap + MB, end, 0)], Some(9)),
            (
                "classes above it",
                &[(heap, end, 500), (end, end + 1024 * MB, 40), (high, high + MB, 7)],
                Some(500),
            ),
            ("a low executable", &[(0x40_0000, 0x40_1000, 4), (heap, end, 500)], Some(500)),
            ("a file ends within", &[(heap, end - MB, 500), (end - MB, end, 60)], Some(560)),
            ("too small", &[(heap, end - MB, 500), (high, high + 999 * MB, 70)], None),
            ("high addresses only", &[(0x40_0000, 0x40_1000, 4), (high, high + 999 * MB, 70)], None),
            ("nothing", &[], None),
        ];
        for (name, mappings, expected) in cases {
            let found = parse_resident(smaps(mappings).as_bytes(), 256 * MB);
            assert_eq!(found, expected.map(|kilobytes| Bytes(kilobytes * 1024)), "{name}");
        }
        assert_eq!(parse_resident(smaps(&[(heap, end, 500)]).as_bytes(), 0), None);
        let too_large = format!("0-100000000 rw-p\nRss: {} kB\n", u64::MAX);
        assert_eq!(parse_resident(too_large.as_bytes(), 256 * MB), None);
        assert_eq!(resident_heap(Path::new("/proc/0"), Bytes::from_mb(1)), None);
    }
}
