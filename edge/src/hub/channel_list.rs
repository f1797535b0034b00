//! The owner's alert channels, with what keeps them from accepting alerts.

use worker::Env;

use super::error::HubResult;
use super::outbox::Outbox;
use crate::notify::Channel;
use crate::notify::circuit::{Circuit, Obstacle};
use crate::settings::{WorkerSettings, channel_obstacle};
use crate::view::{ChannelState, ChannelView, ChannelsView, Timestamp};

/// Lists the channels of the settings, in their order.
pub(super) fn list_channels(
    env: &Env,
    settings: &WorkerSettings,
    outbox: &Outbox,
) -> HubResult<ChannelsView> {
    let mut channels = Vec::new();
    for channel in &settings.channels.list {
        let record = outbox.record_of(&channel.id)?;
        let (circuit, waiting) = (record.circuit, record.waiting() as u64);
        channels.push(view_channel(channel, channel_obstacle(env, channel), circuit, waiting));
    }
    Ok(ChannelsView { channels })
}

/// Shows a channel. `obstacle` is what is wrong with its settings now.
fn view_channel(
    channel: &Channel,
    obstacle: Option<Obstacle>,
    circuit: Option<Circuit>,
    waiting: u64,
) -> ChannelView {
    // What was wrong with the settings and is corrected is no obstacle any more.
    let circuit = circuit.filter(|circuit| obstacle.is_some() || !circuit.obstacle.is_setup());
    let obstacle = obstacle.or_else(|| circuit.map(|circuit| circuit.obstacle));
    let is_setup = obstacle.is_some_and(Obstacle::is_setup);
    ChannelView {
        channel: channel.id.to_string(),
        kind: channel.service.as_str().to_owned(),
        state: match obstacle {
            None => ChannelState::Working,
            Some(_) if is_setup => ChannelState::Unusable,
            Some(obstacle) if obstacle.is_rejection() => ChannelState::Refusing,
            Some(_) => ChannelState::Failing,
        },
        reason: obstacle.map(Obstacle::describe),
        since: circuit.map(|circuit| Timestamp(circuit.failing_since)),
        failures: circuit.map_or(0, |circuit| circuit.failures),
        next_attempt: circuit.filter(|_| !is_setup).map(|circuit| Timestamp(circuit.next_attempt)),
        waiting,
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;
    use crate::notify::{Channels, DeliveryResult};

    #[test]
    fn a_channel_is_shown_with_what_keeps_it_from_accepting_alerts() {
        use ChannelState::{Failing, Refusing, Unusable, Working};
        let list = Channels::parse(Some(r#"[{"id":"ops","kind":"slack","secret":"S"}]"#), false).list;
        let at = UnixMillis(1_767_225_600_000);
        let failed = |result| Circuit::after(None, result, at);
        let unset = Some(Circuit::unusable(Obstacle::NoSecret, at));
        let no_secret = Some("the Worker does not have its secret");
        let cases = [
            ("works", None, None, Working, None),
            ("fails", None, failed(DeliveryResult::Failed(Some(500))), Failing, Some("status 500")),
            ("is silent", None, failed(DeliveryResult::Failed(None)), Failing, Some("no answer")),
            ("is busy", None, failed(DeliveryResult::Deferred(429, None)), Failing, Some("status 429")),
            ("refuses", None, failed(DeliveryResult::Rejected(404)), Refusing, Some("status 404")),
            ("nothing to send yet", Some(Obstacle::NoSecret), None, Unusable, no_secret),
            ("without a secret", Some(Obstacle::NoSecret), unset, Unusable, no_secret),
            ("its secret is set now", None, unset, Working, None),
        ];
        for (name, obstacle, circuit, state, reason) in cases {
            let view = view_channel(&list[0], obstacle, circuit, 0);
            assert_eq!((view.state, view.reason.as_deref()), (state, reason), "{name}");
            assert_eq!(view.since.is_some(), circuit.is_some() && state != Working, "{name}");
            assert_eq!(view.next_attempt.is_some(), matches!(state, Failing | Refusing), "{name}");
        }
    }
}
