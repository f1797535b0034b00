//! The protocol between the heapbeat server and the edge: types, codecs, signatures, units.
//!
//! The server measures memory and responds; the edge probes and stores. Every name on the wire is defined here once, so that both always
//! agree. The crate is pure: no I/O, no clock, no randomness, no unsafe code. It compiles natively and to
//! WebAssembly.

#![forbid(unsafe_code)]

pub mod codec;
pub mod cursor;
pub mod event;
pub mod exit;
pub mod fnv;
pub mod forecast;
pub mod health;
pub mod negotiation;
pub mod openmetrics;
pub mod pressure;
pub mod report;
mod rfc3339;
pub mod sample;
pub mod series;
pub mod signing;
pub mod statement;
pub mod text;
pub mod units;

pub use cursor::{Cursor, InstanceId};
pub use exit::{Exit, ExitKind};
pub use health::{Health, HealthError, HealthMemory, Status};
pub use pressure::Pressure;
pub use sample::Sample;
pub use statement::{Param, Params, Statement};
pub use units::{Bytes, Megabytes, UnixMillis};
