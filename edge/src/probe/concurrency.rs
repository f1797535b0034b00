//! All probes of a tick, six at a time.
//!
//! The platform lets six connections wait for their headers at once and queues the rest; a queued probe's
//! timeout would run while it has not even begun. So they queue here, before their clock starts.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::{RequestBudget, deadline, probe, wall_clock};
use crate::config::Monitor;
use crate::domain::check::outcome::ProbeResult;

/// Work that says when it is done whether the next may begin.
type MaintenanceWindow<'w> = Pin<Box<dyn Future<Output = bool> + 'w>>;

/// Works at `items`, six at a time, in their order; each piece of work says whether the next one may begin.
pub(crate) async fn six_at_once<'w, T, F>(items: Vec<T>, work: impl Fn(T) -> F)
where
    F: Future<Output = bool> + 'w,
{
    let mut waiting: VecDeque<MaintenanceWindow<'w>> = VecDeque::new();
    for item in items {
        waiting.push_back(Box::pin(work(item)));
    }
    lanes(waiting).await;
}

/// One piece of code for all kinds of work.
async fn lanes(mut waiting: VecDeque<MaintenanceWindow<'_>>) {
    let (mut lanes, mut running) = (6, Vec::new());
    poll_fn(|context| {
        loop {
            while running.len() < lanes
                && let Some(next) = waiting.pop_front()
            {
                running.push(next);
            }
            let before = running.len();
            running.retain_mut(|work: &mut MaintenanceWindow<'_>| match work.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(more) => {
                    lanes -= usize::from(!more);
                    false
                }
            });
            if running.is_empty() && (waiting.is_empty() || lanes == 0) {
                return Poll::Ready(());
            }
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// Probes `due`, in that order. What could not be started in time is missing from the answer.
pub async fn probe_all(due: Vec<&Monitor>, allowance: &RequestBudget) -> Vec<ProbeResult> {
    let deadline = deadline(wall_clock());
    let found = RefCell::new(Vec::new());
    let probed = &found;
    six_at_once(due, |monitor| async move {
        let result = probe(monitor, allowance).await;
        probed.borrow_mut().push(ProbeResult { monitor: monitor.id.clone(), received: wall_clock(), result });
        wall_clock() <= deadline
    })
    .await;
    found.into_inner()
}
