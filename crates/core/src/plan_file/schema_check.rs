//! Checks a section against the JSON Schema of its type, reporting everything that does not fit.

use schemars::Schema;
use serde_json::{Map, Value};

use super::document::{Content, Entries, Node, join};
use super::problems::Problems;

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
            "there is no such key here",
            help,
        );
    }
}

fn suggest(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("known are {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// The known word that was probably meant; case does not make words differ.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let similarity = |other: &str| strsim::jaro_winkler(&word, &other.to_lowercase());
    let nearest = known.iter().copied().max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
    nearest.filter(|nearest| similarity(nearest) >= ALIKE)
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
        if !types(schema).is_empty() && !is_of_type(node, schema) {
            return self.wrong_type(node, path, &expected(schema, path), remedy(node, path, schema));
        }
        match &node.content {
            Content::Table(entries) => self.table(node, entries, path, schema),
            Content::List(items) => {
                if let Some(each) = schema.get("items") {
                    items.iter().for_each(|item| self.value(item, path, each));
                }
            }
            Content::Scalar(value) => self.range(node, value, path, schema),
            Content::Foreign { .. } => {}
        }
    }

    fn wrong_type(&mut self, node: &Node, path: &str, expected: &str, help: Option<String>) {
        let label = format!("expected {expected}, found {}", found(node));
        self.problems.report_at(path, node.span.clone(), "wrong type", &label, help);
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
        let (least, most) = (bound("minimum"), bound("maximum").or_else(|| greatest(schema)));
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = match (least, most) {
                // What the type can hold at most is news only to who exceeds it.
                (Some(least), _) if number < least && bound("maximum").is_none() => format!("{least} or more"),
                (Some(least), Some(most)) => format!("from {least} to {most}"),
                (_, most) => format!("at most {}", most.unwrap_or_default()),
            };
            let label = format!("expected {}, {range}", number_of(path).unwrap_or("a number"));
            self.problems.report_at(path, node.span.clone(), "out of range", &label, None);
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
                let label = format!("expected {}", any_of(choices, path));
                let help = nearest(text, &words).map(|word| format!("did you mean `{word}`?"));
                return self.problems.report_at(path, node.span.clone(), "unknown value", &label, help);
            }
        }
        let of_type = choices.iter().filter(|choice| constants(choice).is_empty() && is_of_type(node, choice));
        match of_type.min_by_key(|choice| misfits(node, choice)) {
            Some(schema) => self.value(node, path, schema),
            None => self.wrong_type(node, path, &any_of(choices, path), None),
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
        Content::Foreign { .. } => "foreign",
    }
}

/// Whether a node is of one of the types of a schema. A whole number will do for a number.
fn is_of_type(node: &Node, schema: &Value) -> bool {
    let (types, found) = (types(schema), type_of(node));
    types.contains(&found) || (found == "integer" && types.contains(&"number"))
}

/// How many keys of a table a choice does not know or misses: of several kinds of table, the nearest is meant.
fn misfits(node: &Node, schema: &Value) -> usize {
    let Some(entries) = node.entries() else { return 0 };
    let properties = schema.get("properties");
    let known = |key: &str| properties.is_some_and(|properties| properties.get(key).is_some());
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    entries.keys().filter(|key| !known(key)).count() + required.filter(|key| !entries.contains_key(*key)).count()
}

fn found(node: &Node) -> &'static str {
    match &node.content {
        Content::Foreign { kind, .. } => kind,
        _ => article(type_of(node)),
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

fn expected(schema: &Value, path: &str) -> String {
    let words = constants(schema);
    if !words.is_empty() {
        return words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    }
    let number = number_of(path).filter(|_| types(schema).contains(&"integer"));
    let types = types(schema);
    let names =
        types.iter().filter(|name| **name != "null").map(|name| number.unwrap_or_else(|| expected_type(name, schema)));
    names.collect::<Vec<_>>().join(" or ")
}

fn expected_type(name: &str, schema: &Value) -> &'static str {
    let each = schema.get("items").map(types).unwrap_or_default();
    match name {
        "array" if each == ["string"] => "a list of strings",
        "number" => "a number",
        _ => article(name),
    }
}

/// What is expected where there are alternatives; a table shows the keys that it needs.
fn any_of(choices: &[&Value], path: &str) -> String {
    let expected = |choice: &&Value| {
        let required = choice.get("required").and_then(Value::as_array).into_iter().flatten();
        let keys: Vec<_> = required.filter_map(Value::as_str).map(|key| format!("{key} = ...")).collect();
        if keys.is_empty() { expected(choice, path) } else { format!("{{ {} }}", keys.join(", ")) }
    };
    choices.iter().map(expected).collect::<Vec<_>>().join(" or ")
}

/// What a whole number counts: keys carry their unit.
fn number_of(path: &str) -> Option<&'static str> {
    match path.rsplit_once('_')?.1 {
        "s" => Some("a number of seconds"),
        "days" => Some("a number of days"),
        _ => None,
    }
}

/// The greatest number of an integer type, which schemars names only as a format.
fn greatest(schema: &Value) -> Option<f64> {
    match schema.get("format")?.as_str()? {
        "uint32" => Some(f64::from(u32::MAX)),
        "int32" => Some(f64::from(i32::MAX)),
        _ => None,
    }
}

/// How to write the same thing in the right type, where that is plain. Texts may come from variables and are not repeated.
fn remedy(node: &Node, path: &str, schema: &Value) -> Option<String> {
    let desired = |name: &str| types(schema).contains(&name);
    match &node.content {
        Content::Scalar(Value::String(text)) if desired("integer") && text.parse::<i64>().is_ok() => {
            Some("write it without quotes".to_owned())
        }
        Content::Scalar(Value::String(text)) if desired("boolean") && matches!(text.as_str(), "true" | "false") => {
            Some("write it without quotes".to_owned())
        }
        Content::Scalar(Value::String(_)) if desired("array") => Some("put it in brackets: `[\"...\"]`".to_owned()),
        Content::Scalar(value) if desired("string") => Some(format!("write `\"{value}\"`")),
        Content::Foreign { .. } if desired("string") => Some("put it in double quotes".to_owned()),
        Content::List(_) if desired("object") => Some(format!("write `[{path}]`, one table and no list")),
        _ => None,
    }
}
