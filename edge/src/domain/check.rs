//! One check of a monitor: from the outcome of a probe to a verdict, and from verdicts to a state.

pub mod body_encoding;
pub mod decompress;
pub mod dns_answer;
pub mod domain_record;
pub mod failed_condition;
pub mod failure;
pub mod flap;
pub mod outcome;
pub mod own_zone;
pub mod probe_schedule;
pub mod quorum;
pub mod request_plan;
pub mod schedule;
pub mod self_check;
pub mod state;
pub mod threshold;
pub mod verdict;
