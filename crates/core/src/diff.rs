//! Field-level differences of two values, for people and for the change set.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compare::same;

/// One field that differs. `null` on a side means that the field is absent there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// Dotted path inside the facet; empty where the facet is one plain value.
    pub field: String,
    /// What the cloud has.
    pub before: Value,
    /// What the plan file asks for.
    pub after: Value,
}

/// The fields in which `before` and `after` differ, in the order of their names. Lists are compared whole.
#[must_use]
pub fn fields(before: &Value, after: &Value) -> Vec<FieldDiff> {
    let mut found = Vec::new();
    collect(String::new(), before, after, &mut found);
    found
}

fn collect(path: String, before: &Value, after: &Value, found: &mut Vec<FieldDiff>) {
    if same(before, after) {
        return;
    }
    let empty = serde_json::Map::new();
    let (old, new) = match (before, after) {
        (Value::Object(old), Value::Object(new)) => (old, new),
        (Value::Object(old), Value::Null) => (old, &empty),
        (Value::Null, Value::Object(new)) => (&empty, new),
        _ => return found.push(FieldDiff { field: path, before: before.clone(), after: after.clone() }),
    };
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let field = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect(field, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_names_what_differs_and_nothing_else() {
        let before = json!({"a": 1, "b": {"c": [1], "d": 2}, "e": null});
        let after = json!({"a": 1, "b": {"c": [1, 2]}, "f": 3});
        let named: Vec<_> = fields(&before, &after).into_iter().map(|diff| diff.field).collect();
        assert_eq!(named, ["b.c", "b.d", "f"]);
    }

    #[test]
    fn fields_of_a_plain_value_has_no_path() {
        let diff = FieldDiff { field: String::new(), before: json!(false), after: json!(true) };
        assert_eq!(fields(&json!(false), &json!(true)), [diff]);
    }

    #[test]
    fn fields_of_something_new_lists_its_members() {
        assert_eq!(fields(&json!(null), &json!({"a": 1, "b": 2})).len(), 2);
    }
}
