//! Calls that make jemalloc return memory.
//!
//! `tikv-jemalloc-ctl` has no call for control names without a value, and names with an arena number need the `mallctl` interface
//! itself. The guard makes a few calls, on names that jemalloc documents (<https://jemalloc.net/jemalloc.3.html>).
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

use tikv_jemalloc_sys::mallctl;

/// `MALLCTL_ARENAS_ALL` of jemalloc 5: stands for every arena in `arena.<i>.purge`.
const ALL_ARENAS: u32 = 4096;

/// jemalloc refused a control call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("jemalloc's mallctl failed with error {0}")]
pub struct AllocatorError(c_int);

/// `EFAULT`: an arena number that was never used, or an arena that was destroyed.
const EFAULT: c_int = 14;

/// Maximum number of attempts of a purge, and the pause between them.
const MAX_ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Number of unused pages (a megabyte) that are not worth another attempt, as other threads free some all the time.
const NEGLIGIBLE_PAGES: usize = 256;

/// Returns all unused pages of all arenas to the system at once. It walks all arenas while other threads allocate, and takes
/// milliseconds per hundred megabytes. It blocks, so a thread that serves requests must not call it.
///
/// While jemalloc's background thread decays an arena, a purge of that arena silently does nothing (`pac_decay_to_limit` in jemalloc
/// 5.3). So the purge is repeated for at most a second, while more than an eighth of the unused pages remain and more than
/// `NEGLIGIBLE_PAGES`.
pub fn purge() -> Result<(), AllocatorError> {
    let name = CString::new(format!("arena.{ALL_ARENAS}.purge")).expect("a number has no zero byte");
    let before = unused_pages()?;
    for _ in 0..MAX_ATTEMPTS {
        command(&name)?;
        if unused_pages()? <= (before / 8).max(NEGLIGIBLE_PAGES) {
            break;
        }
        #[expect(clippy::disallowed_methods, reason = "jemalloc does not tell when its thread is done")]
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Returns the number of unused pages of all arenas that were not returned to the system.
fn unused_pages() -> Result<usize, AllocatorError> {
    // Writing the epoch updates the statistics.
    write(c"epoch", 1_u64)?;
    let pages = |kind: &str| {
        let name =
            CString::new(format!("stats.arenas.{ALL_ARENAS}.{kind}")).expect("a number has no zero byte");
        read::<usize>(&name)
    };
    Ok(pages("pdirty")? + pages("pmuzzy")?)
}

/// Sets the time after which unused pages are returned to the system, in milliseconds (-1: never, 0: at once), for existing and future
/// arenas.
pub fn set_dirty_decay(millis: isize) -> Result<(), AllocatorError> {
    write(c"arenas.dirty_decay_ms", millis)?;
    // `arena.4096.dirty_decay_ms` does not exist, so each arena is set.
    for arena in 0..read::<u32>(c"arenas.narenas")? {
        let name = CString::new(format!("arena.{arena}.dirty_decay_ms")).expect("a number has no zero byte");
        match write(&name, millis) {
            Ok(()) | Err(AllocatorError(EFAULT)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// After how many milliseconds new arenas give unused pages back.
pub fn dirty_decay() -> Result<isize, AllocatorError> {
    read(c"arenas.dirty_decay_ms")
}

/// Calls a control name without a value.
fn command(name: &CStr) -> Result<(), AllocatorError> {
    // SAFETY: `name` ends with a zero byte, and null pointers with length 0 mean that nothing is read or written.
    check(unsafe { mallctl(name.as_ptr().cast::<c_char>(), null_mut(), null_mut(), null_mut(), 0) })
}

fn write<T: Copy>(name: &CStr, mut value: T) -> Result<(), AllocatorError> {
    // SAFETY: `value` lives through the call and its size is passed along; jemalloc refuses (EINVAL) a size that is not
    // that of the name's type, and only reads through the pointer.
    check(unsafe {
        mallctl(
            name.as_ptr().cast::<c_char>(),
            null_mut(),
            null_mut(),
            (&raw mut value).cast(),
            size_of::<T>(),
        )
    })
}

fn read<T: Copy + Default>(name: &CStr) -> Result<T, AllocatorError> {
    let mut value = T::default();
    let mut size = size_of::<T>();
    // SAFETY: jemalloc writes at most `size` bytes to `value`, which has that many; it refuses (EINVAL) a size that is
    // not that of the name's type. `T` is a plain number in every use here.
    check(unsafe {
        mallctl(name.as_ptr().cast::<c_char>(), (&raw mut value).cast(), &raw mut size, null_mut(), 0)
    })?;
    Ok(value)
}

fn check(code: c_int) -> Result<(), AllocatorError> {
    if code == 0 { Ok(()) } else { Err(AllocatorError(code)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decay_is_set_for_the_arenas_to_come() {
        let before = dirty_decay().unwrap();
        set_dirty_decay(123).unwrap();
        assert_eq!(dirty_decay(), Ok(123));
        set_dirty_decay(before).unwrap();
        assert_eq!(dirty_decay(), Ok(before));
    }

    #[test]
    fn every_arena_can_be_purged() {
        assert_eq!(purge(), Ok(()));
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        assert_eq!(command(c"no.such.name"), Err(AllocatorError(2)));
        assert_eq!(write(c"arenas.dirty_decay_ms", 1u8), Err(AllocatorError(22)));
    }
}
