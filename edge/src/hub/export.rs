//! Export and import of everything that the hub stores, in pages of JSON lines.

use std::ops::ControlFlow;
use std::rc::Rc;

use serde::Serialize;

use super::error::HubResult;
use super::membership_state::MembershipState;
use super::store_handle::StoreHandle;
use crate::hub_api::{ExportCursor, ExportHeader, HubError};
use crate::store::export_format::{Cell, TABLES, format_row, parse_row};
use crate::store::row_check::{ImportRules, check_row};
use crate::store::{Setting, Store};
use crate::view::ImportResultView;

/// The most rows of a page.
const MAX_ROWS: u32 = 200;

/// The length in bytes after which a page ends.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The last line of a page.
#[derive(Serialize)]
struct Footer {
    /// The position of the next page; `None` after the last one.
    next: Option<String>,
}

/// Exports and imports what the hub stores.
#[derive(Debug)]
pub(super) struct Exporter {
    pub(super) store: StoreHandle,
    pub(super) membership: Rc<MembershipState>,
}

impl Exporter {
    /// Returns the page that begins at `from`. Its last line contains the position of the next one. The subscriptions have addresses and
    /// signing secrets of strangers, so they are left out unless they are asked for.
    pub(super) fn export(&self, from: ExportCursor, with_subscriptions: bool) -> HubResult<String> {
        let membership = self.membership.current()?;
        let (hub, mut table, mut row) = (membership.number, from.table, from.row);
        let mut out = String::new();
        push_line(&mut out, &ExportHeader { schema: Store::schema(), hub })?;
        while let Some((name, _)) = TABLES.get(table) {
            let before = row;
            self.store.opened()?.for_each_export_row(table, before.into(), MAX_ROWS.into(), |cells| {
                if with_subscriptions || !is_subscriptions(name, cells) {
                    out.push_str(&format_row(name, cells));
                    out.push('\n');
                }
                row += 1;
                if out.len() > MAX_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if out.len() > MAX_BYTES {
                break;
            }
            if row - before < MAX_ROWS {
                (table, row) = (table + 1, 0);
            }
        }
        let next = if table < TABLES.len() {
            Some(ExportCursor { hub, table, row })
        } else {
            (hub + 1 < membership.hub_count).then(|| ExportCursor { hub: hub + 1, ..ExportCursor::default() })
        };
        push_line(&mut out, &Footer { next: next.map(|next| next.to_string()) })?;
        Ok(out)
    }

    /// Stores the rows of an export, all of them or none. Each is read by the types of its columns before. What was loaded from the store before has to be loaded again.
    pub(super) fn import(&self, schema: i64, lines: &str, rules: ImportRules) -> HubResult<ImportResultView> {
        if schema != Store::schema() {
            let ours = Store::schema();
            return Err(HubError::Invalid(format!(
                "schema={schema}: this hub has schema {ours}, and accepts exports of that schema only"
            )));
        }
        let mut rows = Vec::new();
        for (number, text) in (1..).zip(lines.lines()) {
            // The first and the last line of a page are not rows.
            if text.trim().is_empty() || text.starts_with("{\"schema\"") || text.starts_with("{\"next\"") {
                continue;
            }
            let invalid =
                |reason: String| HubError::Invalid(format!("line {number}: {reason}; no row was imported"));
            let (table, row) = parse_row(text).map_err(|error| invalid(error.to_string()))?;
            check_row(table, &row, rules).map_err(|error| invalid(error.to_string()))?;
            rows.push((table, row));
        }
        let count = rows.len() as u64;
        if let Err(error) = self.store.opened()?.import_rows(rows) {
            return Err(HubError::Invalid(format!("no row was imported: {error}")));
        }
        Ok(ImportResultView { rows: count })
    }
}

fn is_subscriptions(table: &str, cells: &[Cell]) -> bool {
    let subscriptions = Setting::Subscriptions.as_str();
    table == "setting" && matches!(cells.first(), Some(Cell::Text(name)) if name == subscriptions)
}

fn push_line(out: &mut String, value: &impl Serialize) -> HubResult<()> {
    out.push_str(&serde_json::to_string(value).map_err(|error| HubError::Store(error.to_string()))?);
    out.push('\n');
    Ok(())
}
