//! The table of live sampled allocations by address. It has a fixed capacity, and never locks, allocates or waits.
//!
//! The allocator itself uses it, so a map that can grow or a lock that can be held would deadlock. An address belongs to one bucket
//! of eight slots whose keys share a cache line. A lookup therefore reads exactly one line, however full or old the table is: there
//! are no tombstones and no probe chains. A full bucket refuses an address, and the caller tries another one. The table takes 1 MiB
//! of zero pages that are not resident until used. With 2,000 samples (1 GB of small objects) nearly no insertion is refused, with
//! 8,000 (4 GB) one in a thousand.
//!
//! An address is inserted before its allocation is handed out and removed before its memory is returned, so at most one thread at
//! a time uses an address. Threads contend for slots only, and a compare-exchange decides who gets one.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::estimate::{MeanDistance, SampledAllocation};
use super::stacks::StackId;
use super::tag::Tag;

const SLOTS: usize = 8;
/// Miri checks memory safety, not the capacity.
const BUCKETS: usize = if cfg!(miri) { 64 } else { 4096 };

const EMPTY: usize = 0;
/// Key of a slot whose sample is still being written. No page-aligned address equals it.
const CLAIMED: usize = 1;

/// A bounded map from addresses to sampled allocations.
pub(crate) struct SampleTable {
    buckets: [Bucket; BUCKETS],
}

#[repr(align(64))]
struct Bucket {
    keys: [AtomicUsize; SLOTS],
    bytes: [AtomicU64; SLOTS],
    rest: [AtomicU64; SLOTS],
    stacks: [AtomicU32; SLOTS],
}

impl Bucket {
    const fn new() -> Self {
        Self {
            keys: [const { AtomicUsize::new(EMPTY) }; SLOTS],
            bytes: [const { AtomicU64::new(0) }; SLOTS],
            rest: [const { AtomicU64::new(0) }; SLOTS],
            stacks: [const { AtomicU32::new(0) }; SLOTS],
        }
    }

    fn find(&self, address: usize) -> Option<usize> {
        // Acquire pairs with the Release in `insert`: a thread that reads the key also reads its sample.
        self.keys.iter().position(|key| key.load(Ordering::Acquire) == address)
    }

    fn write(&self, slot: usize, sample: SampledAllocation) {
        let rest = sample.spread << 24 | u64::from(sample.tag.number()) << 8 | u64::from(sample.mean.log2());
        self.bytes[slot].store(sample.bytes, Ordering::Relaxed);
        self.rest[slot].store(rest, Ordering::Relaxed);
        self.stacks[slot].store(sample.stack.to_bits(), Ordering::Relaxed);
    }

    fn read(&self, slot: usize) -> SampledAllocation {
        let rest = self.rest[slot].load(Ordering::Relaxed);
        let [mean, tag_low, tag_high, ..] = rest.to_le_bytes();
        SampledAllocation {
            tag: Tag::from_number(u16::from_le_bytes([tag_low, tag_high])),
            mean: MeanDistance::from_log2(mean).unwrap_or(MeanDistance::DEFAULT),
            bytes: self.bytes[slot].load(Ordering::Relaxed),
            spread: rest >> 24,
            stack: StackId::from_bits(self.stacks[slot].load(Ordering::Relaxed)),
        }
    }
}

impl SampleTable {
    #[allow(clippy::large_stack_arrays)] // built at compile time, for a static
    pub(crate) const fn new() -> Self {
        Self { buckets: [const { Bucket::new() }; BUCKETS] }
    }

    fn bucket(&self, address: usize) -> &Bucket {
        // Fibonacci hashing of the page number (Knuth, TAOCP 3, 6.4): neighbours spread evenly.
        let hash = (address as u64 >> 12).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKETS.ilog2());
        #[allow(clippy::cast_possible_truncation)] // log2(BUCKETS) bits
        let index = hash as usize;
        &self.buckets[index]
    }

    /// Inserts `address`. Returns `false`, and changes nothing, if its bucket is full.
    ///
    /// The caller owns the allocation at `address`, a multiple of 4096 that is not in the table.
    #[must_use]
    pub(crate) fn insert(&self, address: usize, sample: SampledAllocation) -> bool {
        let bucket = self.bucket(address);
        for (slot, key) in bucket.keys.iter().enumerate() {
            // Acquire pairs with the Release in `remove`: its reads of the sample came before our writes.
            if key.load(Ordering::Relaxed) == EMPTY
                && key.compare_exchange(EMPTY, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                bucket.write(slot, sample);
                key.store(address, Ordering::Release);
                return true;
            }
        }
        false
    }

    /// Returns the sample at `address`, an allocation that the caller owns, or `None` if it is not sampled.
    pub(crate) fn find_sample(&self, address: usize) -> Option<SampledAllocation> {
        let bucket = self.bucket(address);
        bucket.find(address).map(|slot| bucket.read(slot))
    }

    /// Replaces the sample at `address`, an allocation that the caller owns.
    pub(crate) fn replace(&self, address: usize, sample: SampledAllocation) {
        let bucket = self.bucket(address);
        if let Some(slot) = bucket.find(address) {
            bucket.write(slot, sample);
        }
    }

    /// Removes and returns the sample at `address`, before its memory is returned. `None` if it is not sampled.
    pub(crate) fn remove(&self, address: usize) -> Option<SampledAllocation> {
        let bucket = self.bucket(address);
        let slot = bucket.find(address)?;
        let sample = bucket.read(slot);
        bucket.keys[slot].store(EMPTY, Ordering::Release);
        Some(sample)
    }

    #[cfg(feature = "heap-profile")]
    /// Passes each sample to `visit` while other threads insert and remove some. A sample that changes at that moment may be
    /// left out.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(SampledAllocation)) {
        for bucket in &self.buckets {
            for (slot, key) in bucket.keys.iter().enumerate() {
                let before = key.load(Ordering::Acquire);
                let sample = bucket.read(slot);
                // Keeps the reads of the sample from being moved behind the second read of its key.
                std::sync::atomic::fence(Ordering::Acquire);
                if before != EMPTY && before != CLAIMED && key.load(Ordering::Relaxed) == before {
                    visit(sample);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn sample(n: u64) -> SampledAllocation {
        SampledAllocation {
            tag: Tag::from_number(u16::try_from(n % 512).unwrap()),
            mean: MeanDistance::from_bytes(4096 << (n % 14)),
            bytes: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            spread: n.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 24,
            stack: StackId::from_bits(u32::try_from(n % 0xffff_fff1).unwrap()),
        }
    }

    #[test]
    fn behaves_as_a_map_until_a_bucket_is_full() {
        static TABLE: SampleTable = SampleTable::new();
        let table = &TABLE;
        let mut truth = HashMap::new();
        let mut state = 3_u64;
        let rounds = if cfg!(miri) { 500 } else { 200_000 };
        for n in 0..rounds {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let address = (usize::try_from(state >> 40).unwrap() % 8_192 + 1) << 12;
            if truth.contains_key(&address) {
                assert_eq!(table.find_sample(address), truth.get(&address).copied());
                if n % 3 == 0 {
                    table.replace(address, sample(n));
                    truth.insert(address, sample(n));
                } else {
                    assert_eq!(table.remove(address), truth.remove(&address));
                }
            } else {
                assert_eq!((table.find_sample(address), table.remove(address)), (None, None));
                if table.insert(address, sample(n)) {
                    truth.insert(address, sample(n));
                }
            }
        }
        for (address, sample) in &truth {
            assert_eq!(table.find_sample(*address), Some(*sample));
        }
        let (mut shown, mut known) = (Vec::new(), truth.values().copied().collect::<Vec<_>>());
        table.for_each(|sample| shown.push(sample));
        for all in [&mut shown, &mut known] {
            all.sort_unstable_by_key(|sample| sample.bytes);
        }
        assert_eq!(shown, known);
        assert!(truth.len() > if cfg!(miri) { 100 } else { 3_000 }, "{} entries", truth.len());
    }

    #[test]
    fn a_full_bucket_refuses_until_a_sample_is_removed() {
        static TABLE: SampleTable = SampleTable::new();
        let table = &TABLE;
        let home = table.bucket(4096);
        let mut same: Vec<usize> = Vec::new();
        for page in 1.. {
            if std::ptr::eq(table.bucket(page << 12), home) {
                same.push(page << 12);
            }
            if same.len() == SLOTS + 1 {
                break;
            }
        }
        let (last, first) = same.split_last().unwrap();
        for address in first {
            assert!(table.insert(*address, sample(1)));
        }
        assert!(!table.insert(*last, sample(2)));
        assert_eq!(table.find_sample(*last), None);
        assert_eq!(table.remove(first[3]), Some(sample(1)));
        assert!(table.insert(*last, sample(2)));
        assert_eq!(table.find_sample(*last), Some(sample(2)));
    }

    /// Each thread owns its addresses, as owners of allocations do; all threads share the buckets.
    #[test]
    fn threads_never_read_each_others_samples() {
        static TABLE: SampleTable = SampleTable::new();
        let table = &TABLE;
        let (threads, rounds) = if cfg!(miri) { (3, 60) } else { (4, 100_000) };
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for round in 0..rounds {
                        let address = ((round % 512) * threads + thread + 1) << 12;
                        let mine = sample((round * threads + thread) as u64);
                        if table.insert(address, mine) {
                            assert_eq!(table.find_sample(address), Some(mine));
                            assert_eq!(table.remove(address), Some(mine));
                        }
                    }
                });
            }
        });
        assert!((1..=512 * threads).all(|page| table.find_sample(page << 12).is_none()));
    }
}
