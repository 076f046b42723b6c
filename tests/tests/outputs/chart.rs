//! What W&B's own chart and resource definition make of our outputs. Neither is in a package registry, so that these run where a
//! variable names a copy: `PROVISION_TEST_CHART` the folder of `operator-wandb`, with `wandb-base` among its `charts`
//! (<https://github.com/wandb/helm-charts>), `PROVISION_TEST_CRD` the file of `weightsandbiases.apps.wandb.com`
//! (<https://github.com/wandb/operator>). Helm itself is the Python package of its engine.

use std::process::Command;

use provision_tests::{python, stage::Stage};
use serde_json::{Value, json};

use super::{LICENSE, PASSWORD, readers};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use readers::Settings;

/// What a plan file gets besides the file store: everything that the server reads, and a value that is hard to write.
const SERVER: &str = r#"
[server]
version = "0.81.0"
license = "${env:LICENSE}"
mysql = "mysql://wandb:${env:PASSWORD}@db.internal:3307/wandb_local?tls=preferred"
[server.env]
HARD = "a'b\"c $HOME $(HOST) $$ #x = {{ .Values }} \\ é\nsecond"
"#;

/// A deployment that is applied, and its outputs in some formats, as files of the stage's folder.
fn written(cloud: &CloudFixture, formats: &[&str]) -> Stage {
    let stage = cloud.planned();
    stage.write("provision.toml", &format!("{}{SERVER}", stage.read("provision.toml")));
    let run = |arguments: &[&str]| {
        let ran = stage.run_with(arguments, |command| {
            command.env("LICENSE", LICENSE).env("PASSWORD", PASSWORD);
        });
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    };
    run(&[cloud.name, "apply", "--yes"]);
    for format in formats {
        run(&["output", "--format", format, "--reveal", "--out", format]);
    }
    stage
}

/// The variables of the container that the chart makes, by Helm's engine.
fn container(chart: &str, stage: &Stage) -> Settings {
    let [values, secret] = ["helm", "k8s-secret"].map(|file| stage.path().join(file));
    let mut command = Command::new(python::HELM.interpreter());
    command.args(["-c", include_str!("chart.py"), chart]).args([values, secret]);
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn chart_gives_its_container_what_output_says() {
    let Ok(chart) = std::env::var("PROVISION_TEST_CHART") else { return };
    for cloud in [&AWS, &GCP, &AZURE] {
        let stage = written(cloud, &["helm", "k8s-secret", "json"]);
        let outputs: Settings = serde_json::from_str(&stage.read("json")).unwrap();
        let found = container(&chart, &stage);
        for (name, value) in outputs {
            assert_eq!(found.get(&name), Some(&value), "{}: {name}", cloud.name);
        }
    }
}

/// A schema that refuses what it does not name, as a cluster does with `--validate=strict`.
fn strict(schema: &mut Value) {
    let Value::Object(keys) = schema else { return };
    let open = keys.contains_key("additionalProperties") || keys.contains_key("x-kubernetes-preserve-unknown-fields");
    if keys.contains_key("properties") && !open {
        keys.insert("additionalProperties".to_owned(), json!(false));
    }
    for child in ["properties", "items", "additionalProperties"] {
        match keys.get_mut(child) {
            Some(Value::Object(named)) if child == "properties" => named.values_mut().for_each(strict),
            Some(schema) => strict(schema),
            None => {}
        }
    }
}

/// The definition's schema of a version.
fn schema(definition: &Value, version: &str) -> Value {
    let versions = definition["spec"]["versions"].as_array().unwrap();
    let of = versions.iter().find(|of| of["name"] == version).unwrap();
    let mut schema = of["schema"]["openAPIV3Schema"].clone();
    strict(&mut schema);
    schema["properties"]["metadata"] = json!({"type": "object"});
    schema
}

#[test]
fn resources_are_valid_by_the_definition() {
    let Ok(file) = std::env::var("PROVISION_TEST_CRD") else { return };
    for cloud in [&AWS, &GCP, &AZURE] {
        let stage = written(cloud, &["cr", "cr-v1"]);
        let [definition, cr, cr_v1] = readers::yaml(stage.path(), [&file, "cr", "cr-v1"]);
        for (resource, version) in [(cr.last().unwrap(), "v2"), (cr_v1.last().unwrap(), "v1")] {
            assert_eq!(resource["apiVersion"], format!("apps.wandb.com/{version}"));
            let validator = jsonschema::validator_for(&schema(&definition[0], version)).unwrap();
            let errors: Vec<_> = validator.iter_errors(resource).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}\n{resource:#}", cloud.name);
            let mut unknown = resource.clone();
            unknown["spec"]["wandb"]["nobody"] = json!(1);
            assert!(version == "v1" || !validator.is_valid(&unknown), "{unknown:#}");
        }
    }
}
