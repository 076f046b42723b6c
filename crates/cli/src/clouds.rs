//! What the clouds are called, and how each one's crate is reached.

use provision_aws::AwsSection;
use provision_azure::AzureSection;
use provision_core::deployment::Deployment;
use provision_gcp::GcpSection;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// The JSON Schema of a plan file.
pub(crate) fn schema() -> Value {
    schema_with(|generator| {
        vec![
            ("aws", AwsSection::json_schema(generator)),
            ("gcp", GcpSection::json_schema(generator)),
            ("azure", AzureSection::json_schema(generator)),
        ]
    })
}

/// The schema (draft 7, which TOML editors read) of a file with `[deployment]` and these cloud sections.
fn schema_with(section: impl Fn(&mut SchemaGenerator) -> Vec<(&'static str, Schema)>) -> Value {
    let mut generator = schemars::generate::SchemaSettings::draft07().into_generator();
    let deployment = Deployment::json_schema(&mut generator);
    let mut properties = Map::from_iter([("deployment".to_owned(), deployment.to_value())]);
    properties.extend(section(&mut generator).into_iter().map(|(key, schema)| (key.to_owned(), schema.to_value())));
    let definitions = generator.take_definitions(false);
    let mut schema = json_schema!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "provision plan file",
        "description": "The file store of one Weights & Biases server.",
        "type": "object",
        "required": ["deployment"],
        "additionalProperties": false,
        "properties": properties,
        "definitions": definitions,
    });
    // Draft 7 ignores what stands beside a `$ref`, a description or default say; the settings' transforms wrap it.
    generator.transforms_mut().for_each(|transform| transform.transform(&mut schema));
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize, JsonSchema, Default)]
    struct Inner {}

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Outer {
        /// What editors show.
        #[serde(default)]
        inner: Inner,
    }

    #[test]
    fn schema_keeps_descriptions_beside_references() {
        let schema = schema_with(|generator| vec![("x", Outer::json_schema(generator))]);
        let inner = &schema["properties"]["x"]["properties"]["inner"];
        assert_eq!(inner["description"], "What editors show.");
        assert_eq!(inner["allOf"][0]["$ref"], "#/definitions/Inner");
        assert_eq!(schema["required"], json!(["deployment"]));
    }
}
