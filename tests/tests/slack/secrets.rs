//! Secrets are where they were asked for, and nowhere else.

use std::os::unix::fs::PermissionsExt as _;

use provision_sandbox::fault::{Fault, Nth, What, When};

use super::{PLAN, applied, apply, ends, planned};

/// What no trace, change set, error or result holds.
fn is_clean(text: &str) {
    for secret in ["hunter2", "xoxe.xoxp-", "xoxe-1"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[test]
fn secrets_are_in_the_file_that_was_asked_for_alone() {
    let stage = planned(PLAN);
    is_clean(&ends(&stage, 0, &["plan", "--out", "set.json", "--trace", "trace"]));
    is_clean(&ends(&stage, 0, &["apply", "--yes", "--out", "slack.env", "--trace", "trace"]));
    is_clean(&ends(&stage, 0, &["token", "--out", "pair.env", "--trace", "trace"]));
    let saved = stage.read("slack.env");
    assert_eq!(saved, "SLACK_CLIENT_ID=1000000000.0000000001\nSLACK_SECRET=client-hunter2-1\n");
    for name in ["slack.env", "pair.env"] {
        let mode = std::fs::metadata(stage.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let trace = stage.read("trace");
    assert!(trace.contains("apps.manifest.create") && trace.contains("tooling.tokens.rotate"), "{trace}");
    for name in ["set.json", "trace", "provision.toml"] {
        is_clean(&stage.read(name));
    }
    // What a service gives back of what it was sent is in no error either.
    let echo = What::Answer {
        status: 200,
        headers: Vec::new(),
        body: r#"{"ok": false, "error": "invalid_manifest", "errors": [{"message": "of xoxe.xoxp-1-sandbox"}]}"#
            .to_owned(),
    };
    let operation = "slack:apps.manifest.validate".to_owned();
    stage.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what: echo });
    is_clean(&ends(&stage, 1, &["plan"]));
}

#[test]
fn secret_is_printed_where_it_was_asked_for() {
    let stage = planned(PLAN);
    let printed = ends(&stage, 0, &["apply", "--yes", "--reveal"]);
    assert!(printed.contains("SLACK_SECRET=client-hunter2-1"), "{printed}");
    // It is in no file that could show it once more.
    assert!(!printed.contains("is hidden") && !printed.contains("SLACK_SECRET=("), "{printed}");
    assert!(ends(&stage, 0, &["apply", "--yes"]).contains("# SLACK_SECRET: Slack gives it once"));
}

/// A token that Slack refuses stays in no file, and one that it takes is used whatever the file has.
#[test]
fn refresh_token_that_is_used_up_blocks_no_other() {
    let stage = planned(PLAN);
    ends(&stage, 0, &["token", "--out", "pair.env"]);
    let used = ends(&stage, 4, &["token", "--out", "new.env"]);
    assert!(!stage.path().join("new.env").exists(), "{used}");
    stage.write("old.env", "SLACK_REFRESH_TOKEN=xoxe-1-used\n");
    let both = ends(&stage, 4, &["token", "--out", "old.env"]);
    assert!(both.contains("`old.env`") && both.contains("SLACK_REFRESH_TOKEN"), "{both}");
    let fresh = stage.read("pair.env").lines().last().unwrap().split_once('=').unwrap().1.to_owned();
    let ran = stage.run_with(&["slack", "token", "--out", "old.env"], |command| {
        command.env("SLACK_REFRESH_TOKEN", fresh);
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(stage.read("old.env").starts_with("SLACK_CONFIG_TOKEN="));
}

#[test]
fn output_has_the_client_id_and_the_secret_of_a_file() {
    let stage = planned(PLAN);
    ends(&stage, 0, &["apply", "--yes", "--reveal"]);
    assert_eq!(ends(&stage, 0, &["output", "provision.toml", "SLACK_CLIENT_ID"]), "1000000000.0000000001\n");
    assert_eq!(ends(&stage, 0, &["output", "--no-secrets"]), "SLACK_CLIENT_ID=1000000000.0000000001\n");
    assert!(ends(&stage, 64, &["output"]).contains("--reveal"));
    let unknown = ends(&stage, 1, &["output", "--reveal"]);
    assert!(unknown.contains("Slack gives it once") && !unknown.contains("hunter2"), "{unknown}");
    // The apply that saves it says where.
    let stage = applied(PLAN);
    assert!(ends(&stage, 0, &["output", "--reveal"]).contains("SLACK_SECRET=client-hunter2-1\n"));
    is_clean(&apply(&stage));
}
