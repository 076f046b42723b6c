//! How the binary gets in: sources of credentials that take their time, root certificates, regions and endpoints.

use std::time::{Duration, Instant};

use provision_tests::stage::Stage;

use crate::clouds::AWS;

/// A profile whose credentials come from a program that takes longer than a metadata server may, and counts its calls.
fn with_slow_process(stage: &Stage, seconds: u32) {
    let folder = stage.path().display();
    let script = format!(
        "#!/bin/sh\necho asked >> {folder}/asked\nsleep {seconds}\necho '{{\"Version\": 1, \"AccessKeyId\": \"{{a}}\", \"SecretAccessKey\": \"hunter2-secret\"}}'\n"
    );
    stage.write("process.sh", &script);
    stage.write("config", &format!("[default]\ncredential_process = /bin/sh {folder}/process.sh\n"));
}

#[test]
fn slow_source_that_is_named_is_waited_for_and_asked_once() {
    let stage = AWS.planned();
    with_slow_process(&stage, 4);
    stage.write("other.toml", &AWS.plan_with(&[("wandb-prod", "wandb-other"), ("acme-{s}", "other-{s}")]));
    let config = stage.path().join("config");
    let many = ["aws", "drift", "provision.toml", "other.toml", "-q"];
    // Of many nobody is told with `-q`.
    for (arguments, is_told) in [(&["aws", "apply", "--yes"][..], true), (&many[..4], true), (&many, false)] {
        let _ = std::fs::remove_file(stage.path().join("asked"));
        let started = Instant::now();
        let ran = stage.run_with(arguments, |command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("AWS_CONFIG_FILE", &config);
            command.env("PROVISION_TEST_LIMITS", "5");
        });
        assert_eq!(ran.stderr.contains(" 2 s, looking at the cloud"), is_told, "{}", ran.stderr);
        assert!(ran.code != 4 && started.elapsed() > Duration::from_secs(4), "exit {}: {}", ran.code, ran.stderr);
        assert_eq!(stage.read("asked"), "asked\n", "{arguments:?}");
    }
}

#[test]
fn root_certificates_are_needed_for_tls_alone() {
    let stage = AWS.planned();
    let run = |endpoint: Option<&str>| {
        stage.run_with(&["aws", "plan"], |command| {
            command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
            command.envs(endpoint.map(|endpoint| ("AWS_ENDPOINT_URL", endpoint)));
        })
    };
    let plain = run(None);
    assert_eq!(plain.code, 0, "{}", plain.stderr);
    let tls = run(Some("https://127.0.0.1:1"));
    assert!(tls.code == 1 && tls.stderr.contains("cannot read root certificates"), "exit {}: {}", tls.code, tls.stderr);
    let sandbox = stage.run_with(&["aws", "plan", "--sandbox"], |command| {
        command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    });
    assert_eq!(sandbox.code, 0, "{}", sandbox.stderr);
}

#[test]
fn empty_variable_is_none() {
    let stage = AWS.planned();
    AWS.change(&stage, &[("region = \"eu-west-1\"\n", "")]);
    let ran = stage.run_with(&["aws", "plan"], |command| {
        command.env("AWS_REGION", "").env("AWS_DEFAULT_REGION", "eu-west-1");
    });
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// What the profile's `services` say is not the real cloud either.
#[test]
fn endpoint_of_a_profiles_services_is_told() {
    let stage = AWS.planned();
    let endpoint = stage.environment().into_iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1;
    let services = "[services local]\ns3 =\n  endpoint_url = http://localhost:1\n";
    stage.write("config", &format!("[default]\nendpoint_url = {endpoint}\nservices = local\n{services}"));
    let ran = stage.run_with(&["aws", "plan"], |command| {
        command.env_remove("AWS_ENDPOINT_URL").env("AWS_CONFIG_FILE", stage.path().join("config"));
    });
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("custom endpoint: S3=http://localhost:1"), "exit {}: {said}", ran.code);
}
