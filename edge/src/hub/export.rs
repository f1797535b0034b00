//! `GET /export?<table>-<row>`: a page of everything, and `POST /import?<schema>`: lines of such pages.

use super::dispatch::Finished;
use super::{Hub, Told, Turn};
use crate::json;
use crate::store::Store;
use crate::store::export_format::{TABLES, line, parse};

/// Rows of one page, and bytes after which it ends.
const ROWS: i64 = 200;
const BYTES: usize = 2 * 1024 * 1024;

impl Hub {
    /// A page that begins at this row of this table. Its last line says where the next one begins.
    pub(super) fn export(&self, from: &str) -> Told<Finished> {
        let roll = self.roll()?;
        // The hub, which is this one, may stand in front.
        let own = format!("{}-", roll.number);
        let from = from.strip_prefix(&own).filter(|rest| rest.contains('-')).unwrap_or(from);
        let mut numbers = from.split('-').map(|number| number.parse::<i64>().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default().max(0);
        let (mut table, mut skip) = (usize::try_from(next()).unwrap_or_default(), next());
        let mut out = json::object(|o| {
            o.set("schema", Store::schema());
            o.set("hub", roll.number as u64);
        });
        out.push('\n');
        while let Some((name, _)) = TABLES.get(table) {
            let rows = self.store()?.rows_of(table, skip, ROWS).map_err(|error| error.to_string())?;
            for row in &rows {
                out.push_str(&line(name, row));
                out.push('\n');
                skip += 1;
                if out.len() > BYTES {
                    break;
                }
            }
            if out.len() > BYTES {
                break;
            }
            if rows.len() < usize::try_from(ROWS).unwrap_or(usize::MAX) {
                (table, skip) = (table + 1, 0);
            }
        }
        let more = (table < TABLES.len()).then(|| format!("{own}{table}-{skip}"));
        let next = more.or_else(|| (roll.number + 1 < roll.of).then(|| format!("{}-0-0", roll.number + 1)));
        out.push_str(&json::object(|o| o.set("next", next.as_ref())));
        out.push('\n');
        Ok(Finished::ok(out))
    }

    /// Takes lines in, and begins anew from what is stored then.
    pub(super) fn import(&self, schema: &str, body: &str) -> Told<Finished> {
        if schema.parse() != Ok(Store::schema()) {
            let ours = Store::schema();
            return Ok(Finished::refused(
                400,
                &format!("say ?schema={ours}, which is this hub's; an export begins with its own"),
            ));
        }
        let Some(_turn) = Turn::begin(&self.ticking) else {
            return Ok(Finished::refused(409, "a tick is under way; try again in a moment"));
        };
        let mut rows = Vec::new();
        for (number, text) in (1..).zip(body.lines()) {
            // The first and the last line of a page are no rows.
            if text.trim().is_empty() || text.starts_with("{\"schema\"") || text.starts_with("{\"next\"") {
                continue;
            }
            match parse(text) {
                Ok(row) => rows.push(row),
                Err(reason) => return Ok(Finished::refused(400, &format!("line {number} {reason}"))),
            }
        }
        let count = rows.len() as u64;
        if let Err(error) = self.store()?.put_rows(rows) {
            return Ok(Finished::refused(400, &format!("the store did not take it: {error}")));
        }
        *self.board.borrow_mut() = None;
        *self.beats.borrow_mut() = None;
        self.forget();
        Ok(Finished::ok(json::object(|o| o.set("rows", count))))
    }
}
