//! All sections of a plan file at once: `provision plan`, `apply`, `drift` and `destroy`.

use std::process::{Command, Stdio};

use provision_tests::run::{Ran, binary, finished};
use serde_json::Value;

/// A deployment with a section for each cloud.
const PLAN_FILE: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"

[aws]
region = "eu-west-1"
[aws.bucket]
name = "acme-files"
[aws.access]
role = "node"

[gcp]
project = "acme-ml"
[gcp.bucket]
name = "acme-files"

[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = { name = "wandb", create = true }
location = "westeurope"
[azure.account]
name = "acmewandb"
[azure.container]
name = "wandb-files"
[azure.access]
principal_id = "11111111-1111-1111-1111-111111111111"
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(PLAN_FILE);
        place
    }

    fn write(&self, text: &str) {
        std::fs::write(self.0.path().join("provision.toml"), text).unwrap();
    }

    /// Run it in the command's own sandbox.
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--sandbox").current_dir(self.0.path()).env_clear();
        finished(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout + &ran.stderr
    }
}

#[test]
fn every_section_is_planned_applied_compared_and_destroyed_by_one_command() {
    let place = Place::new();
    assert!(
        place.ends(2, &["plan", "--detailed-exitcode"]).contains("To do all of it: provision apply provision.toml")
    );
    let applied = place.ends(0, &["apply", "--yes"]);
    for section in ["aws", "gcp", "azure"] {
        assert!(applied.contains(&format!("Applied `wandb-prod` of section `{section}`")), "{applied}");
    }
    // Each cloud's are those of a server of its own.
    for (section, bucket) in [("aws", "s3"), ("gcp", "gs"), ("azure", "az")] {
        assert_eq!(applied.matches(&format!("Settings of section `{section}`\nHOST=")).count(), 1, "{applied}");
        assert_eq!(applied.matches(&format!("BUCKET={bucket}://")).count(), 1, "{applied}");
    }
    assert!(!applied.contains("Settings for the server\nHOST="), "{applied}");
    let drift = place.ends(0, &["drift", "-q"]);
    assert_eq!(drift, "wandb-prod (aws): in sync\nwandb-prod (gcp): in sync\nwandb-prod (azure): in sync\n");
    assert_eq!(place.ends(0, &["plan", "--detailed-exitcode", "-q"]).matches("No changes").count(), 3);
    let destroyed = place.ends(0, &["destroy", "--all", "--deployment", "wandb-prod"]);
    assert_eq!(destroyed.matches("Destroyed deployment `wandb-prod` of section").count(), 3, "{destroyed}");
    place.ends(2, &["drift"]);
}

#[test]
fn nothing_is_written_where_one_section_refuses() {
    let place = Place::new();
    let other = PLAN_FILE.replace("wandb-prod", "another").replace("\"acmewandb\"", "\"acmeother\"");
    place.write(&other.replace("name = \"wandb\",", "name = \"other\","));
    place.ends(0, &["gcp", "apply", "--yes"]);
    place.write(PLAN_FILE);
    let refused = place.ends(6, &["apply", "--yes"]);
    assert!(refused.contains("belongs to deployment `another`"), "{refused}");
    assert!(!refused.contains("created"), "{refused}");
    let sections: Value = serde_json::from_str(&place.run(&["plan", "--json"]).stdout).unwrap();
    let creates = |plan: &Value| plan["changes"].as_array().unwrap().iter().any(|change| change["action"] == "create");
    assert!(sections["plans"].as_array().unwrap().iter().any(creates), "the others are as they were");
    assert_eq!(place.run(&["plan", "--format", "markdown"]).stdout.matches("### `wandb-prod (").count(), 3);
}

#[test]
fn a_run_of_all_sections_has_one_summary() {
    let place = Place::new();
    let ran = place.run(&["apply", "--yes", "--json"]);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of_type("version"), of_type("change_set"), of_type("summary")), (1, 3, 1));
    let summary = lines.last().unwrap();
    assert_eq!((&summary["deployment"], &summary["complete"]), (&"wandb-prod".into(), &true.into()));
    assert!(summary["changes"]["create"].as_u64().unwrap() > 10, "{summary}");
    // Each of the clouds has its own: nobody could tell whose it is.
    assert!(summary["outputs"]["HOST"].is_object() && summary["outputs"]["BUCKET"].is_null(), "{summary}");
}

#[test]
fn destroying_all_needs_the_deployments_name() {
    let place = Place::new();
    assert!(place.ends(64, &["destroy"]).contains("`--all` takes down every section of the plan file"));
    assert!(place.ends(64, &["destroy", "--all"]).contains("add `--deployment NAME`"));
    let wrong = place.ends(64, &["destroy", "--all", "--deployment", "wandb"]);
    assert!(wrong.contains("names another deployment than the plan file's, `wandb-prod`"), "{wrong}");
    let bucket = place.ends(64, &["destroy", "--all", "--deployment", "wandb-prod", "--delete-data", "another"]);
    assert!(bucket.contains("`--delete-data another` names another bucket"), "{bucket}");
}

#[test]
fn a_providers_name_comes_first() {
    let place = Place::new();
    let hint = place.ends(64, &["plan", "aws"]);
    assert!(hint.contains("its name comes first: `provision aws plan`"), "{hint}");
}

#[test]
fn reports_of_all_sections_are_one() {
    let place = Place::new();
    place.ends(0, &["apply", "--yes"]);
    let plan = ["plan", "--report", "gitlab=g", "--report", "markdown=m", "--report", "json=j", "--format", "text"];
    place.ends(0, &plan);
    let read = |name: &str| std::fs::read_to_string(place.0.path().join(name)).unwrap();
    let counts: Value = serde_json::from_str(&read("g")).unwrap();
    assert_eq!(counts, serde_json::json!({"create": 0, "update": 0, "delete": 0}));
    assert_eq!(read("m").matches("no changes").count(), 3);
    let document: Value = serde_json::from_str(&read("j")).unwrap();
    let clouds: Vec<_> = document["plans"].as_array().unwrap().iter().map(|plan| plan["cloud"].clone()).collect();
    assert_eq!(clouds, ["aws", "gcp", "azure"]);
    for format in ["gitlab", "markdown"] {
        assert_eq!(place.run(&["plan", "--format", format]).stdout, read(&format[..1]));
    }
    let drift = ["drift", "--report", "junit=u", "--report", "sarif=s", "--report", "json=d", "--format", "markdown"];
    assert_eq!(place.ends(0, &drift).matches("in sync").count(), 3);
    assert_eq!(read("u").matches("<testsuite ").count(), 3, "{}", read("u"));
    assert_eq!(serde_json::from_str::<Value>(&read("d")).unwrap()["deployments"].as_array().unwrap().len(), 3);
    assert!(read("s").contains("\"runs\""));
}

#[test]
fn flags_of_a_section_are_those_of_all() {
    let place = Place::new();
    place.write(&PLAN_FILE.replace("[aws.access]", "[aws.queue]\nname = \"first-events\"\n[aws.access]"));
    place.ends(0, &["apply", "--yes"]);
    place.write(PLAN_FILE);
    assert!(place.ends(0, &["plan"]).contains("left over: queue `first-events`"));
    assert!(place.ends(0, &["plan", "--orphans"]).contains("- delete left over: queue `first-events`"));
    assert!(place.ends(0, &["apply", "--yes", "--orphans"]).contains("deleted queue `first-events`"));
    let gone = place.ends(0, &["destroy", "--all", "--deployment", "wandb-prod", "--orphans"]);
    assert!(!gone.contains("first-events"), "{gone}");
}

#[test]
fn signing_in_is_a_section_like_the_others() {
    let place = Place::new();
    let section = "\n[auth0]\ndomain = \"acme.eu.auth0.com\"\n";
    let (deployment, rest) = PLAN_FILE.split_once("[aws]").unwrap();
    let gcp = rest.split_once("[gcp]").and_then(|(_, rest)| rest.split_once("[azure]")).unwrap().0;
    place.write(&format!("{deployment}[gcp]{gcp}{section}"));
    let applied = place.ends(0, &["apply", "--yes"]);
    assert!(applied.contains("of section `auth0`") && applied.contains("AUTH0_CLIENT_ID="), "{applied}");
    assert_eq!(applied.matches("Settings for the server\nHOST=").count(), 1, "{applied}");
    assert_eq!(place.ends(0, &["drift", "-q"]), "wandb-prod (gcp): in sync\nwandb-prod (auth0): in sync\n");
    let page = place.ends(0, &["drift", "--format", "html"]);
    assert_eq!(
        (page.matches("<ol class=\"flow\">").count(), page.matches("<span class=\"none\">").count()),
        (1, 0),
        "{page}"
    );
    let destroyed = place.ends(0, &["destroy", "--all", "--deployment", "wandb-prod"]);
    assert_eq!(destroyed.matches("Destroyed deployment `wandb-prod` of section").count(), 2, "{destroyed}");
}

/// Parts and what goes between them are there in words; nothing is loaded, and nothing of others ends an element.
#[test]
fn page_says_how_each_part_is_and_since_when() {
    let place = Place::new();
    place.ends(0, &["aws", "apply", "--yes"]);
    place.ends(2, &["drift", "--report", "html=page.html"]);
    let page = || std::fs::read_to_string(place.0.path().join("page.html")).unwrap();
    let first = page();
    assert_eq!(first.matches("<section id=\"deployment-").count(), 2, "{first}");
    assert!(first.contains("<h1>Drift of 3 sections of 1 plan file</h1>"), "{first}");
    assert_eq!(first.matches("; custom endpoint: <code>").count(), 3, "{first}");
    assert!(first.contains("@media print, (max-width: 44rem) {\n  .flow { flex-direction: column"), "{first}");
    let arrows = [
        "fine back\"><span>rights",
        "open back\"><span>rights",
        "open\"><span>new files",
        "absent back\"><span>rights",
    ];
    for arrow in arrows {
        assert!(first.contains(&format!("<li class=\"arrow {arrow}</span>")), "{arrow}: {first}");
    }
    assert_eq!(first.matches("<details><summary><span class=\"name\">").count(), 1, "{first}");
    assert!(first.contains("<span class=\"badge fine\">in sync</span>"), "{first}");
    assert!(first.contains("<span class=\"state\">not applied yet</span>"), "{first}");
    let places = ["badge wrong", "badge open", "badge fine", "<details>"].map(|text| first.rfind(text));
    assert!(places.is_sorted(), "what is in sync comes last: {places:?}\n{first}");
    for loaded in ["src=", "@import", "url(", "<link", "href=\"http"] {
        assert!(!first.contains(loaded), "{loaded}: {first}");
    }
    let since = |page: &str| page.split("<td><time datetime=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let looked = |page: &str| page.split("<time datetime=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(since(&first), looked(&first));
    place.ends(2, &["drift", "--report", "html=page.html"]);
    assert_eq!(since(&page()), since(&first), "what was there is no newer");
    assert_ne!(looked(&page()), looked(&first));
    let printed = place.run(&["drift", "--format", "html"]).stdout;
    assert!(printed.starts_with("<!DOCTYPE html>") && printed.matches("<script").count() == 1, "{printed}");
}

/// Of a hundred plan files one is broken: its row says so, and the others are looked at.
#[test]
fn broken_plan_file_keeps_no_other_from_being_looked_at() {
    let place = Place::new();
    place.ends(0, &["aws", "apply", "--yes"]);
    std::fs::write(place.0.path().join("broken.toml"), PLAN_FILE.replace("eu-west-1", "Europe")).unwrap();
    let ran = place.run(&["aws", "drift", "broken.toml", "provision.toml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (64, "wandb-prod: in sync\nbroken.toml: unknown\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--> broken.toml:7"), "{}", ran.stderr);
    let none = place.ends(64, &["aws", "drift", "broken.toml"]);
    assert!(none.contains("Europe"), "{none}");
}
