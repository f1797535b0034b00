//! The result of a leak forecast.
//!
//! The on-call has to distinguish observations from inferences. An assessment therefore has a basis, and the smallest growth that would
//! have been detected; a time to the limit always has an interval.

use std::fmt;
use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Verdict {
    /// No growth exceeds the usual variation.
    #[n(0)]
    Steady,
    /// Memory grows, but the growth may not continue, or the application does not hold the memory.
    #[n(1)]
    Growing,
    /// The live heap grows linearly, predictably, and for long enough.
    #[n(2)]
    Leaking,
    /// Resident memory grows while the live heap does not.
    #[n(3)]
    Fragmenting,
    /// There is not enough data, or the variation is too large for this limit.
    #[n(4)]
    Unknown,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 5] =
        [Verdict::Steady, Verdict::Growing, Verdict::Leaking, Verdict::Fragmenting, Verdict::Unknown];

    /// Whether memory is lost: to a leak, or to fragmentation.
    pub const fn is_leak(self) -> bool {
        matches!(self, Verdict::Leaking | Verdict::Fragmenting)
    }

    /// Returns the name on the wire and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Steady => "steady",
            Verdict::Growing => "growing",
            Verdict::Leaking => "leaking",
            Verdict::Fragmenting => "fragmenting",
            Verdict::Unknown => "unknown",
        }
    }
}

/// The basis of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Basis {
    /// `unknown`: too few floors, or less than three minutes, after the warm-up.
    #[n(0)]
    InsufficientData,
    /// `unknown`: the usual variation is as large as the room below the limit.
    #[n(1)]
    TooNoisy,
    /// `steady`: nothing grows.
    #[n(2)]
    NoGrowth,
    /// `steady`: the growth has stopped (a warm-up, a cache that is full).
    #[n(3)]
    GrowthStopped,
    /// `steady`: memory rose once and did not change since (a deploy, a configuration).
    #[n(4)]
    SingleStep,
    /// `growing`: the growth slows down, as in a warm-up.
    #[n(5)]
    GrowthSlowing,
    /// `growing`: the growth barely exceeds what is freed again and again.
    #[n(6)]
    WeakGrowth,
    /// `growing`: a line through the first two thirds does not predict the last third.
    #[n(7)]
    BacktestFailed,
    /// `growing`: lasting, but observed for too short a time compared with the time to the limit.
    #[n(8)]
    ObservedTooBriefly,
    /// `growing`: the limit is more than 18 hours away, and less than a day and a half was observed, so it may be a daily rhythm.
    #[n(9)]
    LimitFarAway,
    /// `growing`: lasting, but outside the application's allocations.
    #[n(10)]
    OutsideLiveHeap,
    /// `leaking`: lasting and predictable.
    #[n(11)]
    SustainedGrowth,
    /// `fragmenting`: resident memory beyond the live heap grows, the live heap does not.
    #[n(12)]
    LiveHeapFlat,
    /// `leaking`: lasting, and faster in its recent half.
    #[n(13)]
    AcceleratingGrowth,
    /// `steady`: what had grown has been given back.
    #[n(14)]
    GivenBack,
    /// `growing`: only the resident set is known, and it is below the maximum of the runtime's heap.
    #[n(15)]
    HeapMayFill,
}

/// The part of memory that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum MemoryPart {
    /// All memory, as its parts are unknown.
    #[n(0)]
    Total,
    /// The live heap: memory that the application retains.
    #[n(1)]
    LiveHeap,
    /// Pages that the allocator keeps beyond the live heap: fragmentation, and pages not yet returned.
    #[n(2)]
    AllocatorOverhead,
    /// Outside the heap: stacks, mapped files, other allocators, other processes under the same limit.
    #[n(3)]
    OutsideHeap,
    /// Resident memory beyond the live heap, if the figures do not distinguish the allocator from other memory.
    #[n(4)]
    BeyondLiveHeap,
    /// Outside the heap, held by its objects: Node's Buffers.
    #[n(5)]
    External,
}

impl MemoryPart {
    /// Returns the part as a phrase, such as "the live heap".
    pub const fn phrase(self) -> &'static str {
        match self {
            MemoryPart::Total => "memory",
            MemoryPart::LiveHeap => "the live heap",
            MemoryPart::AllocatorOverhead => "memory that the allocator keeps beyond the live heap",
            MemoryPart::OutsideHeap => "memory outside the heap",
            MemoryPart::External => "memory that objects hold outside the heap (such as Node's Buffers)",
            MemoryPart::BeyondLiveHeap => "resident memory beyond the live heap",
        }
    }
}

/// A slope of memory against time, in bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, Encode, Decode)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct Rate(#[n(0)] pub f64);

impl fmt::Display for Rate {
    /// Formats the rate in the unit of time that suits its size: `20.0 MB/s`, `1.00 MB/min`, `0.25 MB/h`, `310.5 B/h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MB: f64 = 1_048_576.0;
        let sign = if self.0 < 0.0 { "-" } else { "" };
        let rate = self.0.abs() / MB;
        let (amount, unit) = match rate {
            r if r >= 1.0 => (r, "s"),
            r if r * 60.0 >= 0.5 => (r * 60.0, "min"),
            r => (r * 3600.0, "h"),
        };
        match amount {
            // A float cast saturates; this one is below 2^20.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            a if a < 0.1 => write!(f, "{sign}{}/{unit}", Bytes((a * MB).round() as u64)),
            a if a < 10.0 => write!(f, "{sign}{a:.2} MB/{unit}"),
            a => write!(f, "{sign}{a:.1} MB/{unit}"),
        }
    }
}

/// An estimate with the slopes of the first and the recent half around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Encode, Decode)]
pub struct Slope {
    /// The estimate.
    #[n(0)]
    pub expected: Rate,
    /// Lower end.
    #[n(1)]
    pub low: Rate,
    /// Upper end.
    #[n(2)]
    pub high: Rate,
}

/// The time until the limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct TimeToLimit {
    /// The time at which usual peaks reach the limit, at the expected slope.
    #[serde(rename = "expected_seconds", with = "seconds")]
    #[n(0)]
    pub expected: Duration,
    /// The lower end of the interval.
    #[serde(rename = "earliest_seconds", with = "seconds")]
    #[n(1)]
    pub earliest: Duration,
    /// The upper end of the interval.
    #[serde(rename = "latest_seconds", with = "seconds")]
    #[n(2)]
    pub latest: Duration,
}

/// The assessment of a series against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
pub struct Assessment {
    /// The verdict.
    #[n(0)]
    pub verdict: Verdict,
    /// The basis of the verdict.
    #[n(1)]
    pub basis: Basis,
    /// The part of memory that grows; of a steady series, the part that was examined.
    #[n(2)]
    pub part: MemoryPart,
    /// The slope of the floor of `part`; absent without significant growth.
    #[serde(rename = "slope_bytes_per_second")]
    #[n(3)]
    pub slope: Option<Slope>,
    /// The time to the limit; present only if the growth is established and passed the backtest.
    #[n(4)]
    pub time_to_limit: Option<TimeToLimit>,
    /// The smallest slope that could have been detected: the spread of the floors over the observed time. Absent if there is too little
    /// data.
    #[serde(rename = "detectable_bytes_per_second")]
    #[n(5)]
    pub detectable: Option<Rate>,
    /// Time since the series began or was last reset.
    #[serde(rename = "observed_seconds", with = "seconds")]
    #[n(6)]
    pub observed: Duration,
    /// The time span of the figures above, without the warm-up.
    #[serde(rename = "window_seconds", with = "seconds")]
    #[n(7)]
    pub window: Duration,
    /// The limit; `u64::MAX`, in JSON `null`, if none is known.
    #[serde(rename = "limit_bytes", with = "known_limit")]
    #[n(8)]
    pub limit: Bytes,
    /// The maximum of the heap of a managed runtime of which only the resident set is known.
    #[serde(rename = "runtime_max_bytes", default, skip_serializing_if = "Option::is_none")]
    #[n(9)]
    pub runtime_max: Option<Bytes>,
}

impl TimeToLimit {
    /// Whether the interval is so wide that its middle says nothing: 3 s to 46 min is no estimate.
    pub fn is_vague(&self) -> bool {
        const WIDE: u32 = 30;
        self.latest > self.earliest.max(Duration::from_secs(1)) * WIDE
    }
}

/// The latest estimate within which a limit is near, whatever the verdict.
const MINUTES_AWAY: Duration = Duration::from_secs(5 * 60);

impl Assessment {
    /// Whether the limit is reached within `horizon` by a leak that has lasted for half of the time that is left, or within minutes by any
    /// growth that has lasted for longer than the latest estimate. Other growth often ends before: a cache is full, a heap is collected.
    pub fn reaches_limit_within(&self, horizon: Duration) -> bool {
        self.time_to_limit.is_some_and(|time| {
            let is_confirmed = time.latest <= MINUTES_AWAY.min(self.window);
            let is_old_enough = time.expected <= self.window.saturating_mul(2);
            is_confirmed || (self.verdict.is_leak() && is_old_enough && time.expected <= horizon)
        })
    }
}

/// A limit in JSON: `null` instead of a number that no limit has, and that JavaScript cannot hold.
mod known_limit {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Bytes;

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a field by reference; 32-bit targets accept it"
    )]
    pub(super) fn serialize<S: Serializer>(limit: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        (limit.0 < u64::MAX).then_some(*limit).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(Bytes(u64::MAX)))
    }
}

/// Durations on the wire: seconds, to the millisecond.
mod seconds {
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
