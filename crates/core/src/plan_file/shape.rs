//! Checks a section against the JSON Schema of its type, reporting everything that does not fit.

use schemars::Schema;
use serde_json::{Map, Value};

use super::document::{Content, Entries, Node};
use super::join;
use super::problem::Problems;

/// How alike a misspelled key must be to a known one to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;

/// Report everything in which a section does not fit its schema.
pub(crate) fn check(node: &Node, path: &str, schema: &Schema, problems: &mut Problems) {
    let root = schema.as_value();
    Check { definitions: root.get("$defs").unwrap_or(&Value::Null), problems }.value(node, path, root);
}

/// Report keys that are none of these.
pub(crate) fn known_keys(node: &Node, path: &str, known: &[&str], problems: &mut Problems) {
    for (key, (span, _)) in node.entries().into_iter().flatten().filter(|(key, _)| !known.contains(&key.as_str())) {
        let help = Some(suggest(key, known));
        problems.report_at(
            &join(path, key),
            span.clone(),
            &format!("unknown key `{key}`"),
            "nothing is called this",
            help,
        );
    }
}

fn suggest(word: &str, known: &[&str]) -> String {
    let similarity = |other: &str| strsim::jaro_winkler(word, other);
    let nearest = known.iter().max_by(|one, two| similarity(one).total_cmp(&similarity(two)));
    match nearest {
        Some(nearest) if similarity(nearest) >= ALIKE => format!("did you mean `{nearest}`?"),
        _ => format!("known are {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
    }
}

struct Check<'a> {
    definitions: &'a Value,
    problems: &'a mut Problems,
}

impl<'a> Check<'a> {
    /// The schema that a reference stands for.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|reference| reference.rsplit('/').next());
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }

    fn value(&mut self, node: &Node, path: &str, schema: &'a Value) {
        let schema = self.resolve(schema);
        let choices = self.choices(schema);
        if !choices.is_empty() {
            return self.one_of(node, path, &choices);
        }
        if !types(schema).is_empty() && !types(schema).contains(&type_of(node)) {
            return self.wrong(
                node,
                path,
                "wrong type",
                &format!("expected {}, found {}", expected(schema), article(type_of(node))),
            );
        }
        match &node.content {
            Content::Table(entries) => self.table(node, entries, path, schema),
            Content::List(items) => {
                if let Some(each) = schema.get("items") {
                    items.iter().for_each(|item| self.value(item, path, each));
                }
            }
            Content::Scalar(value) => self.range(node, value, path, schema),
        }
    }

    fn wrong(&mut self, node: &Node, path: &str, message: &str, label: &str) {
        self.problems.report_at(path, node.span.clone(), message, label, None);
    }

    fn table(&mut self, node: &Node, entries: &Entries, path: &str, schema: &'a Value) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let additional = schema.get("additionalProperties");
        if additional == Some(&Value::Bool(false)) {
            known_keys(node, path, &known, self.problems);
        }
        for (key, (_, entry)) in entries {
            let member = schema.get("properties").and_then(|properties| properties.get(key));
            if let Some(schema) = member.or(additional.filter(|additional| additional.is_object())) {
                self.value(entry, &join(path, key), schema);
            }
        }
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !entries.contains_key(key) {
                let label = format!("[{path}] needs `{key}`");
                self.problems.report_at(
                    &join(path, key),
                    node.span.clone(),
                    &format!("missing key `{key}`"),
                    &label,
                    None,
                );
            }
        }
    }

    fn range(&mut self, node: &Node, value: &Value, path: &str, schema: &Value) {
        let Some(number) = value.as_f64() else { return };
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let label = match (least, most) {
                (Some(least), Some(most)) => format!("expected a number from {least} to {most}"),
                (Some(least), None) => format!("expected a number of at least {least}"),
                _ => format!("expected a number of at most {}", most.unwrap_or_default()),
            };
            self.wrong(node, path, "out of range", &label);
        }
    }

    /// The alternatives of a schema, `null` left out: TOML has none. A single one is no choice but that schema itself.
    fn choices(&self, schema: &'a Value) -> Vec<&'a Value> {
        if schema.get("enum").is_some() || schema.get("const").is_some() {
            return vec![schema];
        }
        let alternatives = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(*key)).and_then(Value::as_array);
        let alternatives = alternatives.into_iter().flatten().map(|alternative| self.resolve(alternative));
        let alternatives = alternatives.filter(|alternative| types(alternative) != ["null"]);
        alternatives
            .flat_map(|alternative| match self.choices(alternative) {
                inner if inner.is_empty() => vec![alternative],
                inner => inner,
            })
            .collect()
    }

    fn one_of(&mut self, node: &Node, path: &str, choices: &[&'a Value]) {
        if let Content::Scalar(value) = &node.content {
            let words: Vec<&str> = choices.iter().flat_map(|choice| constants(choice)).collect();
            if value.as_str().is_some_and(|text| words.contains(&text)) {
                return;
            }
            if let (Some(text), false) = (value.as_str(), words.is_empty()) {
                let help = Some(suggest(text, &words));
                let span = node.span.clone();
                return self.problems.report_at(path, span, "unknown value", "not one of the choices", help);
            }
        }
        let of_type =
            choices.iter().find(|choice| constants(choice).is_empty() && types(choice).contains(&type_of(node)));
        match of_type {
            Some(schema) => self.value(node, path, schema),
            None => {
                let expected: Vec<_> = choices.iter().map(|choice| expected(choice)).collect();
                let label = format!("expected {}, found {}", expected.join(" or "), article(type_of(node)));
                self.wrong(node, path, "wrong type", &label);
            }
        }
    }
}

/// The words that a choice is made of.
fn constants(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    listed.chain(schema.get("const")).filter_map(Value::as_str).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn type_of(node: &Node) -> &'static str {
    match &node.content {
        Content::Table(_) => "object",
        Content::List(_) => "array",
        Content::Scalar(Value::Bool(_)) => "boolean",
        Content::Scalar(Value::Number(number)) if number.is_f64() => "number",
        Content::Scalar(Value::Number(_)) => "integer",
        Content::Scalar(_) => "string",
    }
}

fn article(name: &str) -> &'static str {
    match name {
        "object" => "a table",
        "array" => "a list",
        "boolean" => "true or false",
        "number" => "a number with a fraction",
        "integer" => "a whole number",
        _ => "a string",
    }
}

fn expected(schema: &Value) -> String {
    let words = constants(schema);
    if !words.is_empty() {
        return words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    }
    let types = types(schema);
    let names = types.iter().filter(|name| **name != "null").map(|name| article(name));
    names.collect::<Vec<_>>().join(" or ")
}
