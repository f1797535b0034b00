//! Reads `uptime.config.ts` of UptimeFlare, as data: the file is never run.

mod monitor;

use heapbeat_shared::UnixMillis;
use serde_json::{Map, json};

use crate::builder::MonitorBuilder;
use crate::checks::kind_of_webhook;
use crate::cursor::{Cursor, Ledger};
use crate::names::{make_ids, secret_name};
use crate::note::{Note, NoteKind, PUBLIC_PAGE};
use crate::output::{channel_fields, window_id};
use crate::tree::{Budget, Node, Value};
use crate::typescript::read_constants;
use crate::{ConvertError, InputFile, Options, Reading};

/// Where the parts of a configuration are.
const PARTS: [&str; 4] = ["workerConfig", "pageConfig", "maintenances", "default"];

/// What the settings of the whole file mean for each monitor.
#[derive(Debug, Default)]
struct Context {
    /// The id of the channel; `None` if nobody is told.
    channel: Option<String>,
    /// Failed checks after the first one, before anybody is told.
    grace: i64,
    /// Ids whose alerts are off.
    quiet: Vec<String>,
    /// Groups and the ids in them, if there are any.
    groups: Option<Vec<(String, Vec<String>)>>,
    /// Whether the page asks for a password.
    secured: bool,
}

/// Reads the files.
pub(crate) fn read(files: &[InputFile], options: &Options) -> Result<Reading, ConvertError> {
    let mut reading = Reading::default();
    let mut found = false;
    let mut budget = Budget::default();
    for file in files {
        let refused = |reason: String| ConvertError { file: file.name.clone(), reason };
        let mut constants = read_constants(&file.text, &mut budget).map_err(refused)?;
        let parts = PARTS.iter().filter_map(|part| constants.remove_entry(*part)).collect();
        let mut root = Node::new(Value::Table(parts), 1);
        let ledger = Ledger::of(&mut root);
        let cursor = Cursor::new(&root, &ledger);
        found |= cursor.get("workerConfig").is_some();
        read_file(&cursor, &file.name, options, &mut reading);
    }
    if !found {
        let file = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(ConvertError {
            file,
            reason: "there is no `workerConfig`; the file must be an uptime.config.ts of UptimeFlare"
                .to_owned(),
        });
    }
    Ok(reading)
}

fn read_file(root: &Cursor<'_>, file: &str, options: &Options, reading: &mut Reading) {
    let mut context = Context::default();
    let mut notes = Vec::new();
    let worker = root.get("workerConfig");
    if let Some(page) = root.get("pageConfig") {
        read_page(&page, file, &mut context, reading);
    }
    if let Some(worker) = &worker {
        read_worker(worker, file, &mut context, reading, &mut notes);
    }
    let monitors = worker.as_ref().map(|worker| worker.list("monitors")).unwrap_or_default();
    let names: Vec<String> =
        monitors.iter().map(|monitor| monitor.text("id").unwrap_or_default().to_owned()).collect();
    let ids = make_ids(&names.iter().map(|name| vec![name.clone()]).collect::<Vec<_>>());
    for (cursor, id) in monitors.iter().zip(&ids) {
        let name = cursor.text("name").or_else(|| cursor.text("id")).unwrap_or_default();
        let known = cursor.text("id").unwrap_or_default();
        let group = context
            .groups
            .as_ref()
            .and_then(|groups| groups.iter().find(|(_, ids)| ids.iter().any(|id| id == known)));
        let group_name = group.map_or("", |(group, _)| group.as_str());
        let mut builder = MonitorBuilder::new(id, name, group_name, (file.to_owned(), cursor.line()));
        if matches!(cursor.node().value, Value::Table(_)) {
            monitor::convert(cursor, &mut builder, &context);
        } else {
            builder.leave_out("it is program code, which is not run");
        }
        if context.secured || (context.groups.is_some() && group.is_none()) {
            builder.set("public", json!(false));
        }
        if !builder.is_left_out() {
            builder.note_unread(cursor, &cursor.find_unread());
        }
        cursor.mark_whole_read();
        reading.monitors.push(builder.finish(options.keep_private));
    }
    for (index, window) in root.list("maintenances").iter().enumerate() {
        read_window(window, index, file, (&names, &ids), reading);
    }
    reading.general.extend(notes);
    reading.note_unread(root, file);
}

fn read_page(page: &Cursor<'_>, file: &str, context: &mut Context, reading: &mut Reading) {
    let mut fields = Map::new();
    if let Some(title) = page.text("title") {
        fields.insert("title".to_owned(), json!(title));
    }
    let link = |link: &Cursor<'_>| {
        link.flag("highlight");
        Some(json!({ "name": link.text("label")?, "url": link.text("link")? }))
    };
    let links: Vec<_> = page.list("links").iter().filter_map(link).collect();
    if !links.is_empty() {
        fields.insert("links".to_owned(), json!(links));
    }
    if !fields.is_empty() {
        reading.sketch.page = Some(fields);
    }
    if let Some(groups) = page.get("group") {
        let texts =
            |list: &Cursor<'_>| list.items().iter().filter_map(Cursor::as_text).map(str::to_owned).collect();
        context.groups =
            Some(groups.entries().iter().map(|(name, ids)| ((*name).to_owned(), texts(ids))).collect());
    }
    for key in ["favicon", "logo", "customFooter", "maintenances"] {
        if let Some(setting) = page.get(key) {
            setting.mark_whole_read();
            let text = format!(
                "pageConfig.{key} was not converted; [vars.PAGE] has a title, a logo, a style and links"
            );
            reading.general.push(Note::at(NoteKind::Changed, file, setting.line(), text));
        }
    }
}

fn read_worker(
    worker: &Cursor<'_>,
    file: &str,
    context: &mut Context,
    reading: &mut Reading,
    notes: &mut Vec<Note>,
) {
    let mut note =
        |kind, cursor: &Cursor<'_>, text: &str| notes.push(Note::at(kind, file, cursor.line(), text));
    for key in ["kvWriteCooldownMinutes", "dateLocale"] {
        if let Some(setting) = worker.get(key) {
            setting.mark_whole_read();
            note(NoteKind::Dropped, &setting, &format!("workerConfig.{key} is about UptimeFlare itself"));
        }
    }
    if let Some(password) = worker.get("passwordProtection") {
        password.mark_whole_read();
        context.secured = true;
        note(
            NoteKind::Changed,
            &password,
            &format!("the page of UptimeFlare asks for a password, {PUBLIC_PAGE}"),
        );
    }
    if let Some(callbacks) = worker.get("callbacks") {
        callbacks.mark_whole_read();
        note(
            NoteKind::Changed,
            &callbacks,
            "callbacks are program code, which is not run; a channel of kind webhook is what heapbeat has",
        );
    }
    if let Some(notification) = worker.get("notification") {
        read_notification(&notification, file, context, reading, notes);
    }
}

/// Reads the alerts: the grace, the monitors without alerts, and a sketch of the channel.
fn read_notification(
    notification: &Cursor<'_>,
    file: &str,
    context: &mut Context,
    reading: &mut Reading,
    notes: &mut Vec<Note>,
) {
    let mut note =
        |kind, cursor: &Cursor<'_>, text: &str| notes.push(Note::at(kind, file, cursor.line(), text));
    context.grace = notification.number("gracePeriod").unwrap_or(0).max(0);
    context.quiet = notification
        .list("skipNotificationIds")
        .iter()
        .filter_map(Cursor::as_text)
        .map(str::to_owned)
        .collect();
    for key in ["timeZone", "skipErrorChangeNotification"] {
        if let Some(setting) = notification.get(key) {
            setting.mark_whole_read();
            note(
                NoteKind::Dropped,
                &setting,
                &format!("notification.{key}: messages have times in UTC and come when the severity changes"),
            );
        }
    }
    let webhook = notification.get("webhook");
    let first = webhook.as_ref().and_then(|webhook| webhook.items().into_iter().next());
    let url = first.as_ref().or(webhook.as_ref()).and_then(|webhook| webhook.text("url"));
    let apprise = notification.get("appriseApiServer").or_else(|| notification.get("recipientUrl"));
    if let Some(webhook) = &webhook {
        let kind = url.map_or("webhook", kind_of_webhook);
        let secret = secret_name("ALERT_", &["uptimeflare"]);
        let mut fields = channel_fields("uptimeflare", kind, &secret);
        if kind == "telegram" {
            let chat = first
                .as_ref()
                .unwrap_or(webhook)
                .get("payload")
                .and_then(|payload| payload.text("chat_id").map(str::to_owned));
            fields.insert("chat".to_owned(), json!(chat.unwrap_or_default()));
        }
        let more = webhook.items().len() > 1;
        webhook.mark_whole_read();
        context.channel = Some("uptimeflare".to_owned());
        reading.sketch.blocks.push((
            "ALERTS",
            fields,
            format!("{secret} is what notification.webhook.url has (for Telegram, the token in it): wrangler secret put {secret}"),
        ));
        note(
            NoteKind::Changed,
            webhook,
            "notification.webhook: messages have the texts of heapbeat; the payload, the headers and the method were not converted",
        );
        if more {
            note(
                NoteKind::Changed,
                webhook,
                "notification.webhook has several addresses; the sketch has a channel for the first one",
            );
        }
    } else if let Some(apprise) = apprise {
        apprise.mark_whole_read();
        context.channel = Some("uptimeflare".to_owned());
        let fields = channel_fields("uptimeflare", "webhook", "ALERT_UPTIMEFLARE");
        reading.sketch.blocks.push(("ALERTS", fields, String::new()));
        note(NoteKind::Changed, &apprise, "alerts by Apprise were not converted; the sketch is a webhook");
    }
    for key in ["appriseApiServer", "recipientUrl"] {
        notification.mark_read(key);
    }
}

/// Reads a maintenance window: ISO 8601, or milliseconds since 1970.
fn read_window(
    window: &Cursor<'_>,
    index: usize,
    file: &str,
    (names, ids): (&[String], &[String]),
    reading: &mut Reading,
) {
    let instant = |key: &str| {
        let text = window.text(key)?;
        Some(text.parse().map_or_else(|_| text.to_owned(), |millis| UnixMillis(millis).to_rfc3339()))
    };
    let mut fields = Map::new();
    let id = window_id(index);
    fields.insert("id".to_owned(), json!(id));
    fields.insert("title".to_owned(), json!(window.text("title").unwrap_or("Scheduled Maintenance")));
    let (from, to) = (instant("start"), instant("end"));
    let open = to.is_none();
    for (key, value) in [("from", from), ("to", to)] {
        if let Some(value) = value {
            fields.insert(key.to_owned(), json!(value));
        }
    }
    let list = window.list("monitors");
    if !list.is_empty() {
        let id =
            |name: &str| names.iter().position(|known| known == name).and_then(|position| ids.get(position));
        let monitors: Vec<_> = list.iter().filter_map(Cursor::as_text).filter_map(id).collect();
        fields.insert("monitors".to_owned(), json!(monitors));
    }
    window.text("color");
    let mut note = |text: &str| {
        let text = format!("{id}: {text}");
        reading.general.push(Note::at(NoteKind::Changed, file, window.line(), text));
    };
    if window.mark_read("body") {
        note("the description of a maintenance window was not converted; it has a title");
    }
    if open {
        note("a maintenance window without an end was not converted");
        return;
    }
    note("is under [[vars.MAINTENANCE]] for wrangler.toml; the time of a window is left out of the uptime");
    reading.sketch.blocks.push(("MAINTENANCE", fields, String::new()));
}
