//! The test of the owner's alert channels: a marked message to each, and what came back.

use std::cell::RefCell;

use heapbeat_shared::UnixMillis;
use worker::Env;

use super::error::HubResult;
use super::outbox::{Outbox, send_to_channel};
use crate::notify::circuit::Obstacle;
use crate::notify::{Channel, DeliveryResult, Message};
use crate::platform::concurrency::for_each_concurrent;
use crate::settings::{WorkerSettings, channel_obstacle};
use crate::view::{AlertTestView, ChannelTestView};

/// Sends a test message to each channel at `now`, six at a time.
pub(super) async fn test_channels(
    env: &Env,
    settings: &WorkerSettings,
    outbox: &Outbox,
    now: UnixMillis,
) -> HubResult<AlertTestView> {
    let channels: Vec<&Channel> = settings.channels.list.iter().collect();
    let results = RefCell::new(vec![None; channels.len()]);
    let collected = &results;
    for_each_concurrent(channels.iter().enumerate().collect(), |(index, channel)| async move {
        let message = Message::test(channel.id.as_str(), now, settings.status_url.as_deref());
        let (result, reply) = if let Some(obstacle) = channel_obstacle(env, channel) {
            (Err(obstacle), String::new())
        } else {
            let (result, reply) = send_to_channel(env, channel, &message).await;
            (Ok(result), reply)
        };
        collected.borrow_mut()[index] = Some((result, reply));
    })
    .await;
    let mut view = AlertTestView::default();
    for (channel, found) in channels.into_iter().zip(results.into_inner()) {
        let Some((result, reply)) = found else { continue };
        let accepted = result == Ok(DeliveryResult::Accepted);
        if accepted {
            outbox.close_circuit(&channel.id)?;
        }
        view.channels.push(ChannelTestView {
            channel: channel.id.to_string(),
            kind: channel.service.as_str().to_owned(),
            accepted,
            result: result.map_or_else(Obstacle::describe, DeliveryResult::describe),
            reply: if accepted { String::new() } else { reply },
        });
    }
    Ok(view)
}
