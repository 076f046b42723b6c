//! What programs see: `--json`, `--trace`, heartbeats, the time limit.

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use serde_json::Value;

use provision_tests::stage::Stage;

use crate::clouds::AWS;
use crate::clouds::aws::PLAN;
use crate::clouds::aws::hand::boto;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["type"].as_str()).collect()
}

#[test]
fn json_of_apply_and_destroy_is_a_document_a_line() {
    let stage = AWS.planned();
    let applied = lines(&stage.run(&["aws", "apply", "--yes", "--json"]).stdout);
    let seen = types(&applied);
    assert_eq!((seen[0], seen[1], *seen.last().unwrap()), ("version", "change_set", "summary"));
    assert!(seen.contains(&"operation_started") && seen.contains(&"operation_done"), "{seen:?}");
    assert_eq!(
        applied.last().unwrap()["outputs"]["BUCKET"],
        serde_json::json!({"value": "s3://acme-{s}", "sensitive": false})
    );
    let destroyed = lines(&stage.run(&["aws", "destroy", "--yes", "--json"]).stdout);
    assert!(types(&destroyed).contains(&"operation_done"));
    let end = destroyed.last().unwrap();
    assert!(end["type"] == "summary" && end["complete"] == true && end["changes"]["delete"].is_u64(), "{end}");
    assert!(applied.iter().chain(&destroyed).all(|line| line["time"].is_string()), "{applied:?}");
}

/// A document without the line that says when the look began.
fn without_time(document: &str) -> Vec<&str> {
    document.lines().filter(|line| !line.starts_with("  \"looked_at\": ")).collect()
}

#[test]
fn json_of_plan_drift_and_output_is_one_document() {
    let stage = AWS.applied();
    for command in ["plan", "drift", "output"] {
        let ran = stage.run(&["aws", command, "--json"]);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(document["format"] == 1 && document["tool"].is_string(), "{command}: {document}");
        // Nothing that programs read is left out for being told to be quiet.
        let quiet = stage.run(&["aws", command, "--json", "--quiet"]).stdout;
        assert_eq!(without_time(&quiet), without_time(&ran.stdout));
    }
    let drift: Value = serde_json::from_str(&stage.run(&["aws", "drift", "--json"]).stdout).unwrap();
    assert_eq!(drift["deployments"][0]["verdict"], "in sync");
    stage.write("provision.toml", "[deployment]\n");
    let broken = stage.run(&["aws", "plan", "--json"]);
    let problems: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert!(broken.code == 64 && problems["errors"][0]["problems"][0]["line"].is_number(), "{problems}");
}

#[test]
fn json_of_a_failure_names_the_call_and_the_place() {
    let stage = AWS.planned();
    stage.faults().fault(Fault {
        operation: "s3:PutBucketCors".to_owned(),
        nth: Nth::Every,
        at: When::Before,
        what: provision_sandbox::aws::answers::s3(403, "AccessDenied", "Access Denied"),
    });
    let ran = stage.run(&["aws", "apply", "--yes", "--json"]);
    assert_eq!(ran.code, 5);
    let failed = lines(&ran.stdout).into_iter().find(|line| line["type"] == "operation_failed").unwrap();
    assert_eq!(failed["error"]["operation"], "s3:PutBucketCors");
    assert_eq!((&failed["error"]["code"], &failed["error"]["address"]), (&"AccessDenied".into(), &"aws.bucket".into()));
    let end = lines(&ran.stdout).pop().unwrap();
    assert!(
        end["type"] == "summary" && end["complete"] == false && end["errors"][0]["code"] == "AccessDenied",
        "{end}"
    );
    assert!(end["done"].is_array() && end["not_done"].is_array(), "{end}");
    let failed = end["failed"].as_array().unwrap();
    assert!(failed.len() == 1 && failed[0].as_str().unwrap().contains("cors of bucket"), "{end}");
}

#[test]
fn quiet_prints_results_and_errors_only() {
    let stage = AWS.planned();
    let ran = stage.run(&["aws", "apply", "--yes", "--quiet"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("Applied `wandb-prod` in ") && ran.stdout.contains("HOST="), "{}", ran.stdout);
    let plan = stage.run(&["aws", "plan", "--quiet"]);
    assert_eq!(
        (plan.stdout.as_str(), plan.stderr.as_str()),
        ("wandb-prod: No changes: the cloud matches the plan file.\n", "")
    );
    boto(&stage.hand(), "attribute(VisibilityTimeout='7')");
    assert_eq!(AWS.ends(&stage, 2, &["drift", "--quiet"]), "wandb-prod: drift\n");
}

#[test]
fn verbose_shows_what_is_in_sync_too() {
    let stage = AWS.applied();
    let brief = AWS.succeed(&stage, &["plan"]);
    let whole = AWS.succeed(&stage, &["plan", "--verbose"]);
    for shown in ["bucket `acme-{s}`", "queue `acme-{s}-events`"] {
        assert!(!brief.contains(shown) && whole.contains(shown), "{brief}\n{whole}");
    }
}

#[test]
fn heartbeat_says_what_is_waited_for() {
    let stage = AWS.planned();
    delay(&stage, "s3:PutBucketCors", 3);
    // Two seconds instead of ten.
    let ran = stage.run_with(&["aws", "apply", "--yes"], |command| {
        command.env("PROVISION_TEST_LIMITS", "5");
    });
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains(" s, waiting for: write cors of bucket"), "{}", ran.stderr);
}

#[test]
fn drift_over_many_plan_files_reports_each_and_every_mistake() {
    let stage = AWS.applied();
    stage.write("other.toml", &PLAN.replace("wandb-prod", "other-{s}").replace("acme-{s}", "acme-{s}-b"));
    let ran = stage.run(&["aws", "drift", "provision.toml", "other.toml"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("in sync") && ran.stdout.contains("nothing of it exists"), "{}", ran.stdout);
    stage.write("one.toml", "[deployment]\nname = \"A\"\n");
    stage.write("two.toml", "[deployment]\nname = \"B\"\n");
    let ran = stage.run(&["aws", "drift", "one.toml", "two.toml"]);
    assert!(ran.code == 64 && ran.stderr.contains("one.toml") && ran.stderr.contains("two.toml"), "{}", ran.stderr);
}

fn delay(stage: &Stage, operation: &str, seconds: u64) {
    let what = What::Delay(Duration::from_secs(seconds));
    stage.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Number(1), at: When::Before, what });
}
