//! The subset of `JSONPath` that Gatus supports: `.user.name`, `.data[0].id`, `[2][1]`; and keys in quotes, which may have dots and brackets:
//! `.status["core.key"]`.
//!
//! A path is parsed with its condition. It finds nothing if a key is missing, an index is negative or past the end, a key is applied to a
//! number, or the value is `null`.

use serde_json::Value;

/// A path into a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<PathSegment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum PathSegment {
    Key(String),
    Index(usize),
    /// An invalid index, which finds nothing.
    InvalidIndex,
}

impl Path {
    /// Parses the text behind `[BODY]`, including the first dot.
    pub(super) fn parse(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some((before, key, behind)) = split_quoted_key(rest) {
            segments.extend(Path::parse_unquoted(before).0);
            segments.push(PathSegment::Key(key.to_owned()));
            rest = behind;
        }
        if segments.is_empty() || !rest.is_empty() {
            segments.extend(Path::parse_unquoted(rest).0);
        }
        Path(segments)
    }

    /// Parses a path without keys in quotes.
    fn parse_unquoted(text: &str) -> Self {
        let text = text.strip_prefix('.').unwrap_or(text);
        let mut segments = Vec::new();
        for (number, part) in split_outside_brackets(text).enumerate() {
            let bracket = part.find('[').filter(|_| part.ends_with(']'));
            let (key, indexes) = part.split_at(bracket.unwrap_or(part.len()));
            // `[0].a` begins with an index and has no key before it.
            if !key.is_empty() || (indexes.is_empty() && (number > 0 || !text.is_empty())) {
                segments.push(PathSegment::Key(key.to_owned()));
            }
            if !indexes.is_empty() {
                segments.extend(parse_indexes(indexes));
            }
        }
        Path(segments)
    }

    /// Finds the value of the path.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        let descend = |value: &'v Value, segment: &PathSegment| match segment {
            PathSegment::Key(key) => value.as_object()?.get(key),
            PathSegment::Index(index) => value.as_array()?.get(*index),
            PathSegment::InvalidIndex => None,
        };
        self.0.iter().try_fold(root, descend).filter(|value| !value.is_null())
    }
}

/// Splits at the first key in quotes: what is before it, the key, and what is behind it.
fn split_quoted_key(text: &str) -> Option<(&str, &str, &str)> {
    let found = ['"', '\''].into_iter().filter_map(|quote| {
        let (before, rest) = text.split_once(&*format!("[{quote}"))?;
        let (key, behind) = rest.split_once(&*format!("{quote}]"))?;
        Some((before, key, behind))
    });
    found.min_by_key(|(before, ..)| before.len())
}

/// Returns a path without its keys in quotes.
pub(super) fn without_quoted_keys(path: &str) -> String {
    let (mut rest, mut unquoted) = (path, String::new());
    while let Some((before, _, behind)) = split_quoted_key(rest) {
        unquoted.push_str(before);
        rest = behind;
    }
    unquoted + rest
}

/// Splits at dots that are not inside brackets.
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

/// Parses `[1][2]`.
fn parse_indexes(text: &str) -> Vec<PathSegment> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
    // As Go's Atoi, this accepts a sign.
    let index = |text: &str| text.parse().map_or(PathSegment::InvalidIndex, PathSegment::Index);
    inner.split("][").map(index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_the_same_values_as_in_gatus() {
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
            (r#"status["core.key_3"]"#, r#"{"status": {"core.key_3": "ok"}}"#, Some("ok")),
            (r#"["a.b"]['c[0]'].d[0]"#, r#"{"a.b": {"c[0]": {"d": ["x"]}}}"#, Some("x")),
            (r#"a[0]["b"][1]"#, r#"{"a": [{"b": ["x", "y"]}]}"#, Some("y")),
            (r#"["a (b)"]"#, r#"{"a (b)": "x"}"#, Some("x")),
            ("data.x", r#"{"data": 5}"#, None),
            ("x", "[1]", None),
            ("data[0]", r#"{"data": "text"}"#, None),
        ];
        for (path, json, found) in cases {
            let root = serde_json::from_str(json).unwrap();
            assert_eq!(Path::parse(path).find(&root).and_then(Value::as_str), found, "{path} in {json}");
        }
    }

    #[test]
    fn an_empty_path_is_the_whole_body() {
        let root = serde_json::json!(["a"]);
        assert_eq!(Path::parse("").find(&root), Some(&root));
    }
}
