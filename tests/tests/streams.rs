//! What programs see: `--json`, `--trace`, heartbeats, the time limit.

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use serde_json::Value;

use crate::lifecycle::{PLAN, applied, apply, planned};
use provision_tests::backend::Backend;

cases! {
    json_of_apply_and_destroy_is_a_document_a_line,
    json_of_plan_drift_and_output_is_one_document,
    json_of_a_failure_names_the_call_and_the_place,
    trace_has_each_request_and_no_secret,
    quiet_prints_results_and_errors_only,
    heartbeat_says_what_is_waited_for,
    time_limit_stops_like_a_signal_and_the_rerun_finishes,
    drift_over_many_plan_files_reports_each_and_every_mistake,
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["type"].as_str()).collect()
}

fn json_of_apply_and_destroy_is_a_document_a_line(backend: Backend) {
    let rig = planned(backend);
    let applied = lines(&rig.run(&["aws", "apply", "--yes", "--json"]).stdout);
    let seen = types(&applied);
    assert_eq!((seen[0], *seen.last().unwrap()), ("change_set", "outputs"));
    assert!(seen.contains(&"operation_started") && seen.contains(&"operation_done"), "{seen:?}");
    assert_eq!(applied.last().unwrap()["outputs"]["BUCKET"], format!("s3://acme-{}", rig.suffix));
    let destroyed = lines(&rig.run(&["aws", "destroy", "--yes", "--json"]).stdout);
    assert!(types(&destroyed).contains(&"operation_done"));
}

fn json_of_plan_drift_and_output_is_one_document(backend: Backend) {
    let rig = applied(backend);
    for command in ["plan", "drift", "output"] {
        let ran = rig.run(&["aws", command, "--json"]);
        assert!(serde_json::from_str::<Value>(&ran.stdout).is_ok(), "{command}: {}", ran.stdout);
    }
    let drift: Value = serde_json::from_str(&rig.run(&["aws", "drift", "--json"]).stdout).unwrap();
    assert_eq!(drift[0]["verdict"], "in sync");
    rig.write("provision.toml", "[deployment]\n");
    let broken = rig.run(&["aws", "plan", "--json"]);
    let problems: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert!(broken.code == 64 && problems["problems"][0]["line"].is_number(), "{problems}");
}

fn json_of_a_failure_names_the_call_and_the_place(backend: Backend) {
    let rig = planned(backend);
    rig.proxy.fault(Fault {
        operation: "s3:PutBucketCors".to_owned(),
        nth: Nth::Every,
        at: When::Before,
        what: provision_sandbox::aws::answers::s3(403, "AccessDenied", "Access Denied"),
    });
    let ran = rig.run(&["aws", "apply", "--yes", "--json"]);
    assert_eq!(ran.code, 5);
    let failed = lines(&ran.stdout).into_iter().find(|line| line["type"] == "operation_failed").unwrap();
    assert_eq!(failed["error"]["operation"], "s3:PutBucketCors");
    assert_eq!((&failed["error"]["code"], &failed["error"]["address"]), (&"AccessDenied".into(), &"aws.bucket".into()));
}

fn trace_has_each_request_and_no_secret(backend: Backend) {
    let rig = planned(backend);
    let ran = rig.run_with(&["aws", "apply", "--yes", "--trace", "trace.ndjson"], |command| {
        command.env("AWS_SECRET_ACCESS_KEY", "hunter2-secret").env("AWS_SESSION_TOKEN", "hunter2-session");
    });
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = rig.read("trace.ndjson");
    assert!(!text.contains("hunter2"), "a secret is in the trace");
    let exchanges = lines(&text);
    assert_eq!(exchanges.len(), rig.proxy.records().len());
    let cors = exchanges.iter().find(|exchange| exchange["operation"] == "s3:PutBucketCors").unwrap();
    assert_eq!((&cors["method"], &cors["status"]), (&"PUT".into(), &200.into()));
    assert!(cors["request"].as_str().unwrap().contains("<AllowedOrigin>https://wandb.example.com</AllowedOrigin>"));
    let caller = exchanges.iter().find(|exchange| exchange["operation"] == "sts:GetCallerIdentity").unwrap();
    assert!(caller["response"].as_str().unwrap().contains(&rig.account));
}

fn quiet_prints_results_and_errors_only(backend: Backend) {
    let rig = planned(backend);
    let ran = rig.run(&["aws", "apply", "--yes", "--quiet"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

fn heartbeat_says_what_is_waited_for(backend: Backend) {
    let rig = planned(backend);
    delay(&rig, "s3:PutBucketCors", 12);
    let ran = rig.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("10 s, waiting for: write cors of bucket"), "{}", ran.stderr);
}

fn time_limit_stops_like_a_signal_and_the_rerun_finishes(backend: Backend) {
    let rig = planned(backend);
    rig.proxy.set_latency(Duration::from_millis(600));
    let ran = rig.run(&["aws", "apply", "--yes", "--timeout", "1"]);
    assert_eq!(ran.code, 5, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("time limit: no new writes") && ran.stderr.contains("not done:"), "{}", ran.stderr);
    rig.proxy.set_latency(Duration::ZERO);
    apply(&rig);
    assert_eq!(rig.run(&["aws", "drift"]).code, 0);
}

fn drift_over_many_plan_files_reports_each_and_every_mistake(backend: Backend) {
    let rig = applied(backend);
    rig.write("other.toml", &PLAN.replace("wandb-{s}", "other-{s}").replace("acme-{s}", "acme-{s}-b"));
    let ran = rig.run(&["aws", "drift", "provision.toml", "other.toml"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("in sync") && ran.stdout.contains("not applied, or gone"), "{}", ran.stdout);
    rig.write("one.toml", "[deployment]\nname = \"A\"\n");
    rig.write("two.toml", "[deployment]\nname = \"B\"\n");
    let ran = rig.run(&["aws", "drift", "one.toml", "two.toml"]);
    assert!(ran.code == 64 && ran.stderr.contains("one.toml") && ran.stderr.contains("two.toml"), "{}", ran.stderr);
}

fn delay(rig: &provision_tests::rig::Rig, operation: &str, seconds: u64) {
    let what = What::Delay(Duration::from_secs(seconds));
    rig.proxy.fault(Fault { operation: operation.to_owned(), nth: Nth::Number(1), at: When::Before, what });
}
