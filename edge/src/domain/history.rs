//! The past of a monitor: states, uptime, latency and memory, each in the resolutions that are kept.

pub mod days;
pub mod downsample;
pub mod latency;
pub mod latency_series;
pub mod ledger;
pub mod memory_chart;
pub mod recent_probes;
pub mod retention;
pub mod ring;
pub mod rollup;
pub mod uptime;
pub mod verdict_codec;
