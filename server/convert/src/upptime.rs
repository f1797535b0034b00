//! Reads the configuration of Upptime (`.upptimerc.yml`): its sites, its schedule and its page.

mod site;

use std::collections::BTreeMap;

use serde_json::{Map, json};

use crate::builder::MonitorBuilder;
use crate::cursor::{Cursor, Ledger};
use crate::environment::{UsedVariable, mark_unknown};
use crate::names::make_ids;
use crate::note::{Note, NoteKind};
use crate::tree::{Budget, TOO_LARGE};
use crate::yaml::parse_documents;
use crate::{ConvertError, InputFile, Options, Reading};

/// Minutes between two checks, if the schedule does not say otherwise.
const INTERVAL_MINUTES: i64 = 5;

/// Settings of the repository, its commits and its workflows.
const OWN: &[&str] = &[
    "owner",
    "repo",
    "user-agent",
    "delay",
    "PAT",
    "secrets",
    "skipDescriptionUpdate",
    "skipTopicsUpdate",
    "skipHomepageUpdate",
    "skipDeleteIssues",
    "skipPoweredByReadme",
    "commitMessages",
    "summaryStartHtmlComment",
    "summaryEndHtmlComment",
    "liveStatusHtmlComment",
    "commitPrefixStatusUp",
    "commitPrefixStatusDown",
    "commitPrefixStatusDegraded",
    "i18n",
    "runner",
    "customStatusWebsitePackage",
    "skipGeneratingWebsite",
];

/// What the conversion of every site needs.
struct Context<'c> {
    environment: &'c BTreeMap<String, String>,
    file: &'c str,
    used: Vec<UsedVariable>,
    interval: i64,
    /// Whether a site follows three redirects, as it does by default.
    follows_three_redirects: bool,
}

impl Context<'_> {
    /// Replaces the variables of a text: `$NAME`. One that is not known stays marked.
    fn expand(&mut self, text: &str) -> String {
        let mut parts = text.split('$');
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            match self.environment.get(name) {
                Some(value) => {
                    expanded.push_str(value);
                    let variable = UsedVariable { file: self.file.to_owned(), name: name.to_owned() };
                    if !self.used.contains(&variable) {
                        self.used.push(variable);
                    }
                }
                None if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                    expanded.push_str(&mark_unknown(name));
                }
                None => {
                    expanded.push('$');
                    expanded.push_str(name);
                }
            }
            expanded.push_str(rest);
        }
        expanded
    }
}

/// Reads the files.
pub(crate) fn read(files: &[InputFile], options: &Options) -> Result<Reading, ConvertError> {
    let mut reading = Reading::default();
    let mut budget = Budget::default();
    for file in files {
        let refused = |reason: String| ConvertError { file: file.name.clone(), reason };
        let documents =
            parse_documents(&file.text, &mut budget).map_err(|error| refused(error.to_string()))?;
        if budget.is_exhausted() {
            return Err(refused(TOO_LARGE.to_owned()));
        }
        let mut found = false;
        for mut root in documents {
            let ledger = Ledger::of(&mut root);
            let cursor = Cursor::new(&root, &ledger);
            found |= cursor.get("sites").is_some();
            read_document(&cursor, &file.name, options, &mut reading);
            reading.note_unread(&cursor, &file.name);
        }
        if !found {
            return Err(refused(
                "there are no `sites`; the file must be the .upptimerc.yml of Upptime".to_owned(),
            ));
        }
    }
    Ok(reading)
}

fn read_document(root: &Cursor<'_>, file: &str, options: &Options, reading: &mut Reading) {
    let mut context = Context {
        environment: &options.environment,
        file,
        used: Vec::new(),
        interval: read_interval(root, file, reading),
        follows_three_redirects: false,
    };
    read_settings(root, file, reading);
    let sites = root.list("sites");
    // The slug of a site is its address in Upptime, whatever its name is.
    let id_of =
        |site: &Cursor<'_>| site.text("slug").or_else(|| site.text("name")).unwrap_or_default().to_owned();
    let names: Vec<_> = sites.iter().map(|site| vec![id_of(site)]).collect();
    for (cursor, id) in sites.iter().zip(&make_ids(&names)) {
        let name = cursor.text("name").unwrap_or_default();
        let mut builder = MonitorBuilder::new(id, name, "", (file.to_owned(), cursor.line()));
        site::convert(cursor, &mut builder, &mut context);
        if !builder.is_left_out() {
            builder.note_unread(cursor, &cursor.find_unread());
        }
        cursor.mark_whole_read();
        reading.monitors.push(builder.finish(options.keep_private));
    }
    reading.variables.append(&mut context.used);
    let mut note = |kind, text: &str| reading.general.push(Note::at(kind, file, root.line(), text));
    if !sites.is_empty() {
        note(
            NoteKind::Changed,
            "a site is down when three checks fail, two and ten seconds apart; here a check is retried at once, within its timeout (`retries = 2`)",
        );
        note(
            NoteKind::Todo,
            "Upptime opens issues, and tells whom the secrets NOTIFICATION_… of the repository name; every monitor alerts all channels that you add to `[[vars.ALERTS]]`",
        );
    }
    if context.follows_three_redirects {
        note(NoteKind::Changed, "maxRedirects: up to five redirects are followed, and not three");
    }
}

/// Returns the minutes between two checks: those of a schedule such as `*/5 * * * *`.
fn read_interval(root: &Cursor<'_>, file: &str, reading: &mut Reading) -> i64 {
    let Some(schedule) = root.get("workflowSchedule") else { return INTERVAL_MINUTES };
    let uptime = schedule.text("uptime").map(str::to_owned);
    for (_, other) in schedule.entries() {
        other.mark_whole_read(); // The other workflows make pictures and pages.
    }
    let Some(uptime) = uptime else { return INTERVAL_MINUTES };
    let minutes = match uptime.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["*", "*", "*", "*", "*"] => Some(1),
        ["0", "*", "*", "*", "*"] => Some(60),
        [minutes, "*", "*", "*", "*"] => {
            minutes.strip_prefix("*/").and_then(|it| it.parse().ok()).filter(|it| (1..60).contains(it))
        }
        _ => None,
    };
    minutes.unwrap_or_else(|| {
        let text = format!(
            "workflowSchedule.uptime: `{uptime}` is no interval; every site is checked every {INTERVAL_MINUTES} minutes"
        );
        reading.general.push(Note::at(NoteKind::Changed, file, schedule.line(), text));
        INTERVAL_MINUTES
    })
}

fn read_settings(root: &Cursor<'_>, file: &str, reading: &mut Reading) {
    let mut note = |kind, cursor: &Cursor<'_>, text: String| {
        reading.general.push(Note::at(kind, file, cursor.line(), text));
    };
    for (key, value) in root.entries() {
        if OWN.contains(&key) {
            value.mark_whole_read();
            note(NoteKind::Dropped, &value, format!("{key}: it is about the repository of Upptime"));
        }
    }
    if let Some(assignees) = root.get("assignees") {
        assignees.mark_whole_read();
        note(NoteKind::Changed, &assignees, "assignees: nobody is assigned to an incident".to_owned());
    }
    if let Some(notifications) = root.get("notifications") {
        notifications.mark_whole_read();
        note(
            NoteKind::Changed,
            &notifications,
            "notifications: add a channel for each to `[[vars.ALERTS]]`; they were not converted".to_owned(),
        );
    }
    if let Some(website) = root.get("status-website") {
        read_page(&website, file, reading);
    }
}

/// Reads the settings of the page.
fn read_page(website: &Cursor<'_>, file: &str, reading: &mut Reading) {
    let mut page = Map::new();
    if let Some(name) = website.text("name") {
        page.insert("title".to_owned(), json!(name));
    }
    if let Some(domain) = website.text("cname") {
        reading.sketch.variables.push(("STATUS_URL", format!("https://{domain}")));
    }
    if !page.is_empty() {
        reading.sketch.page = Some(page);
    }
    let rest: Vec<_> = website
        .entries()
        .into_iter()
        .filter(|(key, _)| !matches!(*key, "name" | "cname"))
        .map(|(key, value)| {
            value.mark_whole_read();
            key
        })
        .collect();
    if !rest.is_empty() {
        let text = format!(
            "status-website: {} were not converted; [vars.PAGE] has a title, a logo, a style and links",
            rest.join(", ")
        );
        reading.general.push(Note::at(NoteKind::Changed, file, website.line(), text));
    }
}
