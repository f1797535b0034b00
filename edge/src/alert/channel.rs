//! Where alerts go: `[[vars.ALERTS]]`, which holds names of secrets and never what they stand for.

use std::time::Duration;

use heapbeat_shared::tree;
use heapbeat_shared::units::parse_duration;
use heapbeat_shared::wire::{self, Wire};
use serde_json::Value;

use super::quiet::Quiet;
use crate::config::{MonitorId, Problem, SecretName};

/// The id of a channel is written like that of a monitor.
pub type ChannelId = MonitorId;

/// The variable's name, and the beginning of every position.
const VARIABLE: &str = "ALERTS";

/// Most channels.
const MOST: usize = 20;

/// One place where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its id, unique.
    pub id: ChannelId,
    /// Who delivers.
    pub service: Service,
    /// The Worker secret with the address, key or token.
    pub secret: SecretName,
    /// How often an incident that goes on is told again; `None`: never.
    pub reminder: Option<Duration>,
    /// The service's address where it is not the usual one.
    pub endpoint: Option<String>,
    /// The hours in which it is told of outages only.
    pub quiet: Option<Quiet>,
}

/// Who delivers, and what it needs to know beside the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// Anything that takes a POST; the secret is the address.
    Webhook {
        /// The body, with `{{title}}`, `{{text}}` and others in it; our own JSON without one.
        template: Option<String>,
    },
    /// An incoming webhook; the secret is its address.
    Slack,
    /// A webhook; the secret is its address.
    Discord,
    /// A bot; the secret is its token.
    Telegram {
        /// The chat's number, or `@name`.
        chat: String,
    },
    /// Events API v2; the secret is the integration's key.
    Pagerduty,
    /// The secret is an access token.
    Ntfy {
        /// The topic.
        topic: String,
    },
    /// Resend's HTTP API; the secret is its key.
    Email {
        /// Sender, of a domain that Resend knows.
        from: String,
        /// Receivers.
        to: Vec<String>,
    },
}

/// All channels, and what was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// The valid ones.
    pub list: Vec<Channel>,
    /// What was refused.
    pub problems: Vec<Problem>,
}

/// One entry as it is written.
struct Entry {
    id: String,
    kind: String,
    secret: String,
    reminder: Option<String>,
    endpoint: Option<String>,
    template: Option<String>,
    chat: Option<String>,
    topic: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
    quiet: Option<String>,
    time_zone: Option<String>,
}

wire::object! { Entry { id, kind, secret, reminder, endpoint, template, chat, topic, from, to, quiet, time_zone = "time-zone" } }

/// The settings that there are.
const SETTINGS: [&str; 12] = [
    "id",
    "kind",
    "secret",
    "reminder",
    "endpoint",
    "template",
    "chat",
    "topic",
    "from",
    "to",
    "quiet",
    "time-zone",
];

fn entry(value: &Value) -> Result<Entry, String> {
    let entry = Entry::read(value).map_err(|error| error.to_string())?;
    let mut names = value.as_object().into_iter().flat_map(|fields| fields.keys());
    match names.find(|name| !SETTINGS.contains(&name.as_str())) {
        Some(name) => Err(format!("`{name}` is no setting of a channel; there are {}", SETTINGS.join(", "))),
        None => Ok(entry),
    }
}

impl Channels {
    /// Reads the JSON of `ALERTS`; `None` when the variable is not there. `allow_private`: whether an endpoint may do
    /// without TLS, for local runs.
    pub fn parse(text: Option<&str>, allow_private: bool) -> Channels {
        let mut channels = Channels::default();
        let Some(text) = text else { return channels };
        let entries = match tree::read(text) {
            Ok(Value::Array(entries)) if entries.len() <= MOST => entries,
            Ok(_) => return channels.refuse(VARIABLE, format!("should be a list of at most {MOST} tables")),
            Err(error) => return channels.refuse(VARIABLE, format!("is not JSON: {error}")),
        };
        for (index, entry) in entries.into_iter().enumerate() {
            let position = format!("{VARIABLE}[{index}]");
            match self::entry(&entry).and_then(|entry| channel(entry, allow_private)) {
                Ok(channel) if channels.get(&channel.id).is_some() => {
                    channels =
                        channels.refuse(&position, format!("`{}` is taken by an entry above", channel.id));
                }
                Ok(channel) => channels.list.push(channel),
                Err(reason) => channels = channels.refuse(&position, reason),
            }
        }
        channels
    }

    /// The channel of this id.
    pub fn get(&self, id: &ChannelId) -> Option<&Channel> {
        self.list.iter().find(|channel| channel.id == *id)
    }

    fn refuse(mut self, position: &str, reason: String) -> Self {
        self.problems.push(Problem { position: position.to_owned(), reason });
        self
    }
}

fn channel(entry: Entry, allow_private: bool) -> Result<Channel, String> {
    let id = entry.id.parse::<ChannelId>().map_err(|error| format!("id: {error}"))?;
    let secret = entry.secret.parse::<SecretName>().map_err(|error| format!("secret: {error}"))?;
    let kind = entry.kind.as_str();
    let needs = |name: &str, value: Option<String>| {
        value.filter(|text| !text.is_empty()).ok_or(format!("{name}: is missing, {kind} needs it"))
    };
    let given = [
        ("template", entry.template.is_some(), kind == "webhook"),
        ("chat", entry.chat.is_some(), kind == "telegram"),
        ("topic", entry.topic.is_some(), kind == "ntfy"),
        ("from", entry.from.is_some(), kind == "email"),
        ("to", entry.to.is_some(), kind == "email"),
        ("endpoint", entry.endpoint.is_some(), !matches!(kind, "webhook" | "slack" | "discord")),
    ];
    let service = match kind {
        "webhook" => Service::Webhook { template: entry.template },
        "slack" => Service::Slack,
        "discord" => Service::Discord,
        "telegram" => Service::Telegram { chat: needs("chat", entry.chat)? },
        "pagerduty" => Service::Pagerduty,
        "ntfy" => Service::Ntfy { topic: needs("topic", entry.topic)? },
        "email" => Service::Email {
            from: needs("from", entry.from)?,
            to: entry
                .to
                .filter(|to| !to.is_empty() && to.len() <= 50)
                .ok_or("to: should be 1 to 50 addresses")?,
        },
        _ => {
            return Err(
                "kind: should be webhook, slack, discord, telegram, pagerduty, ntfy or email".to_owned()
            );
        }
    };
    if let Some((name, _, _)) = given.iter().find(|(_, given, fits)| *given && !fits) {
        return Err(format!("{name}: is no setting of {kind}; take it out"));
    }
    if let Some(endpoint) = &entry.endpoint
        && !(endpoint.starts_with("https://") || allow_private && endpoint.starts_with("http://"))
    {
        return Err("endpoint: should begin with https://".to_owned());
    }
    let reminder = entry.reminder.as_deref().map(parse_duration).transpose();
    let reminder = reminder.map_err(|error| format!("reminder: {error}"))?;
    if reminder.is_some_and(|every| every < Duration::from_secs(300)) {
        return Err("reminder: should be 5m or more".to_owned());
    }
    if entry.time_zone.is_some() && entry.quiet.is_none() {
        return Err("time-zone: goes with quiet, such as 22:00-07:00, only".to_owned());
    }
    let quiet = entry.quiet.as_deref().map(|text| Quiet::parse(text, entry.time_zone.as_deref()));
    Ok(Channel { id, service, secret, reminder, endpoint: entry.endpoint, quiet: quiet.transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_what_it_needs() {
        let text = r#"[
            {"id":"a","kind":"webhook","secret":"A","template":"{}"},
            {"id":"b","kind":"slack","secret":"B","reminder":"4h"},
            {"id":"c","kind":"discord","secret":"C","quiet":"22:00-07:00","time-zone":"Europe/Berlin"},
            {"id":"d","kind":"telegram","secret":"D","chat":"-100123"},
            {"id":"e","kind":"pagerduty","secret":"E","endpoint":"https://events.eu.pagerduty.com"},
            {"id":"f","kind":"ntfy","secret":"F","topic":"t"},
            {"id":"g","kind":"email","secret":"G","from":"a@b.example","to":["c@d.example"]}
        ]"#;
        let channels = Channels::parse(Some(text), false);
        assert_eq!(channels.problems, []);
        assert_eq!(channels.list.len(), 7);
        assert_eq!(channels.list[1].reminder, Some(Duration::from_secs(4 * 3600)));
        assert_eq!(Channels::parse(None, false), Channels::default());
    }

    #[test]
    fn what_is_wrong_is_said_and_the_others_stay() {
        let cases = [
            (r#"{"id":"A","kind":"slack","secret":"S"}"#, "id: `A` is no id"),
            (r#"{"id":"a","kind":"sms","secret":"S"}"#, "kind: should be webhook, slack"),
            (r#"{"id":"a","kind":"slack"}"#, "`secret` is missing or not of its kind"),
            (
                r#"{"id":"a","kind":"slack","secret":"https://hooks.slack.com/x"}"#,
                "secret: is no name of a secret",
            ),
            (
                r#"{"id":"a","kind":"slack","secret":"S","url":"x"}"#,
                "`url` is no setting of a channel; there are id, kind, secret",
            ),
            (r#"{"id":"a","kind":"telegram","secret":"S"}"#, "chat: is missing, telegram needs it"),
            (
                r#"{"id":"a","kind":"slack","secret":"S","quiet":"at night"}"#,
                "quiet: should be two times of day",
            ),
            (r#"{"id":"a","kind":"slack","secret":"S","time-zone":"UTC"}"#, "time-zone: goes with quiet"),
            (r#"{"id":"a","kind":"slack","secret":"S","topic":"t"}"#, "topic: is no setting of slack"),
            (r#"{"id":"a","kind":"slack","secret":"S","reminder":"1m"}"#, "reminder: should be 5m or more"),
            (
                r#"{"id":"a","kind":"ntfy","secret":"S","topic":"t","endpoint":"http://x"}"#,
                "endpoint: should begin",
            ),
            (r#"{"id":"ok","kind":"slack","secret":"S"}"#, "`ok` is taken by an entry above"),
        ];
        for (entry, reason) in cases {
            let text = format!(r#"[{{"id":"ok","kind":"discord","secret":"S"}},{entry}]"#);
            let channels = Channels::parse(Some(&text), false);
            assert_eq!(channels.list.len(), 1, "{entry}");
            let said = &channels.problems[0];
            assert_eq!(said.position, "ALERTS[1]");
            assert!(said.reason.starts_with(reason), "{entry}: {}", said.reason);
        }
    }
}
