//! Reads a configuration of Gatus with its documented inheritance: `default-alert`, its own defaults, merge keys, several files.

mod alerting;
mod conditions;
mod dns;
mod documents;
mod endpoint;
mod external;
mod maintenance;
mod settings;

use crate::builder::{Converted, MonitorBuilder, describe_unread};
use crate::cursor::Cursor;
use crate::names::make_ids;
use crate::note::{Note, NoteKind};
use crate::{ConvertError, InputFile, Options, Reading};

use self::alerting::Providers;
use self::documents::Document;
use self::maintenance::Windows;

/// What the conversion of every endpoint needs.
struct Context<'c> {
    options: &'c Options,
    providers: &'c Providers,
    windows: &'c mut Windows,
    /// Whether the page of Gatus asks for a login.
    secured: bool,
}

/// What an item of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ItemKind {
    Endpoint,
    External,
    /// An endpoint of a suite, and the name of the suite.
    Suite,
}

/// An item of the lists of endpoints.
struct Item<'t> {
    kind: ItemKind,
    file: &'t str,
    cursor: Cursor<'t>,
    group: String,
    name: String,
}

/// Reads the files.
pub(crate) fn read(files: &[InputFile], options: &Options) -> Result<Reading, ConvertError> {
    let mut reading = Reading::default();
    let documents = documents::read_documents(files, options, &mut reading.general, &mut reading.variables)?;
    let roots: Vec<_> =
        documents.iter().map(|document| (document, Cursor::new(&document.root, &document.ledger))).collect();
    let mut providers = Providers::default();
    for (document, root) in &roots {
        providers.read(root, &document.file, &mut reading.general);
    }
    let mut items = Vec::new();
    for (document, root) in &roots {
        collect_items(document, root, &mut items, &mut reading.general);
    }
    if items.is_empty() && roots.iter().all(|(_, root)| root.get("suites").is_none()) {
        let file = files.first().map(|file| file.name.clone()).unwrap_or_default();
        return Err(ConvertError {
            file,
            reason: "there are no endpoints; the file must be a configuration of Gatus".to_owned(),
        });
    }
    let ids =
        make_ids(&items.iter().map(|item| vec![item.group.clone(), item.name.clone()]).collect::<Vec<_>>());
    let mut windows = Windows::default();
    let secured = roots.iter().any(|(_, root)| root.get("security").is_some());
    let mut context = Context { options, providers: &providers, windows: &mut windows, secured };
    for (item, id) in items.iter().zip(&ids) {
        reading.monitors.push(convert_item(item, id, &mut context));
    }
    for (document, root) in &roots {
        settings::read_settings(root, &document.file, &mut reading, &mut windows);
    }
    windows.finish(&mut reading);
    providers.finish(&mut reading);
    for (document, root) in &roots {
        note_unread(document, root, &mut reading.general);
    }
    Ok(reading)
}

fn collect_items<'t>(
    document: &'t Document,
    root: &Cursor<'t>,
    items: &mut Vec<Item<'t>>,
    general: &mut Vec<Note>,
) {
    let mut push = |kind, cursor: Cursor<'t>, group: Option<&str>| {
        let named = |key: &str| cursor.text(key).unwrap_or_default().to_owned();
        let group = group.map_or_else(|| named("group"), str::to_owned);
        items.push(Item { kind, file: &document.file, group, name: named("name"), cursor });
    };
    for cursor in root.list("endpoints") {
        push(ItemKind::Endpoint, cursor, None);
    }
    let services = root.list("services");
    if let Some(first) = services.first() {
        general.push(Note::at(
            NoteKind::Changed,
            &document.file,
            first.line(),
            "`services` is the name of `endpoints` before Gatus 4; later versions ignore it, and it was converted",
        ));
    }
    for cursor in services {
        push(ItemKind::Endpoint, cursor, None);
    }
    for cursor in root.list("external-endpoints") {
        push(ItemKind::External, cursor, None);
    }
    for suite in root.list("suites") {
        let named = |key: &str| suite.text(key).unwrap_or_default();
        let group = [named("group"), named("name")].join(" ").trim().to_owned();
        for cursor in suite.list("endpoints") {
            push(ItemKind::Suite, cursor, Some(&group));
        }
        suite.mark_whole_read();
    }
}

fn convert_item(item: &Item<'_>, id: &str, context: &mut Context<'_>) -> Converted {
    let Item { kind, file, cursor, group, name } = item;
    let mut builder = MonitorBuilder::new(id, name, group, ((*file).to_owned(), cursor.line()));
    let disabled = cursor.flag("enabled") == Some(false);
    match kind {
        _ if disabled => builder.leave_out("it is disabled"),
        ItemKind::Suite => builder.leave_out(
            "it is a step of a suite; heapbeat has no suites, whose steps run one after the other and pass values on",
        ),
        ItemKind::Endpoint => endpoint::convert(cursor, &mut builder, context),
        ItemKind::External => external::convert(cursor, &mut builder, context),
    }
    if context.secured {
        builder.set("public", serde_json::json!(false));
    }
    if !builder.is_left_out() {
        builder.note_unread(cursor, &cursor.find_unread());
    }
    cursor.mark_whole_read();
    builder.finish(context.options.keep_private)
}

/// Notes what nobody read outside of the endpoints.
fn note_unread(document: &Document, root: &Cursor<'_>, general: &mut Vec<Note>) {
    for unread in root.find_unread() {
        let path = format!("{}{}", document.prefix, unread.path);
        // Gatus ignores unknown keys; these are places for anchors.
        let anchors = unread.shared || unread.path.starts_with("x-") || unread.path.starts_with('.');
        let (kind, text) = if anchors {
            (NoteKind::Dropped, format!("{path} only holds values that other places use"))
        } else {
            (NoteKind::Changed, describe_unread(&path, unread.code))
        };
        general.push(Note::at(kind, &document.file, unread.line, text));
    }
}
