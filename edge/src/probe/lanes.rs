//! All probes of a tick, six at a time.
//!
//! The platform lets six connections wait for their headers at once and queues the rest; a queued probe's
//! timeout would run while it has not even begun. So they queue here, before their clock starts.

use std::cell::RefCell;
use std::collections::VecDeque;

use futures_util::future::join_all;

use super::{Allowance, deadline, probe, wall_clock};
use crate::config::Monitor;
use crate::watch::answer::Probed;

/// Probes that run at once.
pub const LANES: usize = 6;

/// Probes `due`, in that order. What could not be started in time is missing from the answer.
pub async fn probe_all(due: Vec<&Monitor>, allowance: &Allowance) -> Vec<Probed> {
    let deadline = deadline(wall_clock());
    let waiting = RefCell::new(VecDeque::from(due));
    let probed = RefCell::new(Vec::new());
    let lane = async || {
        while wall_clock() <= deadline {
            let Some(monitor) = waiting.borrow_mut().pop_front() else { return };
            let result = probe(monitor, allowance).await;
            let done = Probed { monitor: monitor.id.clone(), heard: wall_clock(), result };
            probed.borrow_mut().push(done);
        }
    };
    join_all((0..LANES).map(|_| lane())).await;
    probed.into_inner()
}
