//! The sampled allocations that are alive, by address: fixed capacity, no lock, no allocation, no waiting.
//!
//! It is used from inside the allocator, where a map that may grow or a lock that may be held would deadlock. An
//! address belongs to one bucket of eight slots whose keys share a cache line, so a look-up, a miss above all, reads
//! one line and never more, however full or old the table is: there are no tombstones and no probe chains. A full
//! bucket refuses, and the caller offers another address. 1 MiB of zero pages that stay untouched until used. With 2,000
//! samples (1 GB of small objects) nearly no insertion is refused, with 8,000 (4 GB) one in a thousand.
//!
//! What makes it simple: an address is inserted before its allocation is handed out and removed before it is given
//! back, so at any time one thread at most speaks for an address. Only slots are contended, and a compare-exchange
//! settles these.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::estimate::{Booking, MeanDistance};
use super::stacks::StackId;
use super::tag::Tag;

const WAYS: usize = 8;
/// Miri checks the rules, not the capacity.
const BUCKETS: usize = if cfg!(miri) { 64 } else { 4096 };

const EMPTY: usize = 0;
/// Taken, its booking still being written. No page-aligned address equals it.
const CLAIMED: usize = 1;

/// The bounded map from the address of a sampled allocation to its [`Booking`].
pub(crate) struct Table {
    buckets: [Bucket; BUCKETS],
}

#[repr(align(64))]
struct Bucket {
    keys: [AtomicUsize; WAYS],
    bytes: [AtomicU64; WAYS],
    rest: [AtomicU64; WAYS],
    stacks: [AtomicU32; WAYS],
}

impl Bucket {
    const fn new() -> Self {
        Self {
            keys: [const { AtomicUsize::new(EMPTY) }; WAYS],
            bytes: [const { AtomicU64::new(0) }; WAYS],
            rest: [const { AtomicU64::new(0) }; WAYS],
            stacks: [const { AtomicU32::new(0) }; WAYS],
        }
    }

    fn find(&self, address: usize) -> Option<usize> {
        // Acquire pairs with the Release in `insert`: who sees the key sees its booking.
        self.keys.iter().position(|key| key.load(Ordering::Acquire) == address)
    }

    fn write(&self, way: usize, booking: Booking) {
        let rest =
            booking.spread << 24 | u64::from(booking.tag.number()) << 8 | u64::from(booking.mean.log2());
        self.bytes[way].store(booking.bytes, Ordering::Relaxed);
        self.rest[way].store(rest, Ordering::Relaxed);
        self.stacks[way].store(booking.stack.to_bits(), Ordering::Relaxed);
    }

    fn read(&self, way: usize) -> Booking {
        let rest = self.rest[way].load(Ordering::Relaxed);
        let [mean, tag_low, tag_high, ..] = rest.to_le_bytes();
        Booking {
            tag: Tag::from_number(u16::from_le_bytes([tag_low, tag_high])),
            mean: MeanDistance::from_log2(mean).unwrap_or(MeanDistance::DEFAULT),
            bytes: self.bytes[way].load(Ordering::Relaxed),
            spread: rest >> 24,
            stack: StackId::from_bits(self.stacks[way].load(Ordering::Relaxed)),
        }
    }
}

impl Table {
    #[allow(clippy::large_stack_arrays)] // made at compile time, for a static
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

    /// Takes `address` in. `false` when its bucket is full: nothing was changed.
    ///
    /// The caller owns the allocation at `address`, a multiple of 4096 that is not in the table.
    #[must_use]
    pub(crate) fn insert(&self, address: usize, booking: Booking) -> bool {
        let bucket = self.bucket(address);
        for (way, key) in bucket.keys.iter().enumerate() {
            // Acquire pairs with the Release in `remove`: its reads of the booking came before our writes.
            if key.load(Ordering::Relaxed) == EMPTY
                && key.compare_exchange(EMPTY, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                bucket.write(way, booking);
                key.store(address, Ordering::Release);
                return true;
            }
        }
        false
    }

    /// The booking of `address`, an allocation that the caller owns; `None` when it is not a sampled one.
    pub(crate) fn get(&self, address: usize) -> Option<Booking> {
        let bucket = self.bucket(address);
        bucket.find(address).map(|way| bucket.read(way))
    }

    /// Puts another booking in place of the one of `address`, an allocation that the caller owns.
    pub(crate) fn replace(&self, address: usize, booking: Booking) {
        let bucket = self.bucket(address);
        if let Some(way) = bucket.find(address) {
            bucket.write(way, booking);
        }
    }

    /// Takes `address` out, before its allocation is given back; `None` when it is not a sampled one.
    pub(crate) fn remove(&self, address: usize) -> Option<Booking> {
        let bucket = self.bucket(address);
        let way = bucket.find(address)?;
        let booking = bucket.read(way);
        bucket.keys[way].store(EMPTY, Ordering::Release);
        Some(booking)
    }

    #[cfg(feature = "heap-profile")]
    /// Every booking, one after the other, while others come and go. One that is changed at just this moment may be
    /// left out.
    pub(crate) fn each(&self, mut show: impl FnMut(Booking)) {
        for bucket in &self.buckets {
            for (way, key) in bucket.keys.iter().enumerate() {
                let before = key.load(Ordering::Acquire);
                let booking = bucket.read(way);
                // Keeps the reads of the booking from being moved behind the second look at its key.
                std::sync::atomic::fence(Ordering::Acquire);
                if before != EMPTY && before != CLAIMED && key.load(Ordering::Relaxed) == before {
                    show(booking);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn booking(n: u64) -> Booking {
        Booking {
            tag: Tag::from_number(u16::try_from(n % 512).unwrap()),
            mean: MeanDistance::from_bytes(4096 << (n % 14)),
            bytes: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            spread: n.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 24,
            stack: StackId::from_bits(u32::try_from(n % 0xffff_fff1).unwrap()),
        }
    }

    #[test]
    fn behaves_as_a_map_until_a_bucket_is_full() {
        static TABLE: Table = Table::new();
        let table = &TABLE;
        let mut truth = HashMap::new();
        let mut state = 3_u64;
        let rounds = if cfg!(miri) { 500 } else { 200_000 };
        for n in 0..rounds {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let address = (usize::try_from(state >> 40).unwrap() % 8_192 + 1) << 12;
            if truth.contains_key(&address) {
                assert_eq!(table.get(address), truth.get(&address).copied());
                if n % 3 == 0 {
                    table.replace(address, booking(n));
                    truth.insert(address, booking(n));
                } else {
                    assert_eq!(table.remove(address), truth.remove(&address));
                }
            } else {
                assert_eq!((table.get(address), table.remove(address)), (None, None));
                if table.insert(address, booking(n)) {
                    truth.insert(address, booking(n));
                }
            }
        }
        for (address, booking) in &truth {
            assert_eq!(table.get(*address), Some(*booking));
        }
        let (mut shown, mut known) = (Vec::new(), truth.values().copied().collect::<Vec<_>>());
        table.each(|booking| shown.push(booking));
        for all in [&mut shown, &mut known] {
            all.sort_unstable_by_key(|booking| booking.bytes);
        }
        assert_eq!(shown, known);
        assert!(truth.len() > if cfg!(miri) { 100 } else { 3_000 }, "{} entries", truth.len());
    }

    #[test]
    fn a_full_bucket_refuses_and_takes_again_after_a_removal() {
        static TABLE: Table = Table::new();
        let table = &TABLE;
        let home = table.bucket(4096);
        let mut same: Vec<usize> = Vec::new();
        for page in 1.. {
            if std::ptr::eq(table.bucket(page << 12), home) {
                same.push(page << 12);
            }
            if same.len() == WAYS + 1 {
                break;
            }
        }
        let (last, first) = same.split_last().unwrap();
        for address in first {
            assert!(table.insert(*address, booking(1)));
        }
        assert!(!table.insert(*last, booking(2)));
        assert_eq!(table.get(*last), None);
        assert_eq!(table.remove(first[3]), Some(booking(1)));
        assert!(table.insert(*last, booking(2)));
        assert_eq!(table.get(*last), Some(booking(2)));
    }

    /// Each thread owns its addresses, as owners of allocations do; buckets are shared by all of them.
    #[test]
    fn threads_never_see_each_others_bookings() {
        static TABLE: Table = Table::new();
        let table = &TABLE;
        let (threads, rounds) = if cfg!(miri) { (3, 60) } else { (4, 100_000) };
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for round in 0..rounds {
                        let address = ((round % 512) * threads + thread + 1) << 12;
                        let mine = booking((round * threads + thread) as u64);
                        if table.insert(address, mine) {
                            assert_eq!(table.get(address), Some(mine));
                            assert_eq!(table.remove(address), Some(mine));
                        }
                    }
                });
            }
        });
        assert!((1..=512 * threads).all(|page| table.get(page << 12).is_none()));
    }
}
