//! The application that people sign in with: its life, what others have in it, and how it is found again.

mod adopted;
mod client;
mod credentials;
mod faults;
mod recorded;
mod replay;

use provision_sandbox::EmulatorKind;
use provision_sandbox::auth0::Plan;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::Ran;
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

pub(crate) const PLAN_FILE: &str = "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n\n[auth0]\n\
                                    domain = \"acme.eu.auth0.com\"\noidc = true\n";

/// The name of somebody else's application.
pub(crate) const FOREIGN: &str = "Login of the team";

/// A plan file that takes that one over.
pub(crate) const ADOPTING: &str = "[deployment]\nname = \"wandb-prod\"\nhost = \"https://wandb.example.com\"\n\n[auth0]\n\
                                   domain = \"acme.eu.auth0.com\"\nname = \"Login of the team\"\nadopt = true\n";

/// A plan file with another host, and without OIDC.
pub(crate) fn changed(plan_file: &str) -> String {
    plan_file.replace("wandb.example.com", "ml.example.com").replace("oidc = true\n", "")
}

pub(crate) fn stage() -> Stage {
    Stage::start(EmulatorKind::Auth0)
}

/// One with the plan file, not applied.
pub(crate) fn planned() -> Stage {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    stage
}

/// What somebody else might do.
pub(crate) fn change_the_type(stage: &Stage) {
    patch(stage, &id_of(&one(stage)), json!({"app_type": "native"}));
}

pub(crate) fn apply(stage: &Stage, plan_file: &str) {
    stage.write("provision.toml", plan_file);
    ends(stage, 0, &["auth0", "apply", "--yes"]);
    stage.faults().clear();
}

/// Run the binary, which must end so.
fn ends(stage: &Stage, code: i32, arguments: &[&str]) -> Ran {
    let ran = stage.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran
}

fn text(ran: &Ran) -> String {
    format!("{}{}", ran.stdout, ran.stderr)
}

/// A URL of somebody else's in each list.
pub(crate) fn foreign_url(list: &str) -> Value {
    json!(format!("https://Theirs.example:8443/{list}/x?y=%20"))
}

/// Somebody else's application, with URLs and metadata of theirs. Gives its client id.
pub(crate) fn foreign(hand: &Hand) -> String {
    let mut body = json!({
        "name": FOREIGN, "app_type": "spa", "token_endpoint_auth_method": "none", "client_metadata": { "team": "theirs" },
        "grant_types": ["authorization_code"], "description": "not ours",
    });
    for list in ["callbacks", "web_origins", "allowed_logout_urls"] {
        body[list] = json!([foreign_url(list)]);
    }
    let made = hand.send("POST", "/api/v2/clients", body);
    made["client_id"].as_str().unwrap().to_owned()
}

/// Every application of the tenant.
pub(crate) fn all(hand: &Hand) -> Vec<Value> {
    let answer = hand.send("GET", "/api/v2/clients?per_page=100&is_global=false", Value::Null);
    answer.as_array().unwrap().clone()
}

/// Those with our mark.
pub(crate) fn ours(hand: &Hand) -> Vec<Value> {
    let mut all = all(hand);
    all.retain(|found| found["client_metadata"]["provision-deployment"].is_string());
    all
}

/// The only one of ours.
fn one(stage: &Stage) -> Value {
    let mut found = ours(&stage.hand());
    assert_eq!(found.len(), 1, "{found:?}");
    stage.faults().clear();
    found.remove(0)
}

fn patch(stage: &Stage, id: &str, changes: Value) {
    stage.send("PATCH", &format!("/api/v2/clients/{id}"), changes);
}

fn id_of(application: &Value) -> String {
    application["client_id"].as_str().unwrap().to_owned()
}

#[test]
fn life_of_an_application() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    let planned = text(&ends(&stage, 2, &["auth0", "plan", "--detailed-exitcode"]));
    assert!(
        planned.contains("tenant acme.eu.auth0.com") && planned.contains("https://wandb.example.com/oidc/callback")
    );
    assert_eq!(stage.writes(), Vec::<String>::new());
    ends(&stage, 2, &["auth0", "drift"]);
    stage.faults().clear();
    let applied = text(&ends(&stage, 0, &["auth0", "apply", "--yes"]));
    assert_eq!(stage.writes(), ["auth0:clients.create", "auth0:clients.update"]);
    let made = one(&stage);
    for (field, value) in [
        ("name", json!("wandb-prod")),
        ("app_type", json!("spa")),
        ("token_endpoint_auth_method", json!("none")),
        ("oidc_conformant", json!(true)),
        ("callbacks", json!(["https://wandb.example.com/oidc/callback", "https://wandb.example.com"])),
        ("web_origins", json!(["https://wandb.example.com"])),
        ("allowed_logout_urls", json!(["https://wandb.example.com/logout"])),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(made["jwt_configuration"]["alg"], "RS256");
    let settings = [
        "AUTH0_DOMAIN=acme.eu.auth0.com".to_owned(),
        format!("AUTH0_CLIENT_ID={}", id_of(&made)),
        "OIDC_ISSUER=https://acme.eu.auth0.com/".to_owned(),
        format!("OIDC_CLIENT_ID={}", id_of(&made)),
        "OIDC_AUTH_METHOD=pkce".to_owned(),
    ];
    assert!(settings.iter().all(|setting| applied.contains(setting)), "{applied}");
    assert_eq!(ends(&stage, 0, &["auth0", "output"]).stdout, settings.join("\n") + "\n");
    let id = ends(&stage, 0, &["auth0", "output", "provision.toml", "AUTH0_CLIENT_ID"]).stdout;
    assert_eq!(id.trim(), id_of(&made));
    stage.faults().clear();
    ends(&stage, 0, &["auth0", "apply", "--yes"]);
    ends(&stage, 0, &["auth0", "drift"]);
    assert_eq!(stage.writes(), Vec::<String>::new());
    ends(&stage, 0, &["auth0", "destroy", "--yes"]);
    assert_eq!(stage.writes(), ["auth0:clients.delete"]);
    assert!(all(&stage.hand()).is_empty());
    ends(&stage, 0, &["auth0", "destroy", "--yes"]);
    assert_eq!(ends(&stage, 1, &["auth0", "output"]).stdout, "");
}

#[test]
fn another_host_takes_the_place_of_the_former_one_beside_the_urls_of_others() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let id = id_of(&one(&stage));
    for list in ["callbacks", "web_origins", "allowed_logout_urls"] {
        let mut urls = one(&stage)[list].as_array().unwrap().clone();
        urls.insert(0, foreign_url(list));
        patch(&stage, &id, json!({ list: urls }));
    }
    let drift = text(&ends(&stage, 0, &["auth0", "drift"]));
    assert!(drift.contains("in sync"), "{drift}");
    stage.write("provision.toml", &changed(PLAN_FILE));
    let planned = text(&ends(&stage, 2, &["auth0", "plan", "--detailed-exitcode"]));
    assert!(planned.contains("https://wandb.example.com -> https://ml.example.com"), "{planned}");
    ends(&stage, 0, &["auth0", "drift"]);
    stage.faults().clear();
    ends(&stage, 0, &["auth0", "apply", "--yes"]);
    // All of it in one request: tenants take few.
    assert_eq!(stage.writes(), ["auth0:clients.update"]);
    assert_eq!(stage.faults().count("auth0:clients.get"), 1);
    let now = one(&stage);
    assert_eq!(now["callbacks"], json!([foreign_url("callbacks"), "https://ml.example.com"]));
    assert_eq!(now["web_origins"], json!([foreign_url("web_origins"), "https://ml.example.com"]));
    assert_eq!(
        now["allowed_logout_urls"],
        json!([foreign_url("allowed_logout_urls"), "https://ml.example.com/logout"])
    );
    assert_eq!(id_of(&now), id);
}

#[test]
fn drift_of_each_setting_is_named_and_repaired() {
    let stage = stage();
    apply(&stage, &PLAN_FILE.replace("[auth0]", "tags = { team = \"ml\" }\n[auth0]"));
    let made = one(&stage);
    let id = id_of(&made);
    for (change, named) in [
        (json!({"callbacks": ["https://wandb.example.com"]}), "callbacks"),
        (json!({"web_origins": []}), "web_origins"),
        (json!({"allowed_logout_urls": ["https://other.example"]}), "logout_urls"),
        (json!({"name": "renamed"}), "name"),
        (json!({"app_type": "regular_web"}), "app_type"),
        (json!({"token_endpoint_auth_method": "client_secret_post"}), "token_endpoint_auth_method"),
        (json!({"grant_types": ["implicit"]}), "grant_types"),
        (json!({"oidc_conformant": false}), "oidc_conformant"),
        (json!({"jwt_configuration": {"alg": "HS256"}}), "jwt_alg"),
        (json!({"client_metadata": {"team": "x"}}), "team"),
        (json!({"client_metadata": {"provision-origin": null}}), "application"),
    ] {
        patch(&stage, &id, change.clone());
        let drift = text(&ends(&stage, 2, &["auth0", "drift"]));
        assert!(drift.contains(named), "{named}: {drift}");
        ends(&stage, 0, &["auth0", "apply", "--yes"]);
        stage.faults().clear();
        ends(&stage, 0, &["auth0", "drift"]);
        assert_eq!(id_of(&one(&stage)), id);
    }
    assert_eq!(one(&stage)["name"], "wandb-prod");
    stage.send("DELETE", &format!("/api/v2/clients/{id}"), Value::Null);
    assert!(text(&ends(&stage, 2, &["auth0", "drift"])).contains("nothing of it exists"));
}

/// Each key of the mark by itself: which one is lost is told, and there is never a second application.
#[test]
fn a_key_that_is_taken_out_of_the_metadata_is_named() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let id = id_of(&one(&stage));
    for key in ["provision-origin", "provision-parts", "provision-spec"] {
        patch(&stage, &id, json!({"client_metadata": { key: null }}));
        let drift = text(&ends(&stage, 2, &["auth0", "drift"]));
        assert!(drift.contains(&format!("lost `{key}`")) && drift.contains("apply puts it back"), "{drift}");
        ends(&stage, 0, &["auth0", "apply", "--yes"]);
        assert_eq!(one(&stage)["client_metadata"]["provision-origin"], "created");
        ends(&stage, 0, &["auth0", "drift"]);
    }
    // What was on record is so again: it goes with the host that it was for.
    apply(&stage, &changed(PLAN_FILE));
    assert_eq!(one(&stage)["callbacks"], json!(["https://ml.example.com"]));
    patch(&stage, &id, json!({"name": "renamed", "client_metadata": { "provision-deployment": null }}));
    stage.faults().clear();
    for command in [&["auth0", "plan"][..], &["auth0", "apply", "--yes"], &["auth0", "destroy", "--yes"]] {
        let refused = text(&ends(&stage, 6, command));
        assert!(refused.contains("lost `provision-deployment`") && refused.contains(&id), "{refused}");
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
    patch(&stage, &id, json!({"client_metadata": { "provision-deployment": "wandb-prod" }}));
    ends(&stage, 0, &["auth0", "apply", "--yes"]);
    assert_eq!((id_of(&one(&stage)), &one(&stage)["name"]), (id, &json!("wandb-prod")));
}

#[test]
fn what_others_add_to_it_is_no_drift() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let id = id_of(&one(&stage));
    patch(&stage, &id, json!({"description": "theirs", "client_metadata": {"team": "x"}, "sso": true}));
    ends(&stage, 0, &["auth0", "drift"]);
    ends(&stage, 0, &["auth0", "plan", "--detailed-exitcode"]);
}

#[test]
fn a_deployment_that_is_renamed_keeps_its_application() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let id = id_of(&one(&stage));
    apply(&stage, &PLAN_FILE.replace("\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\""));
    let now = one(&stage);
    assert_eq!((id_of(&now), &now["name"]), (id, &json!("wandb-new")));
    assert_eq!(now["client_metadata"]["provision-deployment"], "wandb-new");
}

#[test]
fn two_that_carry_the_mark_are_refused_by_name() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let made = one(&stage);
    let copy = json!({"name": "a copy", "client_metadata": made["client_metadata"]});
    let copy = stage.send("POST", "/api/v2/clients", copy);
    for command in ["plan", "apply", "drift", "destroy"] {
        let yes: &[&str] = if ["apply", "destroy"].contains(&command) { &["--yes"] } else { &[] };
        let refused = text(&ends(&stage, 6, &[&["auth0", command], yes].concat()));
        assert!(refused.contains(&id_of(&made)) && refused.contains(&id_of(&copy)), "{refused}");
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[test]
fn another_deployment_of_the_tenant_is_left_alone() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let other = PLAN_FILE.replace("wandb-prod", "wandb-test").replace("oidc = true", "name = \"wandb-prod\"");
    apply(&stage, &other);
    assert_eq!(ours(&stage.hand()).len(), 2);
    ends(&stage, 0, &["auth0", "destroy", "--yes"]);
    assert_eq!(one(&stage)["client_metadata"]["provision-deployment"], "wandb-prod");
}

#[test]
fn a_saved_change_set_is_applied_without_its_plan_file() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    ends(&stage, 0, &["auth0", "plan", "--out", "saved.json"]);
    std::fs::remove_file(stage.path().join("provision.toml")).unwrap();
    ends(&stage, 0, &["auth0", "apply", "saved.json"]);
    let id = id_of(&one(&stage));
    patch(&stage, &id, json!({"web_origins": []}));
    assert_eq!(ends(&stage, 3, &["auth0", "apply", "saved.json"]).code, 3);
}

#[test]
fn example_plan_file_is_applied_and_is_what_init_prints() {
    let example = include_str!("../../plans/auth0.toml");
    let stage = stage();
    apply(&stage, example);
    ends(&stage, 0, &["auth0", "drift"]);
    assert_eq!(ends(&stage, 0, &["init", "auth0"]).stdout, example);
    // Every key that is commented out.
    let uncommented =
        example.replace("# login_domain", "login_domain").replace("# name", "name").replace("# oidc", "oidc");
    stage.write("provision.toml", &uncommented.replace("# adopt", "adopt").replace("# tags", "tags"));
    ends(&stage, 0, &["validate"]);
}

#[test]
fn more_metadata_than_there_may_be_is_refused_at_plan() {
    let stage = stage();
    let tags: Vec<_> = (0..8).map(|number| format!("k{number} = \"v\"")).collect();
    stage.write(
        "provision.toml",
        &PLAN_FILE.replace("\n\n[auth0]", &format!("\ntags = {{ {} }}\n[auth0]", tags.join(", "))),
    );
    let refused = text(&ends(&stage, 64, &["auth0", "plan"]));
    assert!(refused.contains("too many tags for Auth0") && refused.contains("room for four"), "{refused}");
}

#[test]
fn a_free_tenant_takes_two_requests_a_second() {
    let stage = stage();
    stage.sandbox().seed_auth0("acme.eu.auth0.com", Some(Plan::Free)).unwrap();
    stage.sandbox().world().clock.hasten(1);
    stage.write("provision.toml", PLAN_FILE);
    ends(&stage, 0, &["auth0", "apply", "--yes"]);
    let throttled = stage.faults().records().iter().filter(|record| record.status == Some(429)).count();
    assert!(throttled > 0, "nothing was throttled");
    let records = stage.calls();
    // One at a time.
    assert!(records.windows(2).all(|pair| pair[0].end <= pair[1].start));
}

/// A hundred and one are two pages.
#[test]
fn an_application_on_the_second_page_is_found() {
    let stage = stage();
    stage.sandbox().seed_auth0("acme.eu.auth0.com", Some(Plan::Enterprise)).unwrap();
    apply(&stage, PLAN_FILE);
    for number in 0..99 {
        stage.send("POST", "/api/v2/clients", json!({"name": format!("other {number}")}));
    }
    ends(&stage, 0, &["auth0", "drift"]);
    let page = json!({"statusCode": 403, "error": "Forbidden", "message": "Insufficient scope", "errorCode": "insufficient_scope"});
    let what = What::Answer { status: 403, headers: Vec::new(), body: page.to_string() };
    stage.faults().clear();
    stage.send("POST", "/api/v2/clients", json!({"name": "the hundred and first"}));
    let operation = "auth0:clients.list".to_owned();
    stage.faults().fault(Fault { operation, nth: Nth::Number(2), at: When::Before, what });
    let failed = text(&ends(&stage, 1, &["auth0", "plan"]));
    assert!(failed.contains("`read:clients`"), "{failed}");
}
