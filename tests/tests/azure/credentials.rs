//! Credentials other than a client secret.

use provision_sandbox::azure::CLIENT;
use provision_sandbox::fault::{Nth, What};
use provision_tests::run::Ran;
use provision_tests::stage::Stage;

use crate::clouds::{AZURE, fault};

/// Run the whole job with other credentials than the client secret.
fn job_with(variables: &[(&str, &str)], without: &[&str]) -> (Stage, String) {
    let stage = AZURE.planned();
    let mut printed = String::new();
    for arguments in [&["apply", "--yes"][..], &["drift"], &["output", "--reveal"], &["destroy", "--yes"]] {
        let ran = with(&stage, arguments, variables, without);
        assert_eq!(ran.code, 0, "{arguments:?} {}{}", ran.stdout, ran.stderr);
        printed += &ran.stdout;
    }
    (stage, printed)
}

fn with(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)], without: &[&str]) -> Ran {
    stage.write("token.jwt", JWT);
    stage.write("junk.jwt", "junk");
    let manager = stage.sandbox().environment().into_iter().find(|(name, _)| name == "AZURE_RESOURCE_MANAGER_ENDPOINT");
    let endpoint = format!("{}/msi/token", manager.unwrap().1);
    stage.run_with(&[&["azure"], arguments].concat(), |command| {
        command.env_remove("AZURE_CLIENT_SECRET").env("PATH", "/nonexistent");
        for name in without {
            command.env_remove(name);
        }
        command.envs(variables.iter().map(|(name, value)| (*name, value.replace("{endpoint}", &endpoint))));
    })
}

/// A token such as Kubernetes mounts; nobody verifies its signature.
const JWT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6Y2k6ZGVwbG95In0.c2lnbmF0dXJl\n";

#[test]
fn workload_identity_does_the_whole_job_with_a_token_file() {
    let (stage, printed) = job_with(&[("AZURE_FEDERATED_TOKEN_FILE", "token.jwt")], &[]);
    assert!(printed.contains(&format!("as {CLIENT}")), "{printed}");
    assert_eq!(stage.faults().count("login:GetManagedIdentityToken"), 0);
    let ran = with(&stage, &["plan"], &[("AZURE_FEDERATED_TOKEN_FILE", "junk.jwt")], &[]);
    assert!(ran.code == 4 && ran.stderr.contains("AADSTS50027"), "{}{}", ran.stdout, ran.stderr);
    let ran = with(&stage, &["plan"], &[("AZURE_FEDERATED_TOKEN_FILE", "nowhere.jwt")], &[]);
    assert!(ran.code == 4 && ran.stderr.contains("`nowhere.jwt`"), "{}{}", ran.stdout, ran.stderr);
    let ran = with(&stage, &["plan"], &[("AZURE_FEDERATED_TOKEN_FILE", "token.jwt")], &["AZURE_TENANT_ID"]);
    assert!(ran.code == 4 && ran.stderr.contains("AZURE_TENANT_ID"), "{}{}", ran.stdout, ran.stderr);
}

/// One token serves all plan files of a command, and the directory may be busy.
#[test]
fn directory_is_asked_once_and_again_when_it_is_busy() {
    let stage = AZURE.applied();
    stage.write("two.toml", &stage.read("provision.toml").replace("\"wandb-prod\"", "\"wandb-two\""));
    let ran = AZURE.run(&stage, &["drift", "provision.toml", "two.toml"]);
    assert!(ran.stdout.contains("wandb-prod: in sync"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(stage.faults().count("login:GetToken"), 1, "{}{}", ran.stdout, ran.stderr);
    stage.faults().clear();
    fault(&stage, "login:GetToken", Nth::Number(1), What::Throttle);
    AZURE.is_in_sync(&stage);
    assert_eq!(stage.faults().count("login:GetToken"), 2);
}

#[test]
fn managed_identity_does_the_whole_job_on_request() {
    let asked = [
        ("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential"),
        ("IDENTITY_ENDPOINT", "{endpoint}"),
        ("IDENTITY_HEADER", "secret"),
    ];
    // That of the machine, then one that is named.
    let (stage, printed) = job_with(&asked, &["AZURE_CLIENT_ID", "AZURE_TENANT_ID"]);
    assert!(printed.contains(&format!("as {CLIENT}")), "{printed}");
    assert!(stage.faults().count("login:GetManagedIdentityToken") >= 4);
    assert_eq!(stage.faults().count("login:GetToken"), 0);
    let named = [&asked[..], &[("AZURE_CLIENT_ID", "0a0a0a0a-0000-4000-8000-00000000000b")]].concat();
    let ran = with(&stage, &["plan"], &named, &[]);
    assert!(ran.code == 0 && ran.stdout.contains("as 0a0a0a0a-0000-4000-8000-00000000000b"), "{}", ran.stdout);
    // Unasked, nobody looks for it.
    let ran = with(&stage, &["plan"], &asked[1..], &[]);
    assert!(ran.code == 4 && ran.stderr.contains("az login"), "{}{}", ran.stdout, ran.stderr);
}
