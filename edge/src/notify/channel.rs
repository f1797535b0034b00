//! Where alerts go: `[[vars.ALERTS]]`, which holds names of secrets and never what they stand for.

use std::time::Duration;

use heapbeat_shared::units::parse_duration;
use serde_json::Value;

use super::quiet_hours::QuietHours;
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
    pub quiet: Option<QuietHours>,
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

/// The settings that there are, and the kinds that have them.
const SETTINGS: [(&str, &str); 12] = [
    ("id", KINDS),
    ("kind", KINDS),
    ("secret", KINDS),
    ("reminder", KINDS),
    ("endpoint", "telegram, pagerduty, ntfy, email"),
    ("template", "webhook"),
    ("chat", "telegram"),
    ("topic", "ntfy"),
    ("from", "email"),
    ("to", "email"),
    ("quiet", KINDS),
    ("time-zone", KINDS),
];

/// The kinds that there are.
const KINDS: &str = "webhook, slack, discord, telegram, pagerduty, ntfy, email";

/// An entry as it is written.
#[derive(Clone, Copy)]
struct Entry<'v>(&'v Value);

impl<'v> Entry<'v> {
    /// What stands under a name; what is `null` does not.
    fn get(self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    fn text(self, name: &str) -> Result<Option<&'v str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(unread(name)),
        }
    }

    /// A text that has to be there.
    fn needed(self, name: &str) -> Result<&'v str, String> {
        self.text(name)?.ok_or_else(|| unread(name))
    }

    /// A text that this kind cannot do without.
    fn of_kind(self, name: &str, kind: &str) -> Result<String, String> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("{name}: is missing, {kind} needs it")),
        }
    }

    /// Texts.
    fn texts(self, name: &str) -> Result<Vec<String>, String> {
        let mut texts = Vec::new();
        for value in self.get(name).and_then(Value::as_array).into_iter().flatten() {
            texts.push(value.as_str().ok_or_else(|| unread(name))?.to_owned());
        }
        Ok(texts)
    }
}

fn unread(name: &str) -> String {
    format!("`{name}` is missing or not of its kind")
}

/// `what: why`.
fn because(what: &str, why: &dyn std::fmt::Display) -> String {
    format!("{what}: {why}")
}

/// Whether a list of kinds has this one.
fn has(kinds: &str, kind: &str) -> bool {
    kinds.split(", ").any(|one| one == kind)
}

impl Channels {
    /// Reads the JSON of `ALERTS`; `None` when the variable is not there. `allow_private`: whether an endpoint may do
    /// without TLS, for local runs.
    pub fn parse(text: Option<&str>, allow_private: bool) -> Channels {
        let mut channels = Channels::default();
        let Some(text) = text else { return channels };
        let entries = match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(entries)) if entries.len() <= MOST => entries,
            Ok(_) => return channels.refuse(VARIABLE, format!("should be a list of at most {MOST} tables")),
            Err(error) => return channels.refuse(VARIABLE, format!("is not JSON: {error}")),
        };
        for (index, entry) in entries.into_iter().enumerate() {
            let position = format!("{VARIABLE}[{index}]");
            match channel(Entry(&entry), allow_private) {
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

fn channel(entry: Entry<'_>, allow_private: bool) -> Result<Channel, String> {
    let (id, kind, secret) = (entry.needed("id")?, entry.needed("kind")?, entry.needed("secret")?);
    for name in entry.0.as_object().into_iter().flat_map(|fields| fields.keys()) {
        match SETTINGS.iter().find(|(known, _)| known == name) {
            None => {
                let names = SETTINGS.map(|(name, _)| name).join(", ");
                return Err(format!("`{name}` is no setting of a channel; there are {names}"));
            }
            Some((_, kinds)) if !has(kinds, kind) && has(KINDS, kind) && entry.get(name).is_some() => {
                return Err(format!("{name}: is no setting of {kind}; take it out"));
            }
            Some(_) => {}
        }
    }
    let id = id.parse::<ChannelId>().map_err(|error| because("id", &error))?;
    let secret = secret.parse::<SecretName>().map_err(|error| because("secret", &error))?;
    let service = match kind {
        "webhook" => Service::Webhook { template: entry.text("template")?.map(str::to_owned) },
        "slack" => Service::Slack,
        "discord" => Service::Discord,
        "telegram" => Service::Telegram { chat: entry.of_kind("chat", kind)? },
        "pagerduty" => Service::Pagerduty,
        "ntfy" => Service::Ntfy { topic: entry.of_kind("topic", kind)? },
        "email" => {
            let (from, to) = (entry.of_kind("from", kind)?, entry.texts("to")?);
            if !(1..=50).contains(&to.len()) {
                return Err("to: should be 1 to 50 addresses".to_owned());
            }
            Service::Email { from, to }
        }
        _ => return Err(format!("kind: should be one of {KINDS}")),
    };
    let endpoint = entry.text("endpoint")?.map(str::to_owned);
    if let Some(endpoint) = &endpoint
        && !(endpoint.starts_with("https://") || allow_private && endpoint.starts_with("http://"))
    {
        return Err("endpoint: should begin with https://".to_owned());
    }
    let reminder = entry.text("reminder")?.map(parse_duration).transpose();
    let reminder = reminder.map_err(|error| because("reminder", &error))?;
    if reminder.is_some_and(|every| every < Duration::from_secs(300)) {
        return Err("reminder: should be 5m or more".to_owned());
    }
    let (quiet, zone) = (entry.text("quiet")?, entry.text("time-zone")?);
    if zone.is_some() && quiet.is_none() {
        return Err("time-zone: goes with quiet, such as 22:00-07:00, only".to_owned());
    }
    let quiet = quiet.map(|text| QuietHours::parse(text, zone)).transpose()?;
    Ok(Channel { id, service, secret, reminder, endpoint, quiet })
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
            (r#"{"id":"A","kind":"slack","secret":"S"}"#, "id: `A` is not a valid id"),
            (r#"{"id":"a","kind":"mail","secret":"S","template":""}"#, "kind: should be one of webhook"),
            (
                r#"{"id":"a","kind":"email","secret":"S","from":"a@b.example","to":[1]}"#,
                "`to` is missing or not",
            ),
            (
                r#"{"id":"a","kind":"email","secret":"S","from":"a@b.example","to":"x"}"#,
                "to: should be 1 to 50",
            ),
            (r#"{"id":"a","kind":"slack","secret":"S","reminder":5}"#, "`reminder` is missing or not"),
            (r#"{"id":"a","kind":"sms","secret":"S"}"#, "kind: should be one of webhook, slack"),
            (r#"{"id":"a","kind":"slack"}"#, "`secret` is missing or not of its kind"),
            (
                r#"{"id":"a","kind":"slack","secret":"https://hooks.slack.com/x"}"#,
                "secret: not the name of a secret",
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
