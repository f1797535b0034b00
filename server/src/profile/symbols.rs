//! From addresses to functions, files and lines, by the debug information of the program's own file.
//!
//! With `debug = "line-tables-only"` all of them are available, without debug information only names, in a stripped program only
//! addresses.

use std::cell::RefCell;
use std::collections::HashMap;

use heapbeat_pprof::SourceLine;

/// Resolves addresses; releases the program's file when dropped.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    known: RefCell<HashMap<usize, Vec<SourceLine>>>,
}

impl Symbols {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Returns the functions at a return address, innermost first; empty if all of them are the allocator's.
    pub(super) fn lines(&self, address: usize) -> Vec<SourceLine> {
        self.known.borrow_mut().entry(address).or_insert_with(|| resolve(address)).clone()
    }
}

impl Drop for Symbols {
    fn drop(&mut self) {
        backtrace::clear_symbol_cache();
    }
}

/// Whether a function is between an allocation and its sample: this crate's allocator, or the shims that the compiler puts in
/// front of every global allocator.
fn belongs_to_allocator(function: &str) -> bool {
    const SHIMS: [&str; 4] = ["__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc", "__rg_"];
    const OURS: [&str; 4] = [
        "heapbeat::allocator::",
        "heapbeat::attribution::stacks::",
        "heapbeat::attribution::estimate::",
        "backtrace::backtrace::",
    ];
    OURS.iter().any(|ours| function.contains(ours)) || SHIMS.iter().any(|shim| function.contains(shim))
}

/// Whether a file is the allocator's: with line tables only, functions that were inlined have no path to their name.
fn is_allocators_file(file: &str) -> bool {
    let ours = file.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src/"));
    ours.is_some_and(|file| {
        ["allocator.rs", "attribution/stacks.rs", "attribution/estimate.rs"].contains(&file)
    })
}

fn resolve(address: usize) -> Vec<SourceLine> {
    let mut lines = symbols_at(address);
    if lines.iter().all(|line| line.function.is_empty()) {
        return vec![SourceLine { function: format!("{address:#x}"), ..SourceLine::default() }];
    }
    // The allocator may be inlined into its caller, which is then shown.
    let own =
        lines.iter().rposition(|line| belongs_to_allocator(&line.function) || is_allocators_file(&line.file));
    lines.split_off(own.map_or(0, |last| last + 1))
}

/// The functions at an address, innermost first; several where some were inlined.
fn symbols_at(address: usize) -> Vec<SourceLine> {
    let mut lines = Vec::new();
    backtrace::resolve(std::ptr::without_provenance_mut(address), |symbol| {
        let function = symbol.name().map_or_else(String::new, |name| plain(&format!("{name:#}")));
        let file = symbol.filename().map_or_else(String::new, |file| file.to_string_lossy().into_owned());
        lines.push(SourceLine { function, file, number: symbol.lineno().unwrap_or(0) });
    });
    lines
}

/// A name as people write it: `a::b::{closure}` instead of `a::b::{{closure}}`.
fn plain(name: &str) -> String {
    name.replace("{{closure}}", "{closure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_allocator_are_recognized() {
        let cases = [
            ("heapbeat::allocator::allocate_crossed", true),
            ("<heapbeat::allocator::Allocator as core::alloc::global::GlobalAlloc>::alloc", true),
            ("__rustc::__rust_alloc", true),
            ("__rustc[b32aa]::__rust_realloc", true),
            ("alloc::vec::Vec<T>::with_capacity", false),
            ("my_application::allocator::Pool::new", false),
        ];
        for (function, own) in cases {
            assert_eq!(belongs_to_allocator(function), own, "{function}");
        }
    }

    #[test]
    fn inlined_functions_are_recognized_by_their_file() {
        assert!(is_allocators_file(concat!(env!("CARGO_MANIFEST_DIR"), "/src/attribution/stacks.rs")));
        assert!(!is_allocators_file("/home/me/application/src/allocator.rs"));
    }

    #[test]
    fn an_unknown_address_is_shown_as_a_number() {
        let lines = Symbols::new().lines(0x10);
        assert_eq!(lines, [SourceLine { function: "0x10".into(), ..SourceLine::default() }]);
    }
}
