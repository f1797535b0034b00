//! All probes of a tick, six at a time.
//!
//! The platform lets six connections wait for their headers at once and queues the rest; a queued probe's
//! timeout would run while it has not even begun. So they queue here, before their clock starts.

use std::cell::RefCell;
use std::collections::VecDeque;

use futures_util::future::{join, join3};

use super::{Allowance, deadline, probe, wall_clock};
use crate::config::Monitor;
use crate::watch::answer::Probed;

/// Works at `items`, six at a time, in their order; each piece of work says whether the next one may begin.
pub(crate) async fn six_at_once<T>(items: Vec<T>, work: impl AsyncFn(T) -> bool) {
    let waiting = RefCell::new(VecDeque::from(items));
    let lane = async || {
        loop {
            let Some(item) = waiting.borrow_mut().pop_front() else { return };
            if !work(item).await {
                return;
            }
        }
    };
    join(join3(lane(), lane(), lane()), join3(lane(), lane(), lane())).await;
}

/// Probes `due`, in that order. What could not be started in time is missing from the answer.
pub async fn probe_all(due: Vec<&Monitor>, allowance: &Allowance) -> Vec<Probed> {
    let deadline = deadline(wall_clock());
    let probed = RefCell::new(Vec::new());
    six_at_once(due, async |monitor| {
        let result = probe(monitor, allowance).await;
        probed.borrow_mut().push(Probed { monitor: monitor.id.clone(), heard: wall_clock(), result });
        wall_clock() <= deadline
    })
    .await;
    probed.into_inner()
}
