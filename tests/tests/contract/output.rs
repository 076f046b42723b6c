//! What the server reads, and who else may.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::clouds::{Place, fault};
use provision_sandbox::fault::Nth;

contract! {
    everywhere: [
        imports_have_all_of_the_longest_plan_file,
    ],
    sandboxes: [
        output_is_what_the_server_reads = "Nothing is sent.",
        output_in_every_format = "Nothing is sent.",
        output_into_a_file_that_nobody_else_reads = "Only secrets are fetched, which AWS has none of.",
        trace_has_each_request_and_no_secret = "What a trace holds does not depend on who was asked.",
        no_credentials_is_told_and_nothing_is_asked = "Nothing is sent.",
        text_of_a_service_is_escaped = "The fault layer answers in place of the service.",
    ],
}

fn output_is_what_the_server_reads(cloud: &Place) {
    let stage = cloud.planned();
    let outputs = cloud.succeed(&stage, &["output", "--no-secrets"]);
    for output in cloud.plans.outputs {
        assert!(outputs.contains(output), "{outputs}");
        let (name, value) = output.split_once('=').unwrap();
        assert_eq!(cloud.succeed(&stage, &["output", "provision.toml", name]), value);
        assert_eq!(cloud.succeed(&stage, &["output", name]), value);
    }
    assert!(outputs.contains("HOST=https://wandb.example.com\n"), "{outputs}");
    cloud.ends(&stage, 64, &["output", "provision.toml", "NOPE"]);
    assert!(stage.faults().records().is_empty(), "output sends nothing");
}

fn output_in_every_format(cloud: &Place) {
    let stage = cloud.planned();
    let output = |format: &[&str]| cloud.succeed(&stage, &[&["output", "--no-secrets"], format].concat());
    let plain = output(&["--format", "env"]);
    let quoted = output(&["--format", "dotenv"]);
    let object: Value = serde_json::from_str(&output(&["--format", "json"])).unwrap();
    let document: Value = serde_json::from_str(&output(&["--json"])).unwrap();
    let settings = document["outputs"].as_object().unwrap();
    assert_eq!(settings.len(), object.as_object().unwrap().len());
    for (name, setting) in settings {
        assert_eq!(*setting, serde_json::json!({"value": object[name], "sensitive": false}));
    }
    for line in cloud.plans.outputs {
        let (name, value) = line.trim_end().split_once('=').unwrap();
        assert!(plain.contains(line), "{plain}");
        assert!(unquoted(&quoted).contains(line), "{quoted}");
        assert_eq!(object[name], value);
    }
    assert_eq!(plain.lines().count(), object.as_object().unwrap().len());
    assert_eq!(quoted.lines().count(), object.as_object().unwrap().len());
}

/// Everything of ours has a block, and what the plan file says of it is in the blocks: Terraform would take out what is not.
fn imports_have_all_of_the_longest_plan_file(cloud: &Place) {
    let stage = cloud.planned();
    let plan = cloud.example(cloud.plans.examples[2].0);
    stage.write("provision.toml", &plan);
    cloud.apply(&stage);
    let imports = cloud.succeed(&stage, &["output", "--format", "tf-import"]);
    let addresses = imports.lines().filter_map(|line| line.trim_start().strip_prefix("to = "));
    let (mut addresses, mut expected): (Vec<_>, Vec<_>) = (addresses.collect(), cloud.plans.imported.to_vec());
    addresses.sort_unstable();
    expected.sort_unstable();
    assert_eq!(addresses, expected, "{imports}");
    let told = ["origins", "methods", "expose", "encryption", "principals", "members", "identities"];
    for line in plan.lines().filter(|line| told.iter().any(|key| line.starts_with(key))) {
        for text in line.split('"').skip(1).step_by(2) {
            assert!(imports.contains(text), "{text}: {imports}");
        }
    }
}

/// As a shell reads it.
fn unquoted(text: &str) -> String {
    text.replace(['\'', '"'], "")
}

fn output_into_a_file_that_nobody_else_reads(cloud: &Place) {
    let stage = cloud.applied();
    let path = stage.path().join("server.env");
    // One that was there and open to everybody is not left so.
    for there in [false, true] {
        if there {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        let printed = cloud.succeed(&stage, &["output", "--out", "server.env"]);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
        let text = stage.read("server.env");
        for output in cloud.plans.outputs {
            assert!(text.contains(&stage.fill(output)), "{text}");
        }
        assert!(!text.contains("redacted"), "{text}");
        for secret in (cloud.secrets)(&stage.hand()) {
            assert!(!printed.contains(&secret), "{printed}");
        }
    }
    cloud.succeed(&stage, &["output", "--no-secrets", "--format", "dotenv", "--out", "public.env"]);
    for secret in (cloud.secrets)(&stage.hand()) {
        assert!(!stage.read("public.env").contains(&secret), "{secret}");
    }
}

fn trace_has_each_request_and_no_secret(cloud: &Place) {
    let stage = cloud.planned();
    let plan_file = stage.read("provision.toml");
    let told = cloud.ends(&stage, 1, &["plan", "--trace", "provision.toml"]);
    assert!(told.contains("holds something else than a trace"), "{told}");
    assert_eq!(stage.read("provision.toml"), plan_file);
    cloud.succeed(&stage, &["apply", "--yes", "--trace", "trace.jsonl"]);
    let sent = stage.calls().len();
    let text = stage.read("trace.jsonl");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let traced = lines.iter().filter(|line| !line["url"].as_str().unwrap_or_default().contains("/oauth2/")).count();
    assert_eq!(traced, sent, "{text}");
    assert!(lines.iter().all(|line| line["time"].is_string()), "{text}");
    for body in cloud.traced {
        assert!(lines.iter().any(|line| line["request"].to_string().contains(body)), "{body}\n{text}");
    }
    // What is asked has an answer with a body, if there is anything to tell.
    let is_told = |line: &&Value| line["status"] == 200 && !line["response"].is_null();
    assert!(lines.iter().filter(is_told).count() > lines.len() / 3, "{text}");
    cloud.succeed(&stage, &["output", "--reveal", "--trace", "revealed.jsonl"]);
    for secret in (cloud.secrets)(&stage.hand()) {
        for name in ["trace.jsonl", "revealed.jsonl"] {
            // No request, no trace.
            let text = if name == "trace.jsonl" { text.clone() } else { stage.read_if_there(name) };
            assert!(!text.contains(&secret), "{name} has {secret}");
        }
    }
}

/// Neither the cloud is asked, nor for long a metadata server that is not there.
fn no_credentials_is_told_and_nothing_is_asked(cloud: &Place) {
    let stage = cloud.planned();
    let (without, with) = cloud.credentials;
    let ran = stage.run_with(&[cloud.name, "plan"], |command| {
        for name in without {
            command.env_remove(name);
        }
        command.envs(with.iter().copied());
    });
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(cloud.credentials_hint), "{}", ran.stderr);
    assert!(stage.faults().records().is_empty());
}

fn text_of_a_service_is_escaped(cloud: &Place) {
    let stage = cloud.applied();
    let (operation, _) = cloud.faults.denied_read;
    let message = "no \u{1b}[2Jway\u{7} | <b>".to_owned();
    let what =
        provision_sandbox::fault::What::Error { status: 403, code: cloud.faults.denied.code.to_owned(), message };
    fault(&stage, operation, Nth::Every, what);
    for (command, formats) in
        [("drift", &["text", "markdown", "junit", "sarif"][..]), ("plan", &["text", "markdown", "gitlab"])]
    {
        for format in formats {
            let printed = cloud.ends(&stage, 1, &[command, "--format", format]);
            assert!(!printed.contains(['\u{1b}', '\u{7}']), "{format}: {printed:?}");
            let markup =
                *format == "markdown" && cloud.run(&stage, &[command, "--format", format]).stdout.contains("<b>");
            assert!(!markup, "{printed}");
        }
    }
}
