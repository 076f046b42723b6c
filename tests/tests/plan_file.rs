//! Mistakes in plan files.

use provision_sandbox::EmulatorKind;
use provision_tests::stage::Stage;

use crate::messages::screen;

const MISTAKES: &str = r#"[deployment]
name = "Wandb"
host = "https://wandb.example.com/app"
[aws]
account = "1234"
[aws.bucket]
name = "Acme_WandB"
versionning = true
[aws.queue]
name = "acme-events.fifo"
receive_wait_s = "10"
"#;

#[test]
fn mistakes_are_reported_at_once_and_nothing_is_sent() {
    let stage = Stage::start(EmulatorKind::Aws);
    stage.write("provision.toml", MISTAKES);
    let ran = stage.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 64);
    screen("plan_file_mistakes", &stage, &ran);
    stage.write("provision.toml", &MISTAKES.replace("versionning = true\n", "").replace("\"10\"", "10"));
    let ran = stage.run(&["validate"]);
    assert_eq!(ran.code, 64);
    screen("plan_file_mistakes_of_meaning", &stage, &ran);
    assert!(stage.faults().records().is_empty());
}

#[test]
fn usage_exits_with_64() {
    let stage = Stage::start(EmulatorKind::Aws);
    for arguments in [&["aws"][..], &["aws", "plann"], &["aws", "plan", "nope.toml"]] {
        assert_eq!(stage.run(arguments).code, 64, "{arguments:?}");
    }
    let missing = stage.run(&["gcp", "plan", "nope.toml"]).stderr;
    assert!(missing.contains("`provision init gcp` prints"), "{missing}");
    assert_eq!(stage.run(&["--version"]).code, 0);
    let schema = stage.run(&["schema"]).stdout;
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["properties"]["aws"].is_object());
    assert!(stage.run(&["completions", "bash"]).stdout.contains("provision"));
    let init = stage.run(&["init", "aws"]).stdout;
    stage.write("provision.toml", &init);
    assert_eq!(stage.run(&["validate"]).code, 0);
}
