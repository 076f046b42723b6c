//! Field-level differences of two values, for people and for the change set.

use std::collections::BTreeSet;

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

impl FieldDiff {
    /// Its path from the facet on: `cors.origins`, `policy[1].Resource`.
    #[must_use]
    pub fn path(&self, facet: &str) -> String {
        match self.field.as_str() {
            "" => facet.to_owned(),
            field if field.starts_with('[') => format!("{facet}{field}"),
            field => format!("{facet}.{field}"),
        }
    }
}

/// The fields in which `before` and `after` differ, in the order of their names. Lists of plain values are compared whole; so are
/// lists of objects of which one has more, but for what is made or taken away.
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
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => members(&path, old, new, found),
        (Value::Object(old), Value::Null) => members(&path, old, &empty, found),
        (Value::Null, Value::Object(new)) => members(&path, &empty, new, found),
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() && has_objects(new) => {
            old.iter().zip(new).enumerate().for_each(|(index, (old, new))| element(&path, index, old, new, found));
        }
        (Value::Array(old), Value::Null) if has_objects(old) => {
            old.iter().enumerate().for_each(|(index, old)| element(&path, index, old, &Value::Null, found));
        }
        (Value::Null, Value::Array(new)) if has_objects(new) => {
            new.iter().enumerate().for_each(|(index, new)| element(&path, index, &Value::Null, new, found));
        }
        _ => found.push(FieldDiff { field: path, before: before.clone(), after: after.clone() }),
    }
}

type Members = serde_json::Map<String, Value>;

fn members(path: &str, old: &Members, new: &Members, found: &mut Vec<FieldDiff>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let field = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        collect(field, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null), found);
    }
}

fn element(path: &str, index: usize, old: &Value, new: &Value, found: &mut Vec<FieldDiff>) {
    collect(format!("{path}[{index}]"), old, new, found);
}

fn has_objects(list: &[Value]) -> bool {
    list.iter().any(Value::is_object)
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
    fn fields_of_a_document_names_the_element_that_differs() {
        let statement = |resource: &str| json!([{"Effect": "Allow"}, {"Effect": "Allow", "Resource": [resource]}]);
        let found = fields(&statement("a"), &statement("b"));
        assert_eq!(found.iter().map(|diff| diff.path("policy")).collect::<Vec<_>>(), ["policy[1].Resource"]);
        assert_eq!(fields(&json!(null), &statement("b")).len(), 3);
        assert_eq!(fields(&json!([]), &statement("b"))[0].path("policy"), "policy");
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
