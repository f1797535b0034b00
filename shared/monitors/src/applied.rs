//! The result of applying a list of monitors: the response of the edge, which `heapbeat apply` prints.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ConfigProblem;

/// The name of the applied list in positions.
pub const LIST: &str = "monitors";

/// The ids of the monitors that applying a list adds, changes and removes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Difference {
    /// Monitors that are new.
    pub added: Vec<String>,
    /// Monitors with other settings; their history continues.
    pub changed: Vec<String>,
    /// Monitors that are no longer in the list; their history is kept until it expires.
    pub removed: Vec<String>,
    /// Monitors with the same settings.
    pub unchanged: Vec<String>,
}

impl Difference {
    /// Compares two lists of entries.
    pub fn between(before: &[Value], after: &[Value]) -> Self {
        let id = |entry: &Value| entry.get("id").and_then(Value::as_str).map(str::to_owned);
        let by_id = |list: &[Value]| -> Map<String, Value> {
            let mut map = Map::new();
            for entry in list {
                // An entry without an id is invalid and belongs to no list.
                let _ = id(entry).and_then(|id| map.insert(id, entry.clone()));
            }
            map
        };
        let (old, new) = (by_id(before), by_id(after));
        let mut difference = Difference::default();
        for entry in after {
            let Some(id) = id(entry) else { continue };
            match old.get(&id) {
                None => &mut difference.added,
                Some(old) if old == entry => &mut difference.unchanged,
                Some(_) => &mut difference.changed,
            }
            .push(id);
        }
        difference.removed = before.iter().filter_map(id).filter(|id| !new.contains_key(id)).collect();
        difference
    }
}

/// The response to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Applied {
    /// Whether the list was applied.
    pub applied: bool,
    /// The changes, also of a list that was not applied.
    #[serde(flatten)]
    pub difference: Difference,
    /// The problems; if there is one, nothing was changed.
    pub problems: Vec<ConfigProblem>,
    /// What keeps monitors from being probed as they say, by id: a secret that the Worker does not have, above all. The list is applied all
    /// the same.
    #[serde(default)]
    pub warnings: Vec<ConfigProblem>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_difference_lists_what_changes() {
        let before = [json!({"id":"a","url":"x"}), json!({"id":"b","url":"x"}), json!({"id":"c","url":"x"})];
        let after = [json!({"url":"x","id":"a"}), json!({"id":"b","url":"y"}), json!({"id":"d","url":"x"})];
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let expected = Difference {
            added: ids(&["d"]),
            changed: ids(&["b"]),
            removed: ids(&["c"]),
            unchanged: ids(&["a"]),
        };
        assert_eq!(Difference::between(&before, &after), expected);
        let again = Difference::between(&after, &after);
        assert_eq!((again.added.len(), again.changed.len(), again.removed.len()), (0, 0, 0));
    }
}
