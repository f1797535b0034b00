//! The part of `JSONPath` that Gatus has: `.user.name`, `.data[0].id`, `[2][1]`.
//!
//! Compiled when the condition is read. A path that leads nowhere (a missing key, an index past the end, a key asked
//! of a number, a negative index) resolves to nothing, and so does one that leads to `null`.

use serde_json::Value;

/// A path into a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// Written like an index, and none: leads nowhere.
    Nowhere,
}

impl Path {
    /// Reads what stands behind `[BODY]`, the first dot included.
    pub(super) fn parse(text: &str) -> Self {
        let text = text.strip_prefix('.').unwrap_or(text);
        let mut steps = Vec::new();
        for (number, part) in split_outside_brackets(text).enumerate() {
            let bracket = part.find('[').filter(|_| part.ends_with(']'));
            let (key, indexes) = part.split_at(bracket.unwrap_or(part.len()));
            // `[0].a` begins with an index and has no key before it.
            if !key.is_empty() || (indexes.is_empty() && (number > 0 || !text.is_empty())) {
                steps.push(Step::Key(key.to_owned()));
            }
            if !indexes.is_empty() {
                steps.extend(read_indexes(indexes));
            }
        }
        Path(steps)
    }

    /// What it leads to.
    pub(super) fn walk<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        let step = |value: &'v Value, step: &Step| match step {
            Step::Key(key) => value.as_object()?.get(key),
            Step::Index(index) => value.as_array()?.get(*index),
            Step::Nowhere => None,
        };
        self.0.iter().try_fold(root, step).filter(|value| !value.is_null())
    }
}

/// The parts between dots; a dot inside of brackets divides nothing.
fn split_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c: char| {
        depth += match c {
            '[' => 1,
            ']' => -1,
            _ => 0,
        };
        c == '.' && depth == 0
    })
}

/// `[1][2]` as steps.
fn read_indexes(text: &str) -> Vec<Step> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
    // Go's Atoi takes a sign as well.
    let index = |text: &str| text.parse().map_or(Step::Nowhere, Step::Index);
    inner.split("][").map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_gatus_has_them_lead() {
        let cases = [
            ("key", r#"{"key": "value"}"#, Some("value")),
            (".key", r#"{"key": "value"}"#, Some("value")),
            ("key", "{}", None),
            ("long.simple.walk", r#"{"long": {"simple": {"walk": "value"}}}"#, Some("value")),
            ("a.a.a", r#"{"a": {"a": {"a": "deep"}}}"#, Some("deep")),
            ("a.", r#"{"a": {"": "empty key"}}"#, Some("empty key")),
            ("..a", r#"{"": {"a": "x"}}"#, Some("x")),
            ("ids[1].id", r#"{"ids": [{"id": "1"}, {"id": "2"}]}"#, Some("2")),
            ("ids[0]", r#"{"ids": ["x"]}"#, Some("x")),
            ("ids[+0]", r#"{"ids": ["x"]}"#, Some("x")),
            ("ids[wat]", r#"{"ids": ["x"]}"#, None),
            ("ids[]", r#"{"ids": ["x"]}"#, None),
            ("ids[a.b]", r#"{"ids": ["x"]}"#, None),
            ("ids[99999999999999999999]", r#"{"ids": ["x"]}"#, None),
            ("[1]", r#"["a", "b"]"#, Some("b")),
            ("[1]", r#"{"[1]": "b"}"#, None),
            ("[0].id", r#"[{"id": "1"}, {"id": "2"}]"#, Some("1")),
            ("[5].id", r#"[{"id": "1"}]"#, None),
            ("data.ids[0].id", r#"{"data": {"ids": [{"id": "1"}]}}"#, Some("1")),
            ("[3][2]", r#"[[], [], [], ["5", "6", "7"]]"#, Some("7")),
            ("data[1][1]", r#"{"data": [[], ["d", "e"]]}"#, Some("e")),
            ("data[0].apps[1].name", r#"{"data": [{"apps": [{}, {"name": "app2"}]}]}"#, Some("app2")),
            ("data[0].apps[1].name", r#"{"data": [{"apps": []}]}"#, None),
            ("data.name.invalid", r#"{"data": {"name": "john"}}"#, None),
            ("data[-1]", r#"{"data": ["x"]}"#, None),
            ("[-1]", r#"["x"]"#, None),
            ("data[0][-1]", r#"{"data": [["x"]]}"#, None),
            ("data", r#"{"data": null}"#, None),
            ("data.x", r#"{"data": null}"#, None),
            ("data.x", r#"{"data": 5}"#, None),
            ("x", "[1]", None),
            ("data[0]", r#"{"data": "text"}"#, None),
        ];
        for (path, json, found) in cases {
            let root = serde_json::from_str(json).unwrap();
            assert_eq!(Path::parse(path).walk(&root).and_then(Value::as_str), found, "{path} in {json}");
        }
    }

    #[test]
    fn an_empty_path_is_the_whole_body() {
        let root = serde_json::json!(["a"]);
        assert_eq!(Path::parse("").walk(&root), Some(&root));
    }
}
