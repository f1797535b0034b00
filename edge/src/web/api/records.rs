//! What several hubs tell of the same thing, one behind the other, for whoever makes one answer of it.
//!
//! A record begins with a record separator, its fields stand between unit separators (ASCII has both for just that). No text
//! of ours or of a monitored server's can hold one: control characters are taken out where a record is written. The first
//! two fields are what records are ordered by: an instant, newest first, then a name.

const RECORD: char = '\u{1e}';
const UNIT: char = '\u{1f}';

/// Adds a record.
pub fn put(out: &mut String, at: i64, name: &str, fields: &[&str]) {
    out.push(RECORD);
    out.push_str(&at.to_string());
    for field in [name].iter().chain(fields) {
        out.push(UNIT);
        out.extend(field.chars().filter(|c| *c == '\n' || !c.is_control()));
    }
}

/// A record as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'t> {
    /// When.
    pub at: i64,
    /// Of whom, or what.
    pub name: &'t str,
    /// The rest.
    pub fields: Vec<&'t str>,
}

impl<'t> Record<'t> {
    /// A field; empty where there is none.
    pub fn field(&self, index: usize) -> &'t str {
        self.fields.get(index).copied().unwrap_or_default()
    }
}

/// All records, newest first; of one instant by name.
pub fn newest_first(told: &str) -> Vec<Record<'_>> {
    let mut all: Vec<Record<'_>> = Vec::new();
    for text in told.split(RECORD).skip(1) {
        let mut fields = text.split(UNIT);
        let at = fields.next().and_then(|at| at.parse().ok()).unwrap_or_default();
        let record = Record { at, name: fields.next().unwrap_or_default(), fields: fields.collect() };
        let before = |other: &Record<'_>| (record.at, other.name) <= (other.at, record.name);
        let place = all.partition_point(before);
        all.insert(place, record);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hubs_are_merged() {
        let (mut one, mut two) = (String::new(), String::new());
        put(&mut one, 5, "b", &["five", ""]);
        put(&mut one, 3, "a", &["three\u{1e}\u{1f}\u{7}", "two\nlines"]);
        put(&mut two, 5, "a", &["five too"]);
        put(&mut two, -1, "c", &[]);
        let both = one + &two;
        let told = newest_first(&both);
        let names: Vec<_> = told.iter().map(|record| (record.at, record.name)).collect();
        assert_eq!(names, [(5, "a"), (5, "b"), (3, "a"), (-1, "c")]);
        assert_eq!(told[2].fields, ["three", "two\nlines"]);
        assert_eq!((told[1].field(0), told[1].field(1), told[1].field(2)), ("five", "", ""));
        assert_eq!(newest_first(""), []);
    }
}
