//! The agents in real programs of each runtime that is installed. Those that are missing are reported as skipped.

mod naming;
mod node;
mod python;
mod shapes;
mod support;
