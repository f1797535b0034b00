//! `GET /api/v1/monitors/{id}/versions`: memory of the present version and of the one before.

use crate::domain::instant::rfc3339;
use crate::domain::report::version_comparison::{AGES, Growth};
use crate::json;
use crate::json::{Object, Plain};

/// The body of `GET /api/v1/monitors/{id}/versions`: bytes of the working set at each age after the start, newest version
/// first, and the oldest age that both have reached.
pub fn versions_json(monitor: &str, growth: Option<&Growth>) -> String {
    json::object(|o| {
        o.set("monitor", monitor);
        o.list("ages_seconds", |list| AGES.iter().for_each(|age| list.push(*age)));
        o.list("versions", |list| {
            for version in growth.into_iter().flat_map(|growth| &growth.versions) {
                list.object(|o| {
                    o.set("version", &version.name);
                    o.set("since", &rfc3339(version.since));
                    o.list("working_set", |list| {
                        version.marks.iter().for_each(|mark| list.push(mark.map(|bytes| bytes.0)));
                    });
                });
            }
        });
        compared(o, growth);
    })
}

/// What both have at the oldest age that both have reached.
pub(super) fn compared(o: &mut Object<'_>, growth: Option<&Growth>) {
    match growth.and_then(Growth::compared) {
        Some((age, now, before)) => o.object("compared", |o| {
            o.set("age_seconds", age);
            o.set("now", now.0);
            o.set("before", before.0);
        }),
        None => o.set("compared", Plain::Null),
    }
}
