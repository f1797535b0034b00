//! Who is told by a webhook, and who asks to be.

use super::node::Node;
use super::operation::{Operation, json};
use super::schema::{at_most, entry, list, monitor_id, of, record, text};
use crate::routes::subscribe::MOST_MONITORS;

const ONE: &str = r#"{"url":"https://hooks.example/status","monitors":["api"]}"#;
const ADDRESS: &str = r#"{"url":"https://hooks.example/status"}"#;

const UNPROVEN: &str =
    "The address did not answer the challenge with the challenge; what it did instead is not told.";
const OFF: &str = "Nobody may ask: the Worker has no `SUBSCRIPTIONS`.";

/// `POST /api/v1/subscriptions`.
pub(super) fn ask() -> Operation {
    Operation::own(
        "subscribe",
        "Ask to be told by a webhook",
        "The address is sent a POST with `event` (`subscribe`), `challenge` and `secret`, and is told of incidents once it has \
         answered with 2xx and the challenge as its body, within ten seconds. Nobody but the address gets the secret; messages \
         are signed with it as Standard Webhooks has it. An address that is told already is told by the new rules from then on. \
         409 where as many are told as may be. docs/subscribing.md has what the address is sent.",
        Vec::new(),
    )
    .anybodys(UNPROVEN, OFF)
    .sending("Where to, and of which monitors; of all without them.", "application/json", of("Subscription"), Node::read(ONE))
    .or([409])
}

/// `DELETE /api/v1/subscriptions`.
pub(super) fn end() -> Operation {
    Operation::own(
        "unsubscribe",
        "Ask to be told no more",
        "Proven as the other is, with `event` `unsubscribe` and no secret. An address that is not told anyway is no error.",
        Vec::new(),
    )
    .anybodys(UNPROVEN, OFF)
    .sending("Where to.", "application/json", of("Address"), Node::read(ADDRESS))
    .or([409])
}

/// `GET /api/v1/admin/subscriptions`.
pub(super) fn all() -> Operation {
    let told = [r#"{"subscriptions":["#, ONE, "]}"].concat();
    Operation::own(
        "getSubscriptions",
        "Who is told by a webhook",
        "Addresses as they were asked, and the monitors that they named; none for all.",
        vec![json(of("Subscriptions"), &told)],
    )
}

/// `DELETE /api/v1/admin/subscriptions`.
pub(super) fn remove() -> Operation {
    Operation::own(
        "removeSubscription",
        "Take an address out",
        "By the address, as the list has it. The address itself is not asked.",
        Vec::new(),
    )
    .done()
    .sending("The address.", "application/json", of("Address"), Node::read(ADDRESS))
    .or([409])
}

/// Schemas of this file.
pub(super) fn schemas() -> Vec<(&'static str, Node)> {
    let most = i64::try_from(MOST_MONITORS).unwrap_or_default();
    let url = text;
    let asked = entry(
        &["url"],
        [
            ("url", "An `https:` address that anybody can reach, without a user name.", url()),
            ("monitors", "Ids of monitors that the public may see.", at_most(most, monitor_id())),
        ],
    );
    let told = record([
        ("url", "Where to.", url()),
        ("monitors", "The ids that it named; none for all.", list(monitor_id())),
    ]);
    let all = record([("subscriptions", "The one that was asked for last, last.", list(told))]);
    let address = record([("url", "Where to.", url())]);
    vec![
        ("Subscription", asked.about("What a webhook is to be told of.")),
        ("Subscriptions", all.about("Who is told.")),
        ("Address", address.about("The address of a webhook.")),
    ]
}
