//! The edge half of heapbeat: a Worker that watches backends and tells the world about them.
//!
//! Pure parts ([`watch`], [`view`]) decide and are tested natively; the rim (hub, probe, routes) awaits.

pub mod view;
pub mod watch;
