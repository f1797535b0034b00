//! Signed reports of heapbeat servers: verification, continuity between two reports, restarts and exits.

pub mod exit;
pub mod exit_matching;
pub mod last_report;
pub mod restart;
pub mod restart_gap;
pub mod traffic;
pub mod verification;
pub mod version_comparison;
