//! A machine with nothing but the binary: no root certificates, no variables, no home.

use std::process::{Command, Output};

use provision_tests::python;
use provision_tests::run::binary;

use super::text;

/// Run it in a folder of its own, with credentials for each cloud that are good for nothing.
fn plan(cloud: &str, more: &[&str], folder: &std::path::Path) -> Output {
    std::fs::copy(python::workspace().join(format!("plans/{cloud}.toml")), folder.join("provision.toml")).unwrap();
    let federated = r#"{"type": "external_account", "audience": "a", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"file": "token"}}"#;
    std::fs::write(folder.join("federated.json"), federated).unwrap();
    std::fs::write(folder.join("token"), "token").unwrap();
    let guid = "00000000-0000-0000-0000-000000000001";
    let mut command = Command::new(binary());
    command.args([cloud, "plan"]).args(more).current_dir(folder).env_clear();
    command.envs([("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")]);
    command.envs([("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    command.env("GOOGLE_APPLICATION_CREDENTIALS", folder.join("federated.json"));
    command.envs([("AZURE_TENANT_ID", guid), ("AZURE_CLIENT_ID", guid), ("AZURE_CLIENT_SECRET", "secret")]);
    command.envs([
        ("AUTH0_CLIENT_ID", "id"),
        ("AUTH0_CLIENT_SECRET", "secret"),
        ("SLACK_CONFIG_TOKEN", "xoxe.xoxp-1-a"),
    ]);
    // Whatever gets out all the same.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").output().unwrap()
}

const PROVIDERS: [&str; 5] = ["aws", "gcp", "azure", "auth0", "slack"];

#[test]
fn machine_without_root_certificates_is_told_what_it_lacks() {
    for provider in PROVIDERS {
        let folder = tempfile::tempdir().unwrap();
        let output = plan(provider, &[], folder.path());
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{provider}: {said}");
        assert!(said.contains("cannot read root certificates: this machine has none"), "{provider}: {said}");
        assert!(said.contains("SSL_CERT_FILE") && !said.contains("gcloud"), "{provider}: {said}");
    }
}

#[test]
fn sandbox_needs_no_root_certificates() {
    for provider in PROVIDERS {
        let folder = tempfile::tempdir().unwrap();
        let output = plan(provider, &["--sandbox"], folder.path());
        let said = text(&output);
        assert!(output.status.success() && said.contains("to create"), "{provider}: {said}");
    }
}

/// A root with the binary, a plan file, and nothing else; a debug build needs its libraries.
fn empty_root(plan_file: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::copy(binary(), root.path().join("provision")).unwrap();
    std::fs::copy(python::workspace().join(plan_file), root.path().join("provision.toml")).unwrap();
    let libraries = Command::new("ldd").arg(binary()).output().unwrap();
    let libraries = String::from_utf8_lossy(&libraries.stdout).into_owned();
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.path().join(library.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(library, place).unwrap();
    }
    root
}

#[test]
fn main_job_needs_nothing_but_the_binary() {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.arg("--map-root-user").args(arguments).env_clear().output().unwrap()
    };
    if !unshare(&["/bin/true"]).status.success() {
        println!("skipped: this machine lets nobody choose a root");
        return;
    }
    let root = empty_root("plans/aws.toml");
    let run = |arguments: &str| {
        let root = format!("--root={}", root.path().display());
        unshare(&[&[root.as_str(), "/provision"][..], &arguments.split(' ').collect::<Vec<_>>()].concat())
    };
    for (arguments, said) in [
        ("aws plan --sandbox", "4 to create"),
        ("aws apply --yes --sandbox", "4 created"),
        ("aws output --sandbox", "BUCKET=s3://"),
        ("aws drift --sandbox", "in sync"),
        ("aws verify --sandbox", "Everything works"),
        ("aws destroy --yes --sandbox", "4 deleted"),
    ] {
        let output = run(arguments);
        assert!(output.status.success() && text(&output).contains(said), "{arguments}: {}", text(&output));
    }
    let output = run("aws plan");
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains("cannot read root certificates"), "{said}");
}
