//! Who is told by a webhook or in a browser, and who asks to be.

use super::node::Node;
use super::operation::{Operation, json};
use super::schema::{at_most, entry, flag, list, matching, monitor_id, of, record, text};
use crate::web::routes::subscribe::MOST_MONITORS;

const ONE: &str = r#"{"url":"https://hooks.example/status","monitors":["api"]}"#;
const ADDRESS: &str = r#"{"url":"https://hooks.example/status"}"#;

const UNPROVEN: &str = "The address did not answer the challenge with the challenge, or the push service did not take the message; what it did \
     instead is not told.";
const OFF: &str = "Nobody may ask: the Worker has no `SUBSCRIPTIONS`.";

/// `POST /api/v1/subscriptions`.
pub(super) fn ask() -> Operation {
    Operation::own(
        "subscribe",
        "Ask to be told by a webhook, or in a browser",
        "The address is sent a POST with `event` (`subscribe`), `challenge` and `secret`, and is told of incidents once it has \
         answered with 2xx and the challenge as its body, within ten seconds. Nobody but the address gets the secret; messages \
         are signed with it as Standard Webhooks has it. An address that is told already is told by the new rules from then on. \
         A browser sends the address and the keys of its `PushSubscription` instead, and is proven by the push service's taking a \
         first message. 409 where as many are told as may be. docs/subscribing.md has what either is sent.",
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
        "Proven as the other is, with `event` `unsubscribe` and no secret; a browser's by its keys. An address that is not told \
         anyway is no error.",
        Vec::new(),
    )
    .anybodys(UNPROVEN, OFF)
    .sending("Where to.", "application/json", of("Address"), Node::read(ADDRESS))
    .or([409])
}

/// `GET /api/v1/admin/subscriptions`.
pub(super) fn all() -> Operation {
    let told = [r#"{"subscriptions":["#, ONE.trim_end_matches('}'), r#","push":false}]}"#].concat();
    Operation::own(
        "getSubscriptions",
        "Who is told",
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
    let keys = || {
        record([
            ("p256dh", "A point of P-256.", matching("^B[A-Za-z0-9_-]{86}=?$")),
            ("auth", "A secret of sixteen bytes.", matching("^[A-Za-z0-9_-]{22}(==)?$")),
        ])
    };
    let asked = entry(
        &["url"],
        [
            ("url", "An `https:` address that anybody can reach, without a user name.", url()),
            ("monitors", "Ids of monitors that the public may see.", at_most(most, monitor_id())),
            ("keys", "A browser's.", keys()),
        ],
    );
    let told = record([
        ("url", "Where to.", url()),
        ("monitors", "The ids that it named; none for all.", list(monitor_id())),
        ("push", "Whether it is a browser, at a push service.", flag()),
    ]);
    let all = record([("subscriptions", "The one that was asked for last, last.", list(told))]);
    let address =
        entry(&["url"], [("url", "Where to.", url()), ("keys", "A browser's, as it gave them.", keys())]);
    vec![
        ("Subscription", asked.about("What somebody is to be told of.")),
        ("Subscriptions", all.about("Who is told.")),
        ("Address", address.about("The address of a webhook, or of a browser.")),
    ]
}
