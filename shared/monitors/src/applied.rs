//! The result of applying a list of monitors: the edge's response, which `heapbeat apply` prints.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Problem;

/// The name of the applied list in positions.
pub const LIST: &str = "monitors";

/// What applying a list changes, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Difference {
    /// Watched from now on.
    pub added: Vec<String>,
    /// Watched differently from now on; their history goes on.
    pub changed: Vec<String>,
    /// Watched no more; their history is kept for as long as any.
    pub removed: Vec<String>,
    /// As before.
    pub unchanged: Vec<String>,
}

impl Difference {
    /// From one list to another; both as they were written.
    pub fn between(before: &[Value], after: &[Value]) -> Self {
        let id = |entry: &Value| entry.get("id").and_then(Value::as_str).map(str::to_owned);
        let by_id = |list: &[Value]| -> Map<String, Value> {
            let mut map = Map::new();
            for entry in list {
                // Without an id it is in no list.
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

/// The answer to a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Applied {
    /// Whether it is in force.
    pub applied: bool,
    /// What it changed, or would.
    #[serde(flatten)]
    pub difference: Difference,
    /// What is wrong with it; where there is anything, nothing was changed.
    pub problems: Vec<Problem>,
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
