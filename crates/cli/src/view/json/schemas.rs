//! The JSON Schemas of what programs read, generated from the documents' types. A field that they do not name is refused.

use provision_core::event::Event;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::documents::{AllSections, Diff, Doctor, Drift, Failed, Line, ManySettings, Plan, ServerSettings};

/// What plan and show print.
pub(crate) fn plan() -> Value {
    let mut generator = generator();
    let kinds = [
        Plan::json_schema(&mut generator),
        AllSections::json_schema(&mut generator),
        Failed::json_schema(&mut generator),
    ];
    let schema = json_schema!({"anyOf": kinds});
    finished(schema, generator, "provision plan", "What `plan --json` and `show --json` print.")
}

/// What drift prints.
pub(crate) fn drift() -> Value {
    of::<Drift<'_>>("provision drift", "What `drift --json` prints.")
}

/// What doctor prints.
pub(crate) fn doctor() -> Value {
    of::<Doctor<'_>>("provision doctor", "What `doctor --json` prints.")
}

/// What diff prints.
pub(crate) fn diff() -> Value {
    of::<Diff<'_>>("provision diff", "What `diff --json` prints.")
}

/// What output prints.
pub(crate) fn output() -> Value {
    let mut generator = generator();
    let kinds = [
        ServerSettings::json_schema(&mut generator),
        ManySettings::json_schema(&mut generator),
        Failed::json_schema(&mut generator),
    ];
    finished(json_schema!({"anyOf": kinds}), generator, "provision output", "What `output --json` prints.")
}

/// Each line that apply, destroy and verify print.
pub(crate) fn events() -> Value {
    let mut generator = generator();
    let kinds = [Line::json_schema(&mut generator), Event::json_schema(&mut generator)];
    let kinds = kinds.into_iter().filter_map(|kind| kind.get("oneOf").and_then(Value::as_array).cloned()).flatten();
    let schema = json_schema!({"oneOf": kinds.map(timed).collect::<Vec<_>>()});
    finished(
        schema,
        generator,
        "provision events",
        "A line that `apply --json`, `destroy --json` and `verify --json` print.",
    )
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// A document, or why there is none.
fn of<T: JsonSchema>(title: &str, description: &str) -> Value {
    let mut generator = generator();
    let schema = json_schema!({"anyOf": [T::json_schema(&mut generator), Failed::json_schema(&mut generator)]});
    finished(schema, generator, title, description)
}

/// A kind of line, with the time that each has.
fn timed(mut kind: Value) -> Value {
    kind["properties"]["time"] =
        json!({"type": "string", "format": "date-time", "description": "When it was printed."});
    if let Some(required) = kind["required"].as_array_mut() {
        required.push("time".into());
    }
    kind
}

fn finished(mut schema: Schema, mut generator: SchemaGenerator, title: &str, description: &str) -> Value {
    let definitions: Map<String, Value> = generator.take_definitions(true);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
    });
    schema.remove("description");
    let mut whole = head;
    for (key, value) in schema.ensure_object() {
        whole[key] = value.take();
    }
    whole["$defs"] = Value::Object(definitions);
    let mut whole = Schema::try_from(whole).unwrap_or_default();
    RecursiveTransform(close).transform(&mut whole);
    whole.to_value()
}

/// Let an object have the members that it names, and no others.
fn close(schema: &mut Schema) {
    let open = ["additionalProperties", "unevaluatedProperties"].into_iter().all(|key| schema.get(key).is_none());
    if open && schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}
