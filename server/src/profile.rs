//! `GET /debug/heap`: which lines of code hold the memory, as a profile for `pprof`.
//!
//! It is made from the samples that attribution keeps anyway, told apart by call stack as well as by route. Stacks are
//! only taken when somebody asked for them, at start or for a window of time. Addresses become names when a profile is
//! made, on a thread for such work, and what had to be read of the program's file for that is let go afterwards.

#[cfg(feature = "heap-profile")]
mod pprof;
#[cfg(feature = "heap-profile")]
mod symbols;

use std::time::Duration;

use heapbeat_shared::UnixMillis;

#[cfg(feature = "heap-profile")]
use crate::attribution::{StackId, held};
use crate::attribution::{Window, always_taken, sampling};

/// Shortest and longest window.
const WINDOW: std::ops::RangeInclusive<u64> = 1..=300;

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileRequest {
    /// All that is held now.
    Now,
    /// What is allocated within so many seconds and still held at their end.
    Within(Duration),
}

/// Why there is no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProfileError {
    #[error("this program was built without the feature `heap-profile` of the crate heapbeat")]
    NotBuilt,
    #[error("`seconds` is a whole number from 1 to 300")]
    Seconds,
    #[error(
        "call stacks are not taken at present: ask with ?seconds=30, or start with HEAPBEAT_HEAP_PROFILE=on"
    )]
    Off,
    #[error("memory is short, and looking names up takes some: come back when it is below the purge mark")]
    Short,
    #[error("a profile is being made already; come back when it is done")]
    Busy,
    #[error(
        "allocations are not sampled: heapbeat::Allocator is not the global allocator, or sampling is switched off"
    )]
    NoSamples,
}

impl ProfileRequest {
    /// `?seconds=30`, or none.
    pub(crate) fn of(query: Option<&str>) -> Result<Self, ProfileError> {
        let mut pairs = query.unwrap_or_default().split('&');
        let Some(text) = pairs.find_map(|pair| pair.strip_prefix("seconds=")) else {
            return Ok(ProfileRequest::Now);
        };
        let seconds =
            text.parse().ok().filter(|seconds| WINDOW.contains(seconds)).ok_or(ProfileError::Seconds)?;
        Ok(ProfileRequest::Within(Duration::from_secs(seconds)))
    }
}

/// A profile that can be made: the window is open, if one was wished for.
#[derive(Debug)]
pub(crate) struct ProfileOptions {
    window: Option<(Window, Duration)>,
}

impl ProfileOptions {
    /// Begins, if it can be done.
    pub(crate) fn open(wish: ProfileRequest) -> Result<Self, ProfileError> {
        if !cfg!(feature = "heap-profile") {
            return Err(ProfileError::NotBuilt);
        }
        if sampling().is_none() || crate::attribution::sampling_counts().taken == 0 {
            return Err(ProfileError::NoSamples);
        }
        match wish {
            ProfileRequest::Now if always_taken() => Ok(ProfileOptions { window: None }),
            ProfileRequest::Now => Err(ProfileError::Off),
            ProfileRequest::Within(time) => {
                Ok(ProfileOptions { window: Some((Window::open().ok_or(ProfileError::Busy)?, time)) })
            }
        }
    }

    /// How long to wait before it is made.
    pub(crate) fn wait(&self) -> Duration {
        self.window.as_ref().map_or(Duration::ZERO, |(_, time)| *time)
    }

    /// Without the feature no profile can be opened, so none is made.
    #[cfg(not(feature = "heap-profile"))]
    pub(crate) fn make(self, _now: UnixMillis, _waited: Duration) -> Vec<u8> {
        drop(self);
        Vec::new()
    }

    /// Makes the profile. Takes up to seconds, and memory for the names meanwhile: `docs/finding-a-leak.md` has figures.
    #[cfg(feature = "heap-profile")]
    pub(crate) fn make(self, now: UnixMillis, waited: Duration) -> Vec<u8> {
        let held = held(self.window.as_ref().map(|(window, _)| window.period()));
        let comment = match self.window {
            Some(_) => "allocated within the window and held at its end",
            None => "all that is held",
        };
        // Stacks need not be taken while names are looked up.
        drop(self);
        let mut profile = pprof::ProfileBuilder::default();
        let symbols = symbols::Symbols::new();
        let mut all: Vec<_> = held.into_iter().collect();
        all.sort_unstable_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.1.cmp(b.0.1)));
        for ((stack, route), held) in all {
            let locations = locations(&mut profile, &symbols, stack);
            profile.add_sample(locations, [held.samples, held.bytes], ("route", route));
        }
        let program = std::env::current_exe().unwrap_or_default().to_string_lossy().into_owned();
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        profile.encode(&pprof::ProfileHeader {
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
fn locations(profile: &mut pprof::ProfileBuilder, symbols: &symbols::Symbols, stack: StackId) -> Vec<u64> {
    let frames = stack.frames();
    if frames.is_empty() {
        let unknown =
            || vec![pprof::SourceLine { function: "(no call stack was taken)".into(), ..Default::default() }];
        return vec![profile.location(0, unknown)];
    }
    let shown = frames.into_iter().filter(|address| !symbols.lines(*address).is_empty());
    shown.map(|address| profile.location(address, || symbols.lines(address))).collect()
}

#[cfg(test)]
mod tests;
