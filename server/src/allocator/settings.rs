//! jemalloc's settings, compiled in because jemalloc reads them before `main`.
//!
//! With its defaults, an idle jemalloc keeps the memory of its peak for ever, because only allocations drive its decay. With a
//! background thread it returns the memory within seconds. `_RJEM_MALLOC_CONF` in the environment overrides each setting. Costs and
//! effects are measured in `docs/configuration.md`.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};

/// - `background_thread`, `max_background_threads`: one thread returns unused pages while the program is idle.
/// - `dirty_decay_ms`, `muzzy_decay_ms`: unused pages are returned over one second, without a second stage.
/// - `narenas`: few arenas, as each keeps unused pages of its own.
/// - `tcache_max`: threads cache objects up to the size of a connection's buffers; larger ones would stay in the cache after a peak.
/// - `thp`: no huge pages, as returning a part of one splits it or fails.
const SETTINGS: &CStr = c"background_thread:true,max_background_threads:1,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:2,tcache_max:16384,thp:never";

/// A C string that foreign code may read.
#[repr(transparent)]
struct MallocConf(*const c_char);

// SAFETY: it points to constant bytes that nobody ever writes.
unsafe impl Sync for MallocConf {}

// SAFETY: this is the name under which the prefixed jemalloc of `tikv-jemalloc-sys` looks for its settings, a weak symbol
// of type `const char *`; `MallocConf` has the layout of a pointer, to a string that ends with a zero byte and lives as
// long as the program.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[used]
static MALLOC_CONF: MallocConf = MallocConf(SETTINGS.as_ptr());

#[cfg(test)]
mod tests {
    use tikv_jemalloc_ctl::{opt, raw};

    #[test]
    fn jemalloc_found_its_settings() {
        assert!(opt::background_thread::read().unwrap());
        assert_eq!(opt::narenas::read().unwrap(), 2);
        // SAFETY: both options are of type ssize_t.
        let decay =
            unsafe { [raw::read::<isize>(b"opt.dirty_decay_ms\0"), raw::read(b"opt.muzzy_decay_ms\0")] };
        assert_eq!(decay.map(Result::unwrap), [1000, 0]);
    }
}
