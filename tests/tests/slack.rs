//! Slack: an app over its whole life, what others have in it, and what is said where it cannot go on.

mod clients;
mod interrupted;
mod refused;
mod secrets;

use provision_sandbox::{EmulatorKind, Error};
use provision_tests::run::Ran;
use provision_tests::stage::Stage;
use serde_json::{Value, json};

pub(crate) const PLAN: &str = r#"# of the platform team
[deployment]
name = "wandb-prod"
host = "https://wandb.example.com"

[slack]   # alerts
ip_ranges = [
  "203.0.113.7",   # office
]
"#;

/// What the sandbox takes for a token.
const TOKEN: &str = "xoxe.xoxp-1-sandbox";

pub(crate) fn planned(plan: &str) -> Stage {
    let stage = Stage::start(EmulatorKind::Slack);
    stage.write("provision.toml", plan);
    stage
}

fn run(stage: &Stage, arguments: &[&str]) -> Ran {
    stage.run(&[&["slack"], arguments].concat())
}

/// Run a command that ends with this code; gives all that it printed.
fn ends(stage: &Stage, code: i32, arguments: &[&str]) -> String {
    let ran = run(stage, arguments);
    let printed = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, code, "{arguments:?}: {printed}");
    printed
}

fn apply(stage: &Stage) -> String {
    ends(stage, 0, &["apply", "--yes", "--out", "slack.env"])
}

fn applied(plan: &str) -> Stage {
    let stage = planned(plan);
    apply(&stage);
    stage
}

/// Call a method by hand, as somebody else with the same token.
fn call(stage: &Stage, method: &str, mut arguments: Value) -> Value {
    arguments["token"] = json!(TOKEN);
    loop {
        let answer = stage.ask("POST", &format!("/api/apps.manifest.{method}"), arguments.clone());
        // More in a minute are not taken.
        if !answer.is_null() {
            assert_eq!(answer["ok"], true, "{method}: {answer}");
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// The ids of all apps.
fn apps(stage: &Stage) -> Vec<String> {
    let keys = stage
        .sandbox()
        .world()
        .store
        .transaction(|state| Ok::<_, Error>(state.keys("slack/app/", None).map(str::to_owned).collect::<Vec<_>>()));
    keys.unwrap().iter().map(|key| key.trim_start_matches("slack/app/").to_owned()).collect()
}

fn manifest(stage: &Stage) -> Value {
    let [app] = apps(stage).try_into().unwrap();
    call(stage, "export", json!({"app_id": app}))["manifest"].take()
}

/// Change the manifest of the only app by hand.
fn change(stage: &Stage, change: impl FnOnce(&mut Value)) {
    let mut manifest = manifest(stage);
    change(&mut manifest);
    call(stage, "update", json!({"app_id": apps(stage)[0], "manifest": manifest.to_string()}));
}

/// What somebody else might do.
pub(crate) fn change_the_name(stage: &Stage) {
    change(stage, |manifest| manifest["display_information"]["name"] = json!("Alerts"));
}

fn edit(stage: &Stage, from: &str, to: &str) {
    let plan = stage.read("provision.toml");
    assert!(plan.contains(from), "{plan}");
    stage.write("provision.toml", &plan.replace(from, to));
}

fn is_in_sync(stage: &Stage) {
    ends(stage, 0, &["drift"]);
    ends(stage, 0, &["plan", "--detailed-exitcode"]);
}

#[test]
fn app_is_made_noted_changed_and_destroyed() {
    let stage = planned(PLAN);
    let printed = apply(&stage);
    assert!(printed.contains("Slack app `A0SANDBOX1` is made"), "{printed}");
    // Everything else in the file is as it was.
    let noted = stage.read("provision.toml");
    let ids = "app_id = \"A0SANDBOX1\"\nsecret_file = \"slack.env\"\nclient_id = \"1000000000.0000000001\"\nteam_id = \"T0SANDBOX\"\n";
    assert_eq!(noted, format!("{PLAN}{ids}"));
    let made = manifest(&stage);
    assert_eq!(made["display_information"]["name"], "Weights & Biases");
    assert_eq!(made["oauth_config"]["redirect_urls"], json!(["https://wandb.example.com"]));
    assert_eq!(made["oauth_config"]["scopes"]["bot"], json!(["incoming-webhook"]));
    assert_eq!(made["settings"]["allowed_ip_address_ranges"], json!(["203.0.113.7"]));
    let description = made["display_information"]["description"].as_str().unwrap();
    assert!(description.starts_with("Alerts of Weights & Biases (provision:wandb-prod:c:v1:"), "{description}");
    is_in_sync(&stage);
    // What is pending is told with its line, and put in the place of what it was.
    edit(&stage, "https://wandb.example.com", "https://alerts.example.com");
    let drift = ends(&stage, 0, &["drift"]);
    assert!(drift.contains("not applied yet"), "{drift}");
    apply(&stage);
    assert_eq!(manifest(&stage)["oauth_config"]["redirect_urls"], json!(["https://alerts.example.com"]));
    is_in_sync(&stage);
    ends(&stage, 0, &["destroy", "--yes"]);
    assert_eq!(apps(&stage), Vec::<String>::new());
    assert_eq!(stage.read("provision.toml"), PLAN.replace("wandb.example", "alerts.example"));
    // What is in the file is the secret of an app: another one does not take its place.
    let kept = ends(&stage, 64, &["apply", "--yes", "--out", "slack.env"]);
    assert!(kept.contains("`--out slack.env` is there already"), "{kept}");
    std::fs::remove_file(stage.path().join("slack.env")).unwrap();
    apply(&stage);
    assert_eq!(apps(&stage), ["A0SANDBOX2"]);
}

#[test]
fn what_others_have_in_the_app_is_kept() {
    let stage = applied(PLAN);
    change(&stage, |manifest| {
        let urls = manifest["oauth_config"]["redirect_urls"].as_array_mut().unwrap();
        urls.insert(0, json!("https://theirs.example.com"));
        let scopes = manifest["oauth_config"]["scopes"]["bot"].as_array_mut().unwrap();
        scopes.push(json!("commands"));
        manifest["features"]["slash_commands"] = json!([{"command": "/deploy"}]);
        let description = manifest["display_information"]["description"].as_str().unwrap();
        let own = description.replace("Alerts of Weights & Biases", "Ask Jo");
        manifest["display_information"]["description"] = json!(own);
    });
    let plan = ends(&stage, 0, &["plan", "-v"]);
    assert!(plan.contains("redirect URL https://theirs.example.com") && plan.contains("scope commands"), "{plan}");
    edit(&stage, "[slack]   # alerts", "[slack]   # alerts\nredirect_urls = [\"https://new.example.com\"]");
    apply(&stage);
    let found = manifest(&stage);
    let urls = json!(["https://theirs.example.com", "https://new.example.com"]);
    assert_eq!(found["oauth_config"]["redirect_urls"], urls);
    assert_eq!(found["oauth_config"]["scopes"]["bot"], json!(["incoming-webhook", "commands"]));
    assert_eq!(found["features"]["slash_commands"][0]["command"], "/deploy");
    let description = found["display_information"]["description"].as_str().unwrap();
    assert!(description.starts_with("Ask Jo (provision:"), "{description}");
    is_in_sync(&stage);
}

#[test]
fn drift_of_each_facet_of_the_app_is_named_and_repaired() {
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit); 4] = [
        ("name", |manifest| manifest["display_information"]["name"] = json!("Mine")),
        ("redirect_urls", |manifest| manifest["oauth_config"]["redirect_urls"] = json!([])),
        ("scopes", |manifest| manifest["oauth_config"]["scopes"]["bot"] = json!(["chat:write"])),
        ("ip_ranges", |manifest| manifest["settings"]["allowed_ip_address_ranges"] = json!(["198.51.100.1"])),
    ];
    let stage = applied(PLAN);
    for (facet, edit) in edits {
        change(&stage, edit);
        let drift = ends(&stage, 2, &["drift"]);
        assert!(drift.contains(facet), "{facet}: {drift}");
        apply(&stage);
        is_in_sync(&stage);
    }
    // People write into the description: whose the app is the plan file knows too.
    change(&stage, |manifest| manifest["display_information"]["description"] = json!("Ask Jo"));
    change(&stage, |manifest| manifest["oauth_config"]["redirect_urls"] = json!([]));
    let drift = ends(&stage, 2, &["drift"]);
    assert!(drift.contains("somebody removed provision's tags"), "{drift}");
    assert!(drift.contains("changed outside provision") && !drift.contains("did not finish"), "{drift}");
    apply(&stage);
    is_in_sync(&stage);
    let description = manifest(&stage)["display_information"]["description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("Ask Jo (provision:wandb-prod:c:"), "{description}");
    ends(&stage, 0, &["destroy", "--yes"]);
    assert_eq!(apps(&stage), Vec::<String>::new());
}

/// Name, redirect URL, range and mark: one request, of which Slack takes few.
#[test]
fn everything_that_changes_is_one_update() {
    let stage = applied(PLAN);
    edit(&stage, "https://wandb.example.com", "https://alerts.example.com");
    edit(&stage, "203.0.113.7", "203.0.113.8");
    edit(&stage, "[slack]   # alerts", "[slack]   # alerts\nname = \"Alerts\"");
    stage.faults().clear();
    apply(&stage);
    assert_eq!(stage.faults().count("slack:apps.manifest.update"), 1);
    assert_eq!(manifest(&stage)["settings"]["allowed_ip_address_ranges"], json!(["203.0.113.8"]));
    is_in_sync(&stage);
}

#[test]
fn files_in_the_section_are_named_from_the_plan_file_s_folder() {
    let stage = planned(PLAN);
    std::fs::create_dir(stage.path().join("plans")).unwrap();
    stage.write("plans/slack.toml", PLAN);
    ends(&stage, 0, &["apply", "plans/slack.toml", "--yes", "--out", "plans/slack.env"]);
    assert!(stage.read("plans/slack.toml").contains("secret_file = \"slack.env\""));
    let shown = ends(&stage, 0, &["output", "plans/slack.toml", "--reveal"]);
    assert!(shown.contains("SLACK_SECRET=client-hunter2-1\n"), "{shown}");
}

/// An app of others with something of everything in it.
fn of_others(stage: &Stage) -> Value {
    let manifest = json!({
        "display_information": {"name": "Our Alerts", "description": "Ask Jo"},
        "features": {"slash_commands": [{"command": "/deploy"}]},
        "oauth_config": {"redirect_urls": ["https://theirs.example.com"], "scopes": {"bot": ["commands"]}},
        "settings": {"socket_mode_enabled": true},
    });
    let made = call(stage, "create", json!({"manifest": manifest.to_string()}));
    let plan = PLAN.replace("[slack]   # alerts\nip_ranges = [\n  \"203.0.113.7\",   # office\n]\n", "[slack]\n");
    stage.write("provision.toml", &format!("{plan}app_id = {}\n", made["app_id"]));
    self::manifest(stage)
}

#[test]
fn app_of_others_is_adopted_on_request_and_released_as_it_was() {
    let stage = planned(PLAN);
    let before = of_others(&stage);
    let refused = ends(&stage, 6, &["apply", "--yes"]);
    assert!(refused.contains("was not made by this deployment") && refused.contains("adopt = true"), "{refused}");
    assert_eq!(manifest(&stage), before);
    edit(&stage, "[slack]\n", "[slack]\nadopt = true\n");
    let adopted = ends(&stage, 0, &["apply", "--yes"]);
    assert!(adopted.contains("SLACK_CLIENT_ID is not known"), "{adopted}");
    let found = manifest(&stage);
    assert_eq!(found["display_information"]["name"], "Our Alerts");
    assert_eq!(found["oauth_config"]["scopes"]["bot"], json!(["commands", "incoming-webhook"]));
    let urls = json!(["https://theirs.example.com", "https://wandb.example.com"]);
    assert_eq!(found["oauth_config"]["redirect_urls"], urls);
    assert_eq!(found["settings"]["socket_mode_enabled"], true);
    is_in_sync(&stage);
    ends(&stage, 0, &["destroy", "--yes"]);
    assert_eq!(manifest(&stage), before);
}

/// Ranges of others stay beside ours, and ours go again.
#[test]
fn ip_ranges_of_an_adopted_app_are_shared() {
    let stage = planned(PLAN);
    of_others(&stage);
    change(&stage, |manifest| {
        manifest["settings"]["allowed_ip_address_ranges"] = json!(["198.51.100.0/24", "198.51.101.1"]);
    });
    let before = manifest(&stage);
    edit(&stage, "[slack]\n", "[slack]\nadopt = true\nip_ranges = [\"203.0.113.7\", \"198.51.101.1\"]\n");
    ends(&stage, 0, &["apply", "--yes"]);
    let ranges = |stage: &Stage| manifest(stage)["settings"]["allowed_ip_address_ranges"].clone();
    assert_eq!(ranges(&stage), json!(["198.51.100.0/24", "198.51.101.1", "203.0.113.7"]));
    is_in_sync(&stage);
    edit(&stage, "203.0.113.7", "203.0.113.8");
    ends(&stage, 0, &["apply", "--yes"]);
    assert_eq!(ranges(&stage), json!(["198.51.100.0/24", "198.51.101.1", "203.0.113.8"]));
    // What leaves the plan file leaves the app; what was there before us does not.
    edit(&stage, "ip_ranges = [\"203.0.113.8\", \"198.51.101.1\"]\n", "");
    ends(&stage, 0, &["apply", "--yes"]);
    assert_eq!(ranges(&stage), json!(["198.51.100.0/24", "198.51.101.1"]));
    ends(&stage, 0, &["destroy", "--yes"]);
    assert_eq!(manifest(&stage), before);
}

#[test]
fn saved_change_set_that_makes_an_app_notes_its_id() {
    let stage = planned(PLAN);
    let planned = ends(&stage, 0, &["plan"]);
    // Whether it is printed or saved then.
    assert!(planned.contains("SLACK_SECRET     known once it is made"), "{planned}");
    assert!(planned.contains("provision slack apply provision.toml --out slack.env"), "{planned}");
    ends(&stage, 0, &["plan", "--out", "set.json"]);
    let refused = ends(&stage, 64, &["apply", "set.json"]);
    assert!(refused.contains("--out FILE"), "{refused}");
    ends(&stage, 0, &["apply", "set.json", "--out", "slack.env"]);
    assert!(stage.read("provision.toml").contains("app_id = \"A0SANDBOX1\""));
    is_in_sync(&stage);
}

#[test]
fn apply_of_all_sections_makes_the_app_too() {
    let stage = planned(PLAN);
    let refused = stage.run(&["apply", "--yes"]);
    assert!(refused.code == 64 && refused.stderr.contains("--out FILE"), "{}", refused.stderr);
    let made = stage.run(&["apply", "--yes", "--out", "slack.env"]);
    assert_eq!(made.code, 0, "{}{}", made.stdout, made.stderr);
    let revealed = planned(PLAN).run(&["apply", "--yes", "--reveal"]);
    assert!(revealed.code == 0 && revealed.stdout.contains("SLACK_SECRET=client-hunter2-1\n"), "{}", revealed.stdout);
    is_in_sync(&stage);
}

#[test]
fn example_of_slack_is_rehearsed_in_the_sandbox() {
    let stage = planned(include_str!("../../plans/slack.toml"));
    let bare = |arguments: &[&str]| {
        let ran = stage.run_with(arguments, |command| {
            command.env_remove("PROVISION_SLACK_ENDPOINT").env_remove("SLACK_CONFIG_TOKEN");
        });
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    bare(&["slack", "plan", "--sandbox"]);
    bare(&["slack", "apply", "--sandbox", "--yes", "--out", "slack.env"]);
    bare(&["slack", "drift", "--sandbox"]);
    assert!(bare(&["slack", "output", "--no-secrets"]).contains("SLACK_CLIENT_ID=1000000000."));
    bare(&["slack", "destroy", "--sandbox", "--yes"]);
    assert_eq!(stage.read("provision.toml"), include_str!("../../plans/slack.toml"));
    assert_eq!(bare(&["init", "slack"]), include_str!("../../plans/slack.toml"));
}
