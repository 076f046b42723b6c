//! Secrets that cannot be had, and those of every provider in every format.

use provision_tests::stage::Stage;

use super::{PLAN_FILE, Place};
use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use crate::{auth0, slack};

const FORMATS: [&str; 11] =
    ["env", "dotenv", "json", "docker", "gitlab", "github", "helm", "cr", "cr-v1", "k8s-secret", "tfvars"];

/// Slack gave it once, and nobody kept it.
#[test]
fn secret_that_cannot_be_had_fails_what_asks_for_it() {
    let place = Place::new(&format!("{PLAN_FILE}\n[slack]\napp_id = \"A0SANDBOX1\"\nclient_id = \"1.2\"\n"));
    let kept = place.0.path().join("kept");
    std::fs::write(&kept, "before\n").unwrap();
    let is_told = |arguments: &[&str]| {
        let ran = place.run(arguments, &[]);
        assert_eq!(ran.code, 1, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("cannot reveal SLACK_SECRET: Slack gives it once"), "{}", ran.stderr);
        assert!(!ran.stdout.contains("HOST=") && !ran.stdout.contains("add-mask"), "{}", ran.stdout);
    };
    for format in FORMATS.iter().filter(|format| **format != "gitlab") {
        is_told(&["output", "--format", format, "--reveal", "--out", "kept"]);
        is_told(&["output", "--format", format, "--reveal", "--out", "new"]);
    }
    is_told(&["output", "--reveal"]);
    is_told(&["output", "--out", "kept"]);
    is_told(&["output", "SLACK_SECRET", "--reveal"]);
    assert!(place.run(&["output", "--reveal", "--json"], &[]).code == 1);
    assert_eq!(place.read("kept"), "before\n");
    assert!(!place.0.path().join("new").exists());
    // Who does not ask for it gets the rest.
    for arguments in [
        &["output", "--no-secrets", "--out", "kept"][..],
        &["output", "--format", "gitlab", "--out", "kept"],
        &["output", "--format", "helm", "--out", "kept", "--no-secrets"],
        &["output", "LICENSE", "--reveal"],
    ] {
        place.succeed(arguments);
    }
    std::fs::write(place.0.path().join("slack.env"), "SLACK_SECRET=abc\n").unwrap();
    let named = place.read("provision.toml") + "secret_file = \"slack.env\"\n";
    std::fs::write(place.0.path().join("provision.toml"), named).unwrap();
    assert!(place.succeed(&["output", "--reveal"]).stdout.contains("SLACK_SECRET=abc\n"));
}

/// A deployment that is applied, and the secrets among its settings.
struct Applied {
    provider: &'static str,
    stage: Stage,
    own: Vec<String>,
}

fn in_cloud(cloud: &CloudFixture) -> Applied {
    let stage = cloud.applied();
    let secrets = (cloud.secrets)(&stage.hand());
    // Those of the others are none of the server's settings.
    let own = if cloud.name == "azure" { secrets } else { Vec::new() };
    Applied { provider: cloud.name, stage, own }
}

fn in_auth0() -> Applied {
    let stage = auth0::planned();
    assert_eq!(stage.run(&["auth0", "apply", "--yes"]).code, 0);
    Applied { provider: "auth0", stage, own: Vec::new() }
}

fn in_slack() -> Applied {
    let stage = slack::planned(slack::PLAN);
    assert_eq!(stage.run(&["slack", "apply", "--yes", "--out", "slack.env"]).code, 0);
    let text = stage.read("slack.env");
    let secret = text.lines().find_map(|line| line.strip_prefix("SLACK_SECRET=")).unwrap().to_owned();
    Applied { provider: "slack", stage, own: vec![secret] }
}

/// The credentials that it runs with.
fn credentials(stage: &Stage) -> impl Iterator<Item = String> {
    let is_secret = |name: &str| ["SECRET", "TOKEN", "KEY"].iter().any(|word| name.ends_with(word));
    stage
        .environment()
        .into_iter()
        .filter(move |(name, value)| is_secret(name) && value.len() > 5)
        .map(|(_, value)| value)
}

#[test]
fn no_secret_of_any_provider_is_in_any_format_unless_asked_for() {
    let all = [in_cloud(&AWS), in_cloud(&GCP), in_cloud(&AZURE), in_auth0(), in_slack()];
    for Applied { provider, stage, own } in &all {
        let secrets: Vec<_> = own.iter().cloned().chain(credentials(stage)).collect();
        let holds = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
        let has_own = |text: &str| own.is_empty() || own.iter().any(|secret| text.contains(secret.as_str()));
        stage.write("provision.toml", &format!("{}\n[server]\nversion = \"1\"\n", stage.read("provision.toml")));
        for format in FORMATS {
            let sealed =
                [provider, "output", "--format", format, "--no-secrets", "--out", "sealed", "--trace", "trace"];
            let revealed =
                [provider, "output", "--format", format, "--reveal", "--out", "revealed", "--trace", "trace"];
            for (arguments, file) in [(sealed, "sealed"), (revealed, "revealed")] {
                let ran = stage.run(&arguments);
                assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
                // A runner is told a secret before anything can print it.
                let printed = if format == "github" { ran.stderr } else { ran.stdout + &ran.stderr };
                assert!(!holds(&printed), "{arguments:?}: {printed}");
                let in_full = file == "revealed" && ["env", "json", "docker", "tfvars", "k8s-secret"].contains(&format);
                assert!(if in_full {
                    has_own(&stage.read(file))
                } else {
                    file == "revealed" || !holds(&stage.read(file))
                });
                stage.write(file, "");
            }
        }
        for arguments in [
            &["plan", "--out", "set.json", "--json", "--trace", "trace"][..],
            &["drift", "--json", "--trace", "trace"],
            &["plan", "--destroy", "--format", "markdown", "--trace", "trace"],
        ] {
            let ran = stage.run(&[&[*provider], arguments].concat());
            assert!(ran.code == 0 && !holds(&ran.stdout) && !holds(&ran.stderr), "{arguments:?}: {}", ran.stderr);
        }
        for file in ["set.json", "trace"] {
            assert!(!holds(&stage.read_if_there(file)), "{provider}: {file}");
        }
    }
}
