//! How a token is got, and that nothing secret is ever written down.

use provision_sandbox::auth0::CLIENT_SECRET;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::Value;

use super::{PLAN_FILE, apply, one, stage, text};

fn run(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let ran = stage.run_with(arguments, |command| {
        for (name, value) in variables {
            match value.is_empty() {
                true => command.env_remove(name),
                false => command.env(name, value),
            };
        }
    });
    (ran.code, text(&ran))
}

/// A pair of keys, made with the tests' own tools: the private one in PEM, the public one in DER.
fn keys() -> (String, Vec<u8>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    (key.serialize_pem(), key.public_key_raw().to_vec())
}

#[test]
fn private_key_in_place_of_a_secret_is_taken() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    let (pem, public) = keys();
    let signing = [("AUTH0_CLIENT_SECRET", ""), ("AUTH0_CLIENT_ASSERTION_PRIVATE_KEY", pem.as_str())];
    let (code, says) = run(&stage, &["auth0", "plan"], &signing);
    assert_eq!(code, 4, "{says}");
    stage.sandbox().seed_auth0_key(&public).unwrap();
    let (code, says) = run(&stage, &["auth0", "plan", "--trace", "trace"], &signing);
    assert_eq!(code, 0, "{says}");
    let (other, _) = keys();
    let signing = [("AUTH0_CLIENT_SECRET", ""), ("AUTH0_CLIENT_ASSERTION_PRIVATE_KEY", other.as_str())];
    assert_eq!(run(&stage, &["auth0", "plan"], &signing).0, 4);
    let trace = stage.read("trace");
    let body = pem.lines().nth(1).unwrap();
    assert!(!trace.contains(body) && trace.contains("client_assertion=[redacted]"), "{trace}");
}

#[test]
fn ready_token_is_taken_and_checked_against_the_tenant() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    let token = token_of(&stage);
    let ready = |token: &str| {
        let variables = [("AUTH0_CLIENT_SECRET", ""), ("AUTH0_CLIENT_ID", ""), ("AUTH0_API_TOKEN", token)];
        run(&stage, &["auth0", "plan"], &variables)
    };
    let (code, says) = ready(&token);
    assert!(code == 0 && !says.contains(&token), "{says}");
    let (code, says) = ready(&format!("{token}x"));
    assert!(code == 4 && says.contains("Invalid token") && !says.contains(&token), "{says}");
    stage.write("provision.toml", &PLAN_FILE.replace("acme.eu", "other.us"));
    let (code, says) = ready(&token);
    assert!(code == 4 && says.contains("other.us.auth0.com"), "{says}");
}

/// A token as the sandbox gives it.
fn token_of(stage: &Stage) -> String {
    let variables: std::collections::BTreeMap<_, _> = stage.sandbox().environment().into_iter().collect();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&audience=https%3A%2F%2Facme.eu.auth0.com%2Fapi%2Fv2%2F",
        variables["AUTH0_CLIENT_ID"], variables["AUTH0_CLIENT_SECRET"]
    );
    let answer = stage.send("POST", "/oauth/token", Value::String(form));
    answer["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn credentials_that_are_missing_or_wrong_say_what_to_set() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    for (variables, says) in [
        (&[("AUTH0_CLIENT_SECRET", "")][..], "AUTH0_API_TOKEN"),
        (&[("AUTH0_CLIENT_ID", "")], "AUTH0_CLIENT_ID is not set"),
        (&[("AUTH0_CLIENT_SECRET", "hunter2-wrong")], "401 access_denied"),
        (&[("AUTH0_CLIENT_SECRET", ""), ("AUTH0_CLIENT_ASSERTION_PRIVATE_KEY", "hunter2-no-key")], "no RSA key"),
    ] {
        let (code, said) = run(&stage, &["auth0", "plan"], variables);
        assert!(code == 4 && said.contains(says) && !said.contains("hunter2"), "{code} {said}");
    }
    stage.write("provision.toml", &PLAN_FILE.replace("acme.eu", "unknown"));
    let (code, says) = run(&stage, &["auth0", "plan"], &[]);
    assert!(code == 4 && says.contains("`domain`"), "{says}");
    let (code, says) = run(&stage, &["auth0", "plan"], &[("PROVISION_AUTH0_ENDPOINT", "http://auth0.example")]);
    let told = "cannot use PROVISION_AUTH0_ENDPOINT=`http://auth0.example`: a secret is sent over TLS only, but to this machine";
    assert!(code == 1 && says.contains(told), "{code} {says}");
}

#[test]
fn missing_scopes_are_told_before_an_apply_and_named_where_they_are_needed() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    stage.sandbox().attach("read:clients").unwrap();
    let (code, says) = run(&stage, &["auth0", "plan"], &[]);
    assert!(code == 0 && !says.contains("create:clients"), "{says}");
    let (code, says) = run(&stage, &["auth0", "apply", "--yes"], &[]);
    assert!(says.contains("`create:clients`, `update:clients`, `delete:clients`"), "{says}");
    assert!(code != 0 && says.contains("grant the scope `create:clients`"), "{says}");
    stage.sandbox().attach("update:clients").unwrap();
    let (code, says) = run(&stage, &["auth0", "plan"], &[]);
    assert!(code == 1 && says.contains("grant the scope `read:clients`"), "{says}");
}

/// The service gives the secret of what it makes and changes with every answer: it is written nowhere.
#[test]
fn no_secret_is_in_a_trace_a_change_set_an_error_or_the_settings() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    let mut all = String::new();
    let mut ran = |arguments: &[&str]| all += &text(&stage.run(arguments));
    ran(&["auth0", "plan", "--out", "saved.json", "--trace", "trace"]);
    ran(&["auth0", "apply", "--yes", "--trace", "trace", "--json"]);
    ran(&["auth0", "output", "--trace", "trace", "--reveal"]);
    let made = one(&stage);
    assert_eq!(made["client_secret"], Value::Null);
    let status = 400;
    let body = format!("{{\"statusCode\": 400, \"error\": \"x\", \"message\": \"client_secret={CLIENT_SECRET}\"}}");
    let what = What::Answer { status, headers: Vec::new(), body };
    let operation = "auth0:clients.list".to_owned();
    stage.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what });
    ran(&["auth0", "plan", "--trace", "trace"]);
    stage.faults().clear();
    ran(&["auth0", "drift", "--json", "--trace", "trace"]);
    ran(&["auth0", "destroy", "--yes", "--trace", "trace"]);
    all += &stage.read("trace");
    all += &stage.read("saved.json");
    assert!(all.contains("\"client_secret\":\"[redacted]\"") && all.contains("client_secret=[redacted]"), "{all}");
    // The payload of a token of the sandbox begins so.
    for secret in [CLIENT_SECRET, "eyJhdWQi", "eyJpc3Mi", "Bearer ey"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[test]
fn one_token_serves_several_plan_files_of_a_tenant() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    stage.write("other.toml", &PLAN_FILE.replace("wandb-prod", "wandb-test"));
    let _ = stage.run(&["auth0", "drift", "provision.toml", "other.toml"]);
    assert_eq!(stage.faults().count("login:auth0.token"), 1);
}
