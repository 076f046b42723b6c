//! Two saved reports of drift side by side.

use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::AWS;

/// Save what drift prints; it ends with this code.
fn saved(stage: &Stage, name: &str, code: i32) {
    let ran = stage.run(&["aws", "drift", "--json"]);
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    stage.write(name, &ran.stdout);
}

fn ends(stage: &Stage, code: i32, arguments: &[&str]) -> String {
    let ran = stage.run(&[&["diff"], arguments].concat());
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout + &ran.stderr
}

#[test]
fn saved_reports_are_compared_finding_by_finding() {
    let stage = AWS.applied();
    saved(&stage, "sync.json", 0);
    let [first, second] = [&AWS.edits.facets[0], &AWS.edits.facets[1]];
    AWS.edit(&stage, first.make);
    saved(&stage, "one.json", 2);
    AWS.edit(&stage, second.make);
    saved(&stage, "two.json", 2);
    assert!(ends(&stage, 0, &["sync.json", "sync.json"]).ends_with("wandb-prod on AWS: in sync\n"));
    let new = ends(&stage, 2, &["sync.json", "one.json"]);
    assert!(new.contains("drift, was in sync") && new.contains("  + new ") && new.contains(first.shows), "{new}");
    let both = ends(&stage, 2, &["one.json", "two.json"]);
    assert!(both.contains("  = still there ") && both.contains(second.shows), "{both}");
    assert!(ends(&stage, 2, &["two.json", "one.json"]).contains("  - gone "));
    let markdown = ends(&stage, 2, &["one.json", "two.json", "--format", "markdown"]);
    assert!(
        markdown.contains("| resource | finding | since the former report |") && markdown.contains("| new |"),
        "{markdown}"
    );
    assert!(ends(&stage, 2, &["one.json", "two.json", "--format", "text"]).contains("  + new "));
    let json: Value = serde_json::from_str(&ends(&stage, 2, &["one.json", "two.json", "--json"])).unwrap();
    let deployment = &json["deployments"][0];
    let count = |list: &str| deployment[list].as_array().unwrap().len();
    assert!(json["same"] == false && count("new") > 0 && count("still") > 0 && count("gone") == 0, "{json:#}");
}

#[test]
fn files_that_are_no_reports_are_told_with_what_is_wrong() {
    let stage = AWS.planned();
    saved(&stage, "new.json", 2);
    let whole = stage.read("new.json");
    stage.write("later.json", &whole.replacen("\"format\": 1", "\"format\": 9", 1));
    stage.write("cut.json", &whole[..whole.len() / 2]);
    stage.write("plan.json", "{\"format\": 1}");
    stage.write("odd.json", "{\"format\": 1, \"tool\": \"0.1.0\", \"deployments\": [{\"verdict\": \"drift\"}]}");
    for (file, says) in [
        ("later.json", "format 9"),
        ("cut.json", "EOF"),
        ("plan.json", "`deployments`"),
        ("odd.json", "either `change_set` or `error`"),
        ("provision.toml", "no report of `drift --json`"),
        ("none.json", "cannot be read"),
    ] {
        let told = ends(&stage, 64, &["new.json", file]);
        assert!(told.contains(says) && told.contains(file), "{file}: {told}");
    }
}

/// What could not be looked at says nothing of what is new or gone.
#[test]
fn look_that_failed_makes_nothing_new_and_nothing_gone() {
    let stage = AWS.applied();
    AWS.edit(&stage, AWS.edits.facets[0].make);
    saved(&stage, "before.json", 2);
    let ran = stage.run_with(&["aws", "drift", "--json"], |command| {
        command.env_remove("AWS_ACCESS_KEY_ID");
    });
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    stage.write("now.json", &ran.stdout);
    let json: Value = serde_json::from_str(&ends(&stage, 2, &["before.json", "now.json", "--json"])).unwrap();
    let deployment = &json["deployments"][0];
    assert!(deployment["now"] == "unknown" && deployment["gone"].as_array().unwrap().is_empty(), "{json:#}");
}

/// The same of a service that did not answer, and of a deployment that was not looked at.
#[test]
fn what_could_not_be_read_is_neither_new_nor_gone() {
    let stage = AWS.applied();
    AWS.edit(&stage, AWS.edits.facets[0].make);
    saved(&stage, "up.json", 2);
    let ran = stage.run_with(&["aws", "drift", "--json"], |command| {
        command.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9");
    });
    stage.write("down.json", &ran.stdout);
    for reports in [["up.json", "down.json"], ["down.json", "up.json"]] {
        let told = ends(&stage, 2, &reports);
        let line =
            told.lines().find(|line| line.contains(AWS.edits.facets[0].shows)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.starts_with("  ? not known ") && !told.contains("own tags"), "{told}");
    }
    stage.write("none.json", "{\"format\": 1, \"tool\": \"0.1.0\", \"deployments\": []}");
    let told = ends(&stage, 2, &["up.json", "none.json"]);
    assert!(
        told.contains("not looked at, was drift") && told.contains("  ? not known ") && !told.contains("- gone"),
        "{told}"
    );
}
