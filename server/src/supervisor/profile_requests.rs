//! Passes requests for heap profiles on to the agent of the process with the largest heap, and its answer back.

use std::time::Instant;

use super::agent_link::AgentLink;
use crate::endpoints::profile_queue::{ProfileQueue, QueuedProfile};
use crate::profile::ProfileError;

/// The request that an agent works on.
#[derive(Debug, Default)]
pub(super) struct ProfileRequests {
    pending: Option<(u32, QueuedProfile, Instant)>,
}

impl ProfileRequests {
    /// Requests the next profile from a process of `family`. A request to a process that is not one of them any more is given up.
    pub(super) fn step(
        &mut self,
        queue: &ProfileQueue,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        family: &[u32],
        now: Instant,
    ) {
        // Dropping a request answers it.
        self.pending
            .take_if(|(pid, request, until)| now >= *until || !request.is_wanted() || !family.contains(pid));
        if self.pending.is_some() {
            return;
        }
        let Some(request) = queue.take_request() else { return };
        let asked = agents.and_then(|agents| {
            let heaps = agents.heaps(family, now);
            let largest = heaps.iter().max_by_key(|heap| heap.used.or(heap.total))?.pid;
            agents.request_profile(largest, request.seconds).then_some(largest)
        });
        let Some(pid) = asked else { return request.answer(Err(ProfileError::NoAgent)) };
        let until = now + request.timeout();
        self.pending = Some((pid, request, until));
    }

    /// Passes on the answer of an agent.
    pub(super) fn finish(&mut self, pid: u32, profile: &Result<Vec<u8>, String>) {
        let Some((_, request, _)) = self.pending.take_if(|(asked, ..)| *asked == pid) else { return };
        request.answer(profile.clone().map_err(|reason| {
            tracing::warn!("process {pid} did not make a heap profile: {reason}");
            ProfileError::Refused
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::supervisor::agent_link::fake::{FakeAgents, heap};

    #[tokio::test]
    async fn a_request_to_a_process_that_was_replaced_is_answered_at_once() {
        let (queue, now) = (Arc::new(ProfileQueue::default()), Instant::now());
        let mut agents = FakeAgents { heaps: vec![heap(7, 10, 100, now)], ..FakeAgents::default() };
        let mut requests = ProfileRequests::default();
        let asking = Arc::clone(&queue);
        let request = tokio::spawn(async move { asking.request(0).await });
        while requests.pending.is_none() {
            tokio::task::yield_now().await;
            requests.step(&queue, Some(&mut agents), &[7, 8], now);
        }
        requests.step(&queue, Some(&mut agents), &[8], now + Duration::from_secs(1));
        assert_eq!(request.await.unwrap(), Err(ProfileError::NoAnswer));
    }
}
