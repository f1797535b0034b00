//! Heap profiles for `pprof`: `GET /debug/heap` shows which lines of code hold memory.
//!
//! A profile is built from the samples of attribution, by call stack and route. Stacks are recorded only if that was requested, at
//! start or for a time window. Addresses are resolved to names when a profile is built, on a blocking thread; the debug information
//! read for that is released afterwards.

#[cfg(feature = "heap-profile")]
mod symbols;

use std::time::Duration;

use heapbeat_shared::UnixMillis;

#[cfg(feature = "heap-profile")]
use crate::attribution::{StackId, heap_by_stack};
use crate::attribution::{StackWindow, all_stacks_recorded, sampling};

/// Range of the window, in seconds.
const WINDOW: std::ops::RangeInclusive<u64> = 1..=300;

/// The requested kind of profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileRequest {
    /// All memory that is held now.
    Now,
    /// Memory that is allocated within a window of so many seconds and still held at its end.
    Within(Duration),
}

/// Why no profile can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("this program was built without the feature `heap-profile` of the crate heapbeat")]
    NotBuilt,
    #[error("`seconds` is a whole number from 1 to 300")]
    Seconds,
    #[error(
        "call stacks are not being recorded: request a window with ?seconds=30, or start with HEAPBEAT_HEAP_PROFILE=on"
    )]
    Off,
    #[error("resolving names takes memory, which is above the purge threshold; try again when it is below")]
    Short,
    #[error("another profile is being built; try again when it is done")]
    Busy,
    #[error(
        "allocations are not sampled: heapbeat::Allocator is not the global allocator, or sampling is switched off"
    )]
    NoSamples,
    #[error("no process of the program has an agent: they are in Node and Python unless HEAPBEAT_AGENT=off")]
    NoAgent,
    #[error("the agent in the program did not answer in time")]
    NoAnswer,
    #[error("the agent in the program could not make a profile; the log says why")]
    Refused,
}

impl ProfileRequest {
    /// Parses a query such as `seconds=30`, or none.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, ProfileError> {
        let mut pairs = query.unwrap_or_default().split('&');
        let Some(text) = pairs.find_map(|pair| pair.strip_prefix("seconds=")) else {
            return Ok(ProfileRequest::Now);
        };
        let seconds =
            text.parse().ok().filter(|seconds| WINDOW.contains(seconds)).ok_or(ProfileError::Seconds)?;
        Ok(ProfileRequest::Within(Duration::from_secs(seconds)))
    }

    /// Returns the length of the window in seconds; 0 without one.
    pub(crate) fn seconds(self) -> u32 {
        match self {
            ProfileRequest::Now => 0,
            ProfileRequest::Within(window) => u32::try_from(window.as_secs()).unwrap_or(u32::MAX),
        }
    }
}

/// A profile in progress: its window is open, if one was requested.
#[derive(Debug)]
pub(crate) struct HeapProfiler {
    window: Option<(StackWindow, Duration)>,
}

impl HeapProfiler {
    /// Opens the window, or returns why no profile can be built.
    pub(crate) fn open(request: ProfileRequest) -> Result<Self, ProfileError> {
        if !cfg!(feature = "heap-profile") {
            return Err(ProfileError::NotBuilt);
        }
        if sampling().is_none() || crate::attribution::sampling_counts().taken == 0 {
            return Err(ProfileError::NoSamples);
        }
        match request {
            ProfileRequest::Now if all_stacks_recorded() => Ok(HeapProfiler { window: None }),
            ProfileRequest::Now => Err(ProfileError::Off),
            ProfileRequest::Within(time) => {
                Ok(HeapProfiler { window: Some((StackWindow::open().ok_or(ProfileError::Busy)?, time)) })
            }
        }
    }

    /// Returns the length of the window; zero without one.
    pub(crate) fn window(&self) -> Duration {
        self.window.as_ref().map_or(Duration::ZERO, |(_, time)| *time)
    }

    /// Without the feature `open` fails, so this is never called.
    #[cfg(not(feature = "heap-profile"))]
    pub(crate) fn build_profile(self, _now: UnixMillis, _waited: Duration) -> Vec<u8> {
        drop(self);
        Vec::new()
    }

    /// Builds the profile. This takes up to seconds, and memory for the names; see the figures in `docs/finding-a-leak.md`.
    #[cfg(feature = "heap-profile")]
    pub(crate) fn build_profile(self, now: UnixMillis, waited: Duration) -> Vec<u8> {
        let heap_by_stack = heap_by_stack(self.window.as_ref().map(|(window, _)| window.period()));
        let comment = match self.window {
            Some(_) => "allocated within the window and held at its end",
            None => "all memory that is held",
        };
        // Closes the window: stacks need not be recorded while names are resolved.
        drop(self);
        let mut profile = heapbeat_pprof::ProfileBuilder::default();
        let symbols = symbols::Symbols::new();
        let mut all: Vec<_> = heap_by_stack.into_iter().collect();
        all.sort_unstable_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.1.cmp(b.0.1)));
        for ((stack, route), heap_by_stack) in all {
            let locations = locations(&mut profile, &symbols, stack);
            profile.add_sample(locations, [heap_by_stack.samples, heap_by_stack.bytes], ("route", route));
        }
        let program = std::env::current_exe().unwrap_or_default().to_string_lossy().into_owned();
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        profile.encode(&heapbeat_pprof::ProfileHeader {
            values: [("samples", "count"), ("inuse_space", "bytes")],
            period: sampling().map_or(0, crate::attribution::MeanDistance::bytes),
            time_nanos: u64::try_from(now.0).unwrap_or(0).saturating_mul(1_000_000),
            duration_nanos: nanos(waited),
            program: &program,
            comment,
        })
    }
}

/// Returns the numbers of a stack's addresses in the profile, without those of the allocator itself.
#[cfg(feature = "heap-profile")]
fn locations(
    profile: &mut heapbeat_pprof::ProfileBuilder,
    symbols: &symbols::Symbols,
    stack: StackId,
) -> Vec<u64> {
    let frames = stack.frames();
    if frames.is_empty() {
        let unknown = || {
            vec![heapbeat_pprof::SourceLine {
                function: "(no call stack recorded)".into(),
                ..Default::default()
            }]
        };
        return vec![profile.location(0, unknown)];
    }
    let shown = frames.into_iter().filter(|address| !symbols.lines(*address).is_empty());
    shown.map(|address| profile.location(address, || symbols.lines(address))).collect()
}

#[cfg(test)]
mod tests;
