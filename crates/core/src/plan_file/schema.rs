//! The JSON Schema of a whole plan file, for editors.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::deployment::Deployment;

/// The schema (draft 7, which TOML editors read) of a file with `[deployment]` and these cloud sections.
#[must_use]
pub fn schema(section: impl Fn(&mut SchemaGenerator) -> Vec<(&'static str, Schema)>) -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let deployment = Deployment::json_schema(&mut generator);
    let mut properties = Map::from_iter([("deployment".to_owned(), deployment.to_value())]);
    properties.extend(section(&mut generator).into_iter().map(|(key, schema)| (key.to_owned(), schema.to_value())));
    let definitions = generator.take_definitions(true);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "provision plan file",
        "description": "The file store of one Weights & Biases server.",
        "type": "object",
        "required": ["deployment"],
        "additionalProperties": false,
        "properties": properties,
        "definitions": definitions,
    })
}
