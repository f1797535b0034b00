//! The limit of concurrent requests.
//!
//! The platform lets six connections wait for their headers at once and queues the rest. A queued request's timeout would run
//! before the request begins, so requests are queued here, before their clock starts.

use futures_util::StreamExt as _;
use futures_util::stream;

/// Connections that may wait for their headers at once.
const MAX_CONNECTIONS: usize = 6;

/// Runs `work` on each of `items` in their order, six at a time.
pub(crate) async fn for_each_concurrent<T, F: Future<Output = ()>>(items: Vec<T>, work: impl Fn(T) -> F) {
    stream::iter(items).for_each_concurrent(MAX_CONNECTIONS, work).await;
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures_util::future::poll_fn;

    use super::*;

    #[test]
    fn six_items_are_worked_on_at_a_time_in_their_order() {
        let (running, most, order) = (Cell::new(0), Cell::new(0), RefCell::new(Vec::new()));
        let work = |item: usize| {
            let (running, most, order) = (&running, &most, &order);
            async move {
                order.borrow_mut().push(item);
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                let mut polls = 0;
                poll_fn(|context: &mut Context<'_>| {
                    context.waker().wake_by_ref();
                    polls += 1;
                    if polls > 20 { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                running.set(running.get() - 1);
            }
        };
        let mut all = pin!(for_each_concurrent((0..20).collect(), work));
        let mut context = Context::from_waker(Waker::noop());
        while all.as_mut().poll(&mut context).is_pending() {}
        let in_order: Vec<usize> = (0..20).collect();
        assert_eq!((most.get(), order.borrow().as_slice()), (6, in_order.as_slice()));
    }
}
