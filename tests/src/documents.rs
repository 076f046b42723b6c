//! What programs read, judged by the schemas that the binary prints, and reports by those of their standards.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::python;
use crate::run::{Ran, binary};

static PLAN: LazyLock<Validator> = LazyLock::new(|| of_binary("plan"));
static EVENTS: LazyLock<Validator> = LazyLock::new(|| of_binary("events"));
static DRIFT: LazyLock<Validator> = LazyLock::new(|| of_binary("drift"));
static OUTPUT: LazyLock<Validator> = LazyLock::new(|| of_binary("output"));

static DOCTOR: LazyLock<Validator> = LazyLock::new(|| of_binary("doctor"));
static DIFF: LazyLock<Validator> = LazyLock::new(|| of_binary("diff"));

/// The standard's own schema, which the crate ships that the report is made with
/// (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json>).
static SARIF: LazyLock<Validator> = LazyLock::new(|| {
    let place = Path::new(&package("serde-sarif")).join("src/schema.json");
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(place).unwrap()).unwrap();
    // Its pattern of languages has a bracket too many, so that no strict validator takes it; we write none.
    for of in ["run", "toolComponent"] {
        schema["definitions"][of]["properties"]["language"] = Value::Bool(true);
    }
    jsonschema::validator_for(&schema).unwrap()
});

/// A schema that the binary prints.
///
/// # Panics
///
/// It prints none.
#[must_use]
pub fn schema(of: &str) -> Value {
    let output = Command::new(binary()).args(["schema", "--for", of]).env_clear().output().unwrap();
    assert!(output.status.success(), "{of}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of_binary(of: &str) -> Validator {
    jsonschema::validator_for(&schema(of)).unwrap()
}

/// Where the sources of a dependency are, in the version of the lock file.
fn package(name: &str) -> String {
    let version = printed("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // What only other platforms need is not on this machine.
    let arguments = ["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&printed("cargo", &arguments)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == name).unwrap();
    found["manifest_path"].as_str().unwrap().trim_end_matches("/Cargo.toml").to_owned()
}

/// What a tool of the toolchain prints in the workspace.
fn printed(tool: &str, arguments: &[&str]) -> String {
    let tool = std::env::var(tool.to_uppercase()).unwrap_or_else(|_| tool.to_owned());
    let output = Command::new(tool).args(arguments).current_dir(python::workspace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Judge what a run printed for programs, if it did.
///
/// # Panics
///
/// It is not of the form that is promised.
pub fn judge(arguments: &[&str], ran: &Ran) {
    let value = |flag: &str| arguments.iter().skip_while(|argument| **argument != flag).nth(1).copied();
    let command = arguments.iter().take(2).find(|argument| COMMANDS.contains(argument));
    if ran.signal.is_some() || ran.stdout.is_empty() {
        return;
    }
    match (command, arguments.contains(&"--json"), value("--format")) {
        (Some(&"output"), true, _) if !ran.stdout.starts_with('{') => {}
        (Some(&command), true, _) => judge_json(command, &ran.stdout),
        (Some(&("drift" | "verify")), _, Some("junit")) => judge_junit(&ran.stdout),
        (Some(&"drift"), _, Some("sarif")) => judge_sarif(&ran.stdout),
        _ => {}
    }
}

const COMMANDS: [&str; 9] = ["plan", "show", "apply", "destroy", "drift", "verify", "output", "doctor", "diff"];

/// Judge what a command printed as JSON.
///
/// # Panics
///
/// It is not of the form that its schema promises.
pub fn judge_json(command: &str, text: &str) {
    let validator = match command {
        "apply" | "destroy" | "verify" => return text.lines().for_each(|line| is_valid(&EVENTS, line)),
        "drift" => &DRIFT,
        "output" => &OUTPUT,
        "doctor" => &DOCTOR,
        "diff" => &DIFF,
        _ => &PLAN,
    };
    is_valid(validator, text);
}

fn is_valid(validator: &Validator, text: &str) {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let wrong: Vec<_> =
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{text}");
}

/// Judge a report for code scanning: by the standard, and by what GitHub requires beyond it
/// (<https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#supported-sarif-output-file-properties>).
///
/// # Panics
///
/// It is something else.
pub fn judge_sarif(text: &str) {
    is_valid(&SARIF, text);
    let report: Value = serde_json::from_str(text).unwrap();
    let run = &report["runs"][0];
    let driver = &run["tool"]["driver"];
    assert!(report["$schema"].is_string() && report["version"] == "2.1.0" && driver["name"] == "provision", "{text}");
    let rules: Vec<_> = driver["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    for result in run["results"].as_array().unwrap() {
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(rules.contains(&&result["ruleId"]) && result["message"]["text"].is_string(), "{result}");
        assert!(place["region"]["startLine"].is_u64() && !uri.contains([' ', '"', '<']), "{result}");
        assert!(result["partialFingerprints"].is_object(), "{result}");
    }
}

/// Judge a report of test cases by the structure that Jenkins publishes
/// (<https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd>),
/// with what GitLab reads beyond it (`file`, `line`), and with counts of the whole that `quick-junit` writes.
///
/// # Panics
///
/// It is something else, or its counts are wrong.
pub fn judge_junit(text: &str) {
    let output = python::run(include_str!("junit.py"), &[("REPORT".to_owned(), text.to_owned())]);
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
}
