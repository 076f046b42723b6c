//! Mistakes in plan files.

use provision_tests::backend::Backend;
use provision_tests::rig::Rig;

use crate::messages::screen;

cases! {
    mistakes_are_reported_at_once_and_nothing_is_sent,
    usage_exits_with_64,
}

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

fn mistakes_are_reported_at_once_and_nothing_is_sent(backend: Backend) {
    let rig = Rig::new(backend);
    rig.write("provision.toml", MISTAKES);
    let ran = rig.run(&["aws", "apply", "--yes"]);
    assert_eq!(ran.code, 64);
    screen("plan_file_mistakes", &rig, &ran);
    rig.write("provision.toml", &MISTAKES.replace("versionning = true\n", "").replace("\"10\"", "10"));
    let ran = rig.run(&["validate"]);
    assert_eq!(ran.code, 64);
    screen("plan_file_mistakes_of_meaning", &rig, &ran);
    assert!(rig.proxy.records().is_empty());
}

fn usage_exits_with_64(backend: Backend) {
    let rig = Rig::new(backend);
    for arguments in [&["aws"][..], &["aws", "plann"], &["aws", "plan", "nope.toml"]] {
        assert_eq!(rig.run(arguments).code, 64, "{arguments:?}");
    }
    let missing = rig.run(&["gcp", "plan", "nope.toml"]).stderr;
    assert!(missing.contains("`provision init gcp` prints"), "{missing}");
    assert_eq!(rig.run(&["--version"]).code, 0);
    let schema = rig.run(&["schema"]).stdout;
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["properties"]["aws"].is_object());
    assert!(rig.run(&["completions", "bash"]).stdout.contains("provision"));
    let init = rig.run(&["init", "aws"]).stdout;
    rig.write("provision.toml", &init);
    assert_eq!(rig.run(&["validate"]).code, 0);
}
