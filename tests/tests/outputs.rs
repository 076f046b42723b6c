//! The settings as their readers get them: whatever a value holds, each format gives exactly its bytes, or refuses; and no secret
//! is anywhere but where it was asked for.

mod chart;
mod imports;
mod kubernetes;
mod readers;
mod secrets;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use provision_tests::run::{Ran, binary, finished};
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::{AWS, AZURE, CloudFixture, GCP};
use readers::Settings;

/// How many random plan files are read back in every format.
const CASES: u32 = 12;

const PLAN_FILE: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"

[aws]
region = "eu-west-1"
[aws.bucket]
name = "acme-files"

[server]
version = "0.81.0"
license = "${env:LICENSE}"
mysql = "mysql://wandb:${env:PASSWORD}@db.internal/wandb_local"
"#;

const LICENSE: &str = "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl";
const PASSWORD: &str = "hunter2%40hunter2";

/// A folder with a plan file.
struct Place(tempfile::TempDir);

impl Place {
    fn new(plan_file: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.0.path().join("provision.toml"), plan_file).unwrap();
        place
    }

    fn run(&self, arguments: &[&str], variables: &[(String, String)]) -> Ran {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.0.path()).env_clear();
        command.env("LICENSE", LICENSE).env("PASSWORD", PASSWORD).envs(variables.iter().cloned());
        finished(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn succeed(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments, &[]);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }
}

/// Values of any kind: what shells, YAML and templates take for something else, and anything at all.
fn value() -> impl Strategy<Value = String> {
    let traps = vec![
        "",
        " ",
        "'",
        "\"",
        "it's",
        "`id`",
        "a'`b`",
        "$HOME",
        "${A}",
        "$$",
        "$(HOST)",
        "{{ x }}",
        "%{a}",
        "\\",
        "a\\",
        "\\n",
        "a\nb",
        "a\r\nb",
        "\n",
        "a\n",
        "#a",
        "a #b",
        "a=b",
        "=",
        "yes",
        "no",
        "null",
        "~",
        "007",
        "1_000",
        "12:30:45",
        "0x1F",
        "1e3",
        "2026-11-26",
        "- a",
        "a: b",
        "!tag",
        "&a",
        "*a",
        "|",
        ">",
        "[a]",
        "{a}",
        "@a",
        "---",
        "...",
        "é🔒\u{85}\u{2028}",
        "\t",
        "a\tb",
        "\u{7f}",
        "\u{1b}[31mred",
        " a ",
        "<<EOF",
        "A<<B\nB",
        "::add-mask::x",
        "c2VjcmV0+/==",
        "\u{feff}a",
        "%0A",
    ];
    let traps = prop::sample::select(traps).prop_map(str::to_owned);
    prop_oneof![2 => traps.clone(), 1 => "\\PC{0,20}", 1 => "[ -~\n\t]{0,30}", 1 => (traps.clone(), traps).prop_map(|(a, b)| a + &b)]
}

/// A plan file with such settings, half of them from variables, and what they are.
fn plan_file(values: &[String]) -> (String, Vec<(String, String)>, Settings) {
    let (mut text, mut variables) = (PLAN_FILE.to_owned() + "[server.env]\n", Vec::new());
    let mut expected = Settings::new();
    for (index, value) in values.iter().enumerate() {
        let name = format!("V_{index}");
        // A URL with a password must come from a variable.
        if index % 2 == 0 || value.contains("://") {
            text += &format!("{name} = \"${{env:GIVEN_{index}}}\"\n");
            variables.push((format!("GIVEN_{index}"), value.clone()));
        } else {
            let quoted = Value::from(value.replace("${", "$${")).to_string().replace('\u{7f}', "\\u007f");
            text += &format!("{name} = {quoted}\n");
        }
        expected.insert(name, value.clone());
    }
    (text, variables, expected)
}

/// The values that a format gives its reader; none where it refuses.
fn written(place: &Place, format: &str, variables: &[(String, String)]) -> Option<String> {
    let file = format!("out.{format}");
    let ran = place.run(&["output", "--format", format, "--reveal", "--out", &file], variables);
    if ran.code == 64 {
        assert!(ran.stderr.contains("cannot be written in this format"), "{format}: {}", ran.stderr);
        return None;
    }
    assert_eq!(ran.code, 0, "{format}: {}{}", ran.stdout, ran.stderr);
    Some(place.read(&file))
}

/// Those of the random settings that were read.
fn random(read: Settings) -> Settings {
    read.into_iter().filter(|(name, _)| name.starts_with("V_")).collect()
}

fn is_one_line(value: &str) -> bool {
    !value.contains(['\n', '\r'])
}

/// What GitLab leaves as it is.
fn is_trimmed(value: &str) -> bool {
    is_one_line(value) && value.trim() == value
}

fn holds_for(values: &[String]) {
    let (text, variables, expected) = plan_file(values);
    let place = Place::new(&text);
    let folder = place.0.path();
    let is_plain = |name: &str| !text.contains(&format!("{name} = \"${{env:"));
    let plain: Settings = expected.clone().into_iter().filter(|(name, _)| is_plain(name)).collect();

    let env = written(&place, "env", &variables).unwrap();
    for shell in readers::SHELLS {
        assert_eq!(readers::shell(shell, folder, "out.env").map(random).unwrap_or(expected.clone()), expected, "{env}");
    }
    let json = written(&place, "json", &variables).unwrap();
    assert_eq!(random(serde_json::from_str(&json).unwrap()), expected);
    let dotenv = written(&place, "dotenv", &variables).unwrap();
    assert_eq!(random(readers::compose(&dotenv)), expected, "{dotenv}");
    // Libraries differ in what is no plain text within single quotes.
    let is_alike = |value: &String| !value.contains(['\'', '\\', '$', '\r']);
    let alike = |settings: Settings| -> Settings {
        settings.into_iter().filter(|(name, _)| expected.get(name).is_some_and(is_alike)).collect()
    };
    if values.iter().all(is_alike) {
        for read in readers::libraries(folder, "out.dotenv") {
            assert_eq!(alike(read), expected, "{dotenv}");
        }
    }
    let github = written(&place, "github", &variables).unwrap();
    assert_eq!(random(readers::github(&github)), expected, "{github}");
    match written(&place, "docker", &variables) {
        Some(docker) => {
            assert_eq!(random(readers::docker(&docker)), expected, "{docker}");
            let client = readers::docker_client(folder, "out.docker").map(random);
            assert_eq!(client.unwrap_or(expected.clone()), expected, "{docker}");
        }
        None => assert!(!values.iter().all(|value| is_one_line(value)), "{values:?}"),
    }
    match written(&place, "gitlab", &variables) {
        Some(gitlab) => assert_eq!(random(readers::gitlab(&gitlab)), plain, "{gitlab}"),
        None => assert!(!plain.values().all(|value| is_trimmed(value)), "{values:?}"),
    }
    let lower: Settings = expected.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    match written(&place, "tfvars", &variables) {
        Some(tfvars) => {
            let terraform = readers::terraform(folder, "out.tfvars", &lower);
            assert_eq!(terraform.unwrap_or(lower.clone()), lower, "{tfvars}");
        }
        // Its letters are composed.
        None => assert!(!values.iter().all(|value| value.is_ascii()), "{values:?}"),
    }
    let yaml = ["k8s-secret", "helm", "cr-v1"].map(|format| written(&place, format, &variables).unwrap());
    let [secret, values_file, resource] = readers::yaml(folder, ["out.k8s-secret", "out.helm", "out.cr-v1"]);
    let secret = readers::secret(&secret[0]);
    assert_eq!(random(secret.clone()), expected, "{}", yaml[0]);
    let kubectl = readers::kubectl(folder, "out.k8s-secret").map(|secret| random(readers::secret(&secret)));
    assert_eq!(kubectl.unwrap_or(expected.clone()), expected, "{}", yaml[0]);
    assert_eq!(random(readers::pod(&values_file[0], &secret)), expected, "{}", yaml[1]);
    assert_eq!(resource[0]["spec"]["values"], values_file[0], "{}", yaml[2]);
}

#[test]
fn every_format_gives_its_reader_exactly_the_bytes() {
    let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
    let read_back = |values: Vec<String>| {
        holds_for(&values);
        Ok(())
    };
    runner.run(&prop::collection::vec(value(), 1..12), read_back).unwrap();
}

#[test]
fn operator_s_resource_selects_what_is_in_secrets() {
    let place = Place::new(PLAN_FILE);
    for (format, file) in [("k8s-secret", "s"), ("cr", "c")] {
        place.succeed(&["output", "--format", format, "--reveal", "--out", file]);
    }
    let [secret, resource] = readers::yaml(place.0.path(), ["s", "c"]);
    let [store, whole] = &resource[..] else { panic!("{resource:?}") };
    let secrets = BTreeMap::from([
        ("wandb-prod-settings", readers::secret(&secret[0])),
        ("wandb-prod-object-store", readers::secret(store)),
    ]);
    let selected = |pointer: &str| {
        let selector = whole.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {whole:#}"));
        secrets[selector["name"].as_str().unwrap()][selector["key"].as_str().unwrap()].clone()
    };
    // Of several databases and stores each has a name.
    assert_eq!(
        selected("/spec/mysql/default/externalMysql/url"),
        format!("mysql://wandb:{PASSWORD}@db.internal/wandb_local")
    );
    let parts = ["provider", "bucket", "region"]
        .map(|part| selected(&format!("/spec/objectStore/default/externalObjectStore/{part}")));
    assert_eq!(parts, ["s3", "acme-files", "eu-west-1"]);
    assert_eq!(whole["spec"]["wandb"]["license"], LICENSE);
    // What the schema of `apps.wandb.com/v2` requires.
    for required in [
        "/spec/retentionPolicy/onDelete",
        "/spec/wandb/hostname",
        "/spec/wandb/version",
        "/spec/wandb/features",
        "/spec/wandb/bucketProxy",
    ] {
        assert!(whole.pointer(required).is_some(), "{required}: {whole:#}");
    }
}

#[test]
fn settings_of_all_sections_are_one_list() {
    let place = Place::new(PLAN_FILE);
    let all = place.succeed(&["output", "--reveal"]).stdout;
    assert_eq!(all.matches("HOST=").count(), 1, "{all}");
    assert_eq!(all, place.succeed(&["aws", "output", "--reveal"]).stdout);
    assert_eq!(place.succeed(&["output", "LICENSE", "--reveal"]).stdout, format!("{LICENSE}\n"));
    let alone =
        Place::new(&PLAN_FILE.replace("[aws]\nregion = \"eu-west-1\"\n[aws.bucket]\nname = \"acme-files\"\n", ""));
    assert!(alone.succeed(&["output", "--reveal"]).stdout.starts_with("HOST=https://wandb.example.com\nLICENSE="));
    let clouds = "[gcp]\nproject = \"acme-ml\"\n[gcp.bucket]\nname = \"acme-files\"\n";
    let two = Place::new(&format!("{PLAN_FILE}\n{clouds}"));
    let told = two.run(&["output", "--no-secrets"], &[]);
    assert!(told.code == 64 && told.stderr.contains("BUCKET has two values in this plan file"), "{}", told.stderr);
    for command in ["provision aws output provision.toml", "provision gcp output provision.toml"] {
        assert!(told.stderr.contains(command), "{}", told.stderr);
    }
    assert_eq!(two.run(&["output", "BUCKET"], &[]).code, 64);
    assert_eq!(two.succeed(&["output", "HOST"]).stdout, "https://wandb.example.com\n");
    assert_eq!(two.succeed(&["gcp", "output", "BUCKET"]).stdout, "gs://acme-files\n");
    let twice = Place::new(&PLAN_FILE.replace("[server]", "[server]\nenv = { AWS_REGION = \"other\" }"));
    let told = twice.run(&["output", "--no-secrets"], &[]);
    assert!(
        told.code == 64 && told.stderr.contains("section `aws` has it, so take it out of [server]"),
        "{}",
        told.stderr
    );
}

/// Half of them would be taken for all.
#[test]
fn settings_that_are_not_known_are_told_with_the_command_for_the_others() {
    let place = Place::new(&format!("{PLAN_FILE}\n[auth0]\ndomain = \"acme.eu.auth0.com\"\n"));
    for arguments in
        [&["output", "--no-secrets"][..], &["output", "--format", "helm"], &["output", "--reveal", "--json"]]
    {
        let ran = place.run(arguments, &[]);
        let told = ran.stdout.clone() + &ran.stderr;
        assert!(ran.code == 4 && !told.contains("acme-files"), "{arguments:?}: {} {told}", ran.code);
        let rest = "nothing was printed, since the settings of section `auth0` are not known; \
                    `provision aws output provision.toml` has those of the others";
        assert!(told.contains("AUTH0_API_TOKEN") && told.contains(rest), "{arguments:?}: {told}");
    }
    let rest = place.succeed(&["aws", "output", "provision.toml", "--no-secrets"]).stdout;
    assert!(rest.contains("BUCKET=s3://acme-files\n") && rest.contains("HOST="), "{rest}");
    // Of one section alone there are no others.
    assert!(!place.run(&["auth0", "output"], &[]).stderr.contains("nothing was printed"));
}

/// Neither Auth0, for which there are no credentials, nor a variable of another setting.
#[test]
fn one_setting_needs_nothing_of_the_others() {
    let nowhere = "\n[server.env]\nOTHER = \"${env:NOWHERE}\"\n[auth0]\ndomain = \"acme.eu.auth0.com\"\noidc = true\n";
    let place = Place::new(&format!("{PLAN_FILE}{nowhere}"));
    for (name, value) in [("BUCKET", "s3://acme-files"), ("HOST", "https://wandb.example.com")] {
        assert_eq!(place.succeed(&["output", name]).stdout, format!("{value}\n"));
    }
    assert_eq!(place.succeed(&["output", "LICENSE", "--reveal"]).stdout, format!("{LICENSE}\n"));
    assert_eq!(place.run(&["output", "OTHER", "--reveal"], &[]).code, 64);
    assert_eq!(place.run(&["output", "AUTH0_CLIENT_ID"], &[]).code, 4);
    let unknown = place.run(&["output", "NOPE"], &[]);
    assert!(unknown.code == 64 && unknown.stderr.contains("AUTH0_CLIENT_ID"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("LICENSE, MYSQL, OTHER"), "{}", unknown.stderr);
    assert_eq!(place.run(&["output", "--reveal"], &[]).code, 64);
}

/// A job that leaves secrets out, or refers to them, has none. Of the database's URL that is the password.
#[test]
fn what_is_not_written_needs_no_variable() {
    let place = Place::new(&PLAN_FILE.replace("env:LICENSE", "env:NOWHERE"));
    for arguments in [
        &["output", "--no-secrets"][..],
        &["output", "--no-secrets", "--json"],
        &["output", "--format", "gitlab"],
        &["output", "--format", "helm"],
        &["output", "--format", "cr-v1"],
        &["output", "--format", "cr", "--no-secrets"],
    ] {
        place.succeed(arguments);
    }
    assert_eq!(place.run(&["output", "--reveal"], &[]).code, 64);
    let password = Place::new(&PLAN_FILE.replace("env:PASSWORD", "env:NOWHERE"));
    for arguments in [
        &["output", "--format", "helm"][..],
        &["output", "--format", "helm", "--reveal"],
        &["output", "--format", "cr-v1"],
    ] {
        let values = Place::new(PLAN_FILE).succeed(arguments).stdout;
        assert!(values.contains("db.internal") && values.contains("passwordSecret"), "{values}");
        assert_eq!(password.succeed(arguments).stdout, values);
    }
    for arguments in [&["output", "--reveal"][..], &["output", "MYSQL", "--reveal"]] {
        assert_eq!(password.run(arguments, &[]).code, 64);
    }
    // The chart is told who and where in full.
    for part in ["wandb:${env:PASSWORD}", "db.internal", "wandb_local", "${env:PASSWORD}@db.internal/wandb_local"] {
        let told = Place::new(&PLAN_FILE.replace(part, "${env:NOWHERE}"));
        let told = told.run(&["output", "--format", "helm"], &[]);
        assert!(told.code == 64 && told.stderr.contains("variable `NOWHERE` is not set"), "{part}: {}", told.stderr);
    }
    let unset = Place::new(&PLAN_FILE.replace("[server]", "[server]\nnotifications_queue = \"sqs://${env:NOWHERE}\""));
    assert_eq!(unset.run(&["output", "--no-secrets"], &[]).code, 64);
}

#[test]
fn github_s_files_are_added_to_and_secrets_masked_first() {
    let place = Place::new(PLAN_FILE);
    let file = place.0.path().join("github");
    std::fs::write(&file, "before=1\n").unwrap();
    let named = [("GITHUB_OUTPUT".to_owned(), file.display().to_string())];
    let ran = place.run(&["output", "--format", "github", "--reveal"], &named);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains(&format!("::add-mask::{LICENSE}\n")) && ran.stdout.contains("hunter2%2540"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("LICENSE="), "{}", ran.stdout);
    let text = place.read("github");
    assert!(text.starts_with("before=1\nHOST=") && text.contains(&format!("\nLICENSE={LICENSE}\n")), "{text}");
    let nowhere = place.run(&["output", "--format", "github", "--no-secrets"], &[]);
    assert!(nowhere.code == 64 && nowhere.stderr.contains("`$GITHUB_OUTPUT`"), "{}", nowhere.stderr);
}

/// Every format, and what else a run leaves.
#[test]
fn no_secret_is_anywhere_that_nobody_asked_for() {
    let place = Place::new(PLAN_FILE);
    let holds = |text: &str| ["hunter2", LICENSE].iter().any(|secret| text.contains(secret));
    let formats =
        ["env", "dotenv", "json", "docker", "gitlab", "github", "helm", "cr", "cr-v1", "k8s-secret", "tfvars"];
    for format in formats {
        let file = [("GITHUB_OUTPUT".to_owned(), place.0.path().join("github").display().to_string())];
        let ran = place.run(&["output", "--format", format, "--no-secrets", "--trace", "trace"], &file);
        assert_eq!(ran.code, 0, "{format}: {}", ran.stderr);
        assert!(!holds(&ran.stdout) && !holds(&ran.stderr), "{format}: {}{}", ran.stdout, ran.stderr);
        let asked = place.run(&["output", "--format", format, "--reveal", "--out", "revealed"], &file);
        let refers = ["gitlab", "helm", "cr-v1"].contains(&format);
        assert_eq!(holds(&place.read("revealed")), !refers, "{format}: {}", asked.stderr);
        assert!(!holds(&asked.stderr), "{}", asked.stderr);
        std::fs::write(place.0.path().join("revealed"), "").unwrap();
    }
    assert!(!holds(&place.read("github")));
    let stage = AWS.planned();
    stage.write(
        "provision.toml",
        &format!("{}\n{}", stage.read("provision.toml"), &PLAN_FILE[PLAN_FILE.find("[server]").unwrap()..]),
    );
    for arguments in [
        &["plan", "--out", "set.json", "--json", "--trace", "trace"][..],
        &["apply", "--yes", "--json", "--trace", "trace"],
        &["drift", "--json", "--trace", "trace"],
    ] {
        // None of them needs the server's secrets.
        let ran = AWS.run(&stage, arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert!(!holds(&ran.stdout) && !holds(&ran.stderr));
    }
    let set = stage.read("set.json");
    assert!(!holds(&set) && !set.contains("mysql://") && !holds(&stage.read("trace")), "{set}");
}

fn imports(cloud: &CloudFixture, stage: &Stage) -> String {
    cloud.succeed(stage, &["output", "--format", "tf-import"])
}

fn imports_are_as_terraform_writes_them(name: &str, cloud: &CloudFixture) {
    let stage = cloud.planned();
    let refused = cloud.ends(&stage, 6, &["output", "--format", "tf-import"]);
    assert!(refused.contains("is not as the plan file says"), "{refused}");
    cloud.apply(&stage);
    let text = imports(cloud, &stage);
    assert_eq!(text.matches("import {").count(), text.matches("resource \"").count(), "{text}");
    match readers::terraform_fmt(&text) {
        Some(formatted) => assert_eq!(formatted, text),
        None => println!("skipped: there is no `terraform` here"),
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"service-\d+@", "service-NUMBER@");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn imports_of_aws_are_as_terraform_writes_them() {
    imports_are_as_terraform_writes_them("imports_aws", &AWS);
}

#[test]
fn imports_of_gcp_are_as_terraform_writes_them() {
    imports_are_as_terraform_writes_them("imports_gcp", &GCP);
}

#[test]
fn imports_of_azure_are_as_terraform_writes_them() {
    imports_are_as_terraform_writes_them("imports_azure", &AZURE);
}

/// The application by its client id; of Slack Terraform knows nothing.
#[test]
fn imports_of_auth0_are_as_terraform_writes_them() {
    let text = "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n\n[auth0]\ndomain = \"acme.eu.auth0.com\"\n";
    let place = Place::new(text);
    place.succeed(&["auth0", "apply", "--yes", "--sandbox"]);
    let id = place.succeed(&["auth0", "output", "AUTH0_CLIENT_ID", "--sandbox"]).stdout;
    let imports = place.succeed(&["auth0", "output", "--format", "tf-import", "--sandbox"]).stdout;
    assert_eq!(imports.matches(&format!("  id = \"{}\"\n", id.trim_end())).count(), 2, "{imports}");
    assert!(imports.contains("resource \"auth0_client\" \"server\" {"), "{imports}");
    match readers::terraform_fmt(&imports) {
        Some(formatted) => assert_eq!(formatted, imports),
        None => println!("skipped: there is no `terraform` here"),
    }
    let slack = "\n[slack]\napp_id = \"A0SANDBOX1\"\n";
    std::fs::write(place.0.path().join("provision.toml"), format!("{text}{slack}")).unwrap();
    let refused = place.run(&["slack", "output", "--format", "tf-import", "--sandbox"], &[]);
    assert!(
        refused.code == 64 && refused.stderr.contains("section `slack` has no import blocks"),
        "{}",
        refused.stderr
    );
    let both = place.succeed(&["output", "--format", "tf-import", "--sandbox"]);
    assert!(both.stdout == imports && both.stderr.contains("section `slack` has no import blocks"), "{}", both.stderr);
}

#[test]
fn validate_checks_the_server_too() {
    let place = Place::new(&PLAN_FILE.replace("${env:LICENSE}", "hunter2.hunter2"));
    let ran = place.run(&["validate"], &[]);
    assert!(ran.code == 64 && ran.stderr.contains("a secret in the plan file"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}
