//! Reads the channels from the JSON of the variable.

use std::time::Duration;

use heapbeat_shared::units::{ParseDurationError, parse_duration};
use serde_json::Value;

use super::{Channel, ChannelId, ChannelKind, Channels, MAX_CHANNELS};
use crate::monitor_config::{ConfigProblem, MonitorIdError, SecretName};
use crate::notify::quiet_hours::{QuietHours, QuietHoursError};
use crate::notify::template::{TemplateError, check_template};
use heapbeat_shared::text::shorten;

/// The variable's name, with which every position begins.
const VARIABLE: &str = "ALERTS";

/// The shortest time between two reminders.
const MIN_REMINDER: Duration = Duration::from_secs(300);

/// The maximum number of receivers of an email.
const MAX_RECEIVERS: usize = 50;

/// The most bytes of an invalid value in a problem.
const MAX_SHOWN: usize = 60;

/// The kinds of channels.
const KINDS: &str = "webhook, slack, discord, telegram, pagerduty, ntfy, email";

/// The settings of a channel, and the kinds that have them.
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

/// The reason why an entry is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The variable is not JSON.
    #[error("is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The variable is not a list, or is too long.
    #[error("should be a list of at most {MAX_CHANNELS} tables")]
    NotAList,
    /// Another entry has the same id.
    #[error("`{0}` is taken by an entry above")]
    DuplicateId(ChannelId),
    /// A setting is missing, or has the wrong type.
    #[error("`{0}` is missing or has the wrong type")]
    Setting(String),
    /// A setting that the kind needs is missing or empty.
    #[error("{setting}: is missing; {kind} needs it")]
    Missing {
        /// The setting's name.
        setting: &'static str,
        /// The channel's kind.
        kind: String,
    },
    /// There is no such setting.
    #[error("`{0}` is not a setting of a channel; the settings are {list}", list = SETTINGS.map(|(name, _)| name).join(", "))]
    UnknownSetting(String),
    /// The kind does not have this setting.
    #[error("{setting}: is not a setting of {kind}; remove it")]
    OtherKind {
        /// The setting's name.
        setting: String,
        /// The channel's kind.
        kind: String,
    },
    /// The id is not valid.
    #[error("id: {0}")]
    Id(#[from] MonitorIdError),
    /// The name of the secret is not valid.
    #[error("secret: {0}")]
    Secret(String),
    /// There is no such kind.
    #[error("kind: `{0}` should be one of {KINDS}")]
    UnknownKind(String),
    /// An email has no receiver, or too many.
    #[error("to: should be 1 to {MAX_RECEIVERS} addresses")]
    Receivers,
    /// The endpoint is not https.
    #[error("endpoint: `{0}` should begin with https://")]
    Endpoint(String),
    /// The time between reminders is not a duration.
    #[error("reminder: {0}")]
    Reminder(#[from] ParseDurationError),
    /// The time between reminders is too short.
    #[error("reminder: `{0}` should be 5m or more")]
    ReminderTooShort(String),
    /// There is a time zone without quiet hours.
    #[error("time-zone: applies only to `quiet`, such as 22:00-07:00, which is missing")]
    ZoneWithoutQuietHours,
    /// The quiet hours are not valid.
    #[error(transparent)]
    QuietHours(#[from] QuietHoursError),
    /// The template is not valid.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Channels {
    /// Reads the JSON of `ALERTS`; `None` means that the variable is not set. `allow_private`: whether an endpoint may do without
    /// TLS, for local runs.
    pub fn parse(text: Option<&str>, allow_private: bool) -> Channels {
        let mut channels = Channels::default();
        let Some(text) = text else { return channels };
        let entries = match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(entries)) if entries.len() <= MAX_CHANNELS => entries,
            Ok(_) => return channels.reject(VARIABLE, &ChannelError::NotAList),
            Err(error) => return channels.reject(VARIABLE, &error.into()),
        };
        for (index, entry) in entries.into_iter().enumerate() {
            let position = format!("{VARIABLE}[{index}]");
            match parse_channel(ChannelEntry(&entry), allow_private) {
                Ok(channel) if channels.find(&channel.id).is_some() => {
                    channels = channels.reject(&position, &ChannelError::DuplicateId(channel.id));
                }
                Ok(channel) => channels.list.push(channel),
                Err(errors) => {
                    channels =
                        errors.iter().fold(channels, |channels, error| channels.reject(&position, error));
                }
            }
        }
        channels
    }

    fn reject(mut self, position: &str, error: &ChannelError) -> Self {
        self.problems.push(ConfigProblem { position: position.to_owned(), reason: error.to_string() });
        self
    }
}

/// An entry as it is written.
#[derive(Clone, Copy)]
struct ChannelEntry<'v>(&'v Value);

impl<'v> ChannelEntry<'v> {
    /// The value of a setting; `null` counts as missing.
    fn value(self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The text of a setting.
    fn text(self, name: &str) -> Result<Option<&'v str>, ChannelError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ChannelError::Setting(name.to_owned())),
        }
    }

    /// The text of a setting that every channel needs.
    fn required_text(self, name: &str) -> Result<&'v str, ChannelError> {
        self.text(name)?.ok_or_else(|| ChannelError::Setting(name.to_owned()))
    }

    /// The text of a setting that this kind needs.
    fn text_for_kind(self, setting: &'static str, kind: &str) -> Result<String, ChannelError> {
        match self.text(setting)? {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(ChannelError::Missing { setting, kind: kind.to_owned() }),
        }
    }

    /// The texts of a list; empty if it is missing or not a list.
    fn texts(self, name: &str) -> Result<Vec<String>, ChannelError> {
        let list = self.value(name).and_then(Value::as_array).into_iter().flatten();
        list.map(|value| value.as_str().map(str::to_owned))
            .map(|text| text.ok_or_else(|| ChannelError::Setting(name.to_owned())))
            .collect()
    }

    /// Returns the settings that no channel has, or not one of this kind, as errors.
    fn unfit_settings(self, kind: &str) -> Vec<ChannelError> {
        let has_kind = |kinds: &str| kinds.split(", ").any(|one| one == kind);
        let error_of = |name: &String| match SETTINGS.iter().find(|(known, _)| known == name) {
            None => Some(ChannelError::UnknownSetting(name.clone())),
            Some((_, kinds)) if !has_kind(kinds) && has_kind(KINDS) && self.value(name).is_some() => {
                Some(ChannelError::OtherKind { setting: name.clone(), kind: kind.to_owned() })
            }
            Some(_) => None,
        };
        self.0.as_object().into_iter().flat_map(|fields| fields.keys()).filter_map(error_of).collect()
    }
}

/// What is wrong with an entry.
#[derive(Debug, Default)]
struct Errors(Vec<ChannelError>);

impl Errors {
    /// Returns the value, or notes the error.
    fn note<T>(&mut self, result: Result<T, ChannelError>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }
}

/// Reads an entry, or returns everything that is wrong with it.
fn parse_channel(entry: ChannelEntry<'_>, allow_private: bool) -> Result<Channel, Vec<ChannelError>> {
    let mut errors = Errors::default();
    let id = entry.required_text("id").and_then(|id| Ok(id.parse::<ChannelId>()?));
    let id = errors.note(id);
    let kind = errors.note(entry.required_text("kind"));
    let secret = entry
        .required_text("secret")
        .and_then(|secret| SecretName::parse_sent(secret).map_err(ChannelError::Secret));
    let secret = errors.note(secret);
    errors.0.extend(entry.unfit_settings(kind.unwrap_or_default()));
    let service = kind.and_then(|kind| errors.note(parse_service(entry, kind)));
    let endpoint = errors.note(parse_endpoint(entry, allow_private));
    let reminder = errors.note(parse_reminder(entry));
    let quiet = errors.note(parse_quiet_hours(entry));
    match (id, service, secret, endpoint, reminder, quiet) {
        (Some(id), Some(service), Some(secret), Some(endpoint), Some(reminder), Some(quiet))
            if errors.0.is_empty() =>
        {
            Ok(Channel { id, service, secret, reminder, endpoint, quiet })
        }
        _ => Err(errors.0),
    }
}

fn parse_endpoint(entry: ChannelEntry<'_>, allow_private: bool) -> Result<Option<String>, ChannelError> {
    let endpoint = entry.text("endpoint")?;
    let is_allowed = |url: &str| url.starts_with("https://") || allow_private && url.starts_with("http://");
    match endpoint.filter(|url| !is_allowed(url)) {
        Some(url) => Err(ChannelError::Endpoint(shorten(url, MAX_SHOWN))),
        None => Ok(endpoint.map(str::to_owned)),
    }
}

fn parse_reminder(entry: ChannelEntry<'_>) -> Result<Option<Duration>, ChannelError> {
    let text = entry.text("reminder")?;
    let reminder = text.map(parse_duration).transpose()?;
    match text.filter(|_| reminder.is_some_and(|reminder| reminder < MIN_REMINDER)) {
        Some(text) => Err(ChannelError::ReminderTooShort(text.to_owned())),
        None => Ok(reminder),
    }
}

fn parse_quiet_hours(entry: ChannelEntry<'_>) -> Result<Option<QuietHours>, ChannelError> {
    let (quiet, zone) = (entry.text("quiet")?, entry.text("time-zone")?);
    if zone.is_some() && quiet.is_none() {
        return Err(ChannelError::ZoneWithoutQuietHours);
    }
    Ok(quiet.map(|text| QuietHours::parse(text, zone)).transpose()?)
}

fn parse_service(entry: ChannelEntry<'_>, kind: &str) -> Result<ChannelKind, ChannelError> {
    Ok(match kind {
        "webhook" => {
            let template = entry.text("template")?;
            template.map(check_template).transpose()?;
            ChannelKind::Webhook { template: template.map(str::to_owned) }
        }
        "slack" => ChannelKind::Slack,
        "discord" => ChannelKind::Discord,
        "telegram" => ChannelKind::Telegram { chat: entry.text_for_kind("chat", kind)? },
        "pagerduty" => ChannelKind::Pagerduty,
        "ntfy" => ChannelKind::Ntfy { topic: entry.text_for_kind("topic", kind)? },
        "email" => {
            let (from, to) = (entry.text_for_kind("from", kind)?, entry.texts("to")?);
            if !(1..=MAX_RECEIVERS).contains(&to.len()) {
                return Err(ChannelError::Receivers);
            }
            ChannelKind::Email { from, to }
        }
        _ => return Err(ChannelError::UnknownKind(shorten(kind, MAX_SHOWN))),
    })
}
