//! Answers that are lost, cut off, late or refused: there is never a second application.

use provision_sandbox::auth0::Plan;
use provision_sandbox::fault::{Fault, Nth, What, When};
use serde_json::json;

use super::{PLAN_FILE, apply, ends, id_of, one, ours, stage, text};

fn fault(operation: &str, nth: Nth, at: When, what: What) -> Fault {
    Fault { operation: format!("auth0:{operation}"), nth, at, what }
}

#[test]
fn a_creation_whose_answer_is_lost_is_found_by_its_mark() {
    let answer = |status, body: &str| What::Answer { status, headers: Vec::new(), body: body.to_owned() };
    for what in [What::Drop, What::Truncate, answer(500, ""), answer(502, "<html>"), answer(201, "{}"), answer(200, "")]
    {
        let stage = stage();
        stage.write("provision.toml", PLAN_FILE);
        stage.faults().fault(fault("clients.create", Nth::Number(1), When::After, what.clone()));
        let ran = stage.run(&["auth0", "apply", "--yes"]);
        assert_eq!(ran.code, 0, "{what:?}: {}", text(&ran));
        assert_eq!(stage.faults().count("auth0:clients.create"), 1, "{what:?}");
        assert_eq!(ours(&stage.hand()).len(), 1, "{what:?}");
        ends(&stage, 0, &["auth0", "drift"]);
    }
}

#[test]
fn a_list_that_shows_what_is_new_late_leaves_one_application() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    stage.faults().fault(fault("clients.create", Nth::Number(1), When::After, What::Drop));
    // The sandbox's time: the look after the lost answer comes before it has passed.
    stage.faults().set_propagation("auth0.clients", std::time::Duration::from_secs(2));
    let ran = stage.run(&["auth0", "apply", "--yes"]);
    stage.faults().set_propagation("auth0.clients", std::time::Duration::ZERO);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let found = ours(&stage.hand()).len();
    assert!(ran.code != 0 || found == 1, "{found}: {}", text(&ran));
}

#[test]
fn two_runs_at_once_leave_one_application() {
    let stage = stage();
    stage.write("provision.toml", PLAN_FILE);
    // Both have looked before either makes one.
    let (path, other) = (stage.path().to_owned(), std::sync::Mutex::new(None));
    let environment = stage.environment();
    let started = std::sync::Arc::new(other);
    let child = std::sync::Arc::clone(&started);
    stage.faults().hook("auth0:clients.create", 1, move || {
        let mut command = std::process::Command::new(provision_tests::run::binary());
        command.args(["auth0", "apply", "--yes"]).current_dir(&path).env_clear().envs(environment.iter().cloned());
        let ran = command.output().unwrap();
        *child.lock().unwrap() = Some(ran.status.code());
    });
    let ran = stage.run(&["auth0", "apply", "--yes"]);
    assert_eq!(started.lock().unwrap().take(), Some(Some(0)));
    assert!([0, 3].contains(&ran.code), "{}", text(&ran));
    assert_eq!(ours(&stage.hand()).len(), 1);
    ends(&stage, 0, &["auth0", "apply", "--yes"]);
}

#[test]
fn limits_are_waited_out_by_their_headers() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let body = json!({"statusCode": 429, "error": "Too Many Requests", "message": "Global limit has been reached",
        "errorCode": "too_many_requests"});
    for headers in [vec![("retry-after", "3".to_owned())], vec![("x-ratelimit-reset", (now + 5).to_string())]] {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let what = What::Answer { status: 429, headers, body: body.to_string() };
        stage.faults().fault(fault("clients.list", Nth::Number(1), When::Before, what));
        ends(&stage, 0, &["auth0", "drift"]);
        assert_eq!(stage.faults().begun("auth0:clients.list"), 2);
        stage.faults().clear();
    }
}

#[test]
fn a_page_that_moves_while_it_is_read_is_read_again() {
    let stage = stage();
    stage.sandbox().seed_auth0("acme.eu.auth0.com", Some(Plan::Enterprise)).unwrap();
    apply(&stage, PLAN_FILE);
    for number in 0..100 {
        stage.send("POST", "/api/v2/clients", json!({"name": format!("other {number}")}));
    }
    stage.hook("auth0:clients.list", 2, When::Before, |hand| {
        let found = super::all(hand).into_iter().find(|found| found["name"] != "wandb-prod").unwrap();
        hand.send("DELETE", &format!("/api/v2/clients/{}", id_of(&found)), serde_json::Value::Null);
    });
    ends(&stage, 0, &["auth0", "drift"]);
    assert!(stage.faults().begun("auth0:clients.list") > 3);
    let _ = one(&stage);
}

#[test]
fn an_application_that_goes_in_between_is_no_success() {
    let stage = stage();
    apply(&stage, PLAN_FILE);
    let id = id_of(&one(&stage));
    stage.write("provision.toml", &super::changed(PLAN_FILE));
    stage.hook("auth0:clients.update", 1, When::Before, move |hand| {
        hand.send("DELETE", &format!("/api/v2/clients/{id}"), serde_json::Value::Null);
    });
    let ran = stage.run(&["auth0", "apply", "--yes"]);
    assert!(ran.code != 0, "{}", text(&ran));
    assert!(ours(&stage.hand()).is_empty());
}

#[test]
fn refusals_say_what_to_do() {
    for (body, says) in [
        (
            json!({"statusCode": 403, "error": "Forbidden", "message": "You reached the limit of entities of this type for this tenant."}),
            "delete an application",
        ),
        (
            json!({"statusCode": 403, "error": "Forbidden", "message": "Please upgrade your subscription to use it",
            "errorCode": "insufficient_entitlement"}),
            "plan does not include",
        ),
        (
            json!({"statusCode": 400, "error": "Bad Request", "message": "Payload validation error: 'x'.", "errorCode": "invalid_body"}),
            "Payload validation error",
        ),
    ] {
        let stage = stage();
        stage.write("provision.toml", PLAN_FILE);
        let status = u16::try_from(body["statusCode"].as_u64().unwrap()).unwrap();
        let what = What::Answer { status, headers: Vec::new(), body: body.to_string() };
        stage.faults().fault(fault("clients.create", Nth::Every, When::Before, what));
        let ran = stage.run(&["auth0", "apply", "--yes"]);
        assert!(ran.code != 0 && ran.stderr.contains(says), "{}", text(&ran));
        assert_eq!(stage.faults().begun("auth0:clients.create"), 1);
    }
}

#[test]
fn a_creation_that_cannot_be_looked_for_is_not_sent_again() {
    for lost in [true, false] {
        let stage = stage();
        stage.write("provision.toml", PLAN_FILE);
        if lost {
            stage.faults().fault(fault("clients.create", Nth::Number(1), When::After, What::Drop));
        }
        let broken = What::Error { status: 500, code: String::new(), message: "as told".to_owned() };
        stage.faults().fault(fault("clients.list", Nth::From { from: 2 }, When::Before, broken));
        let ran = stage.run(&["auth0", "apply", "--yes"]);
        assert!(ran.code != 0, "{}", text(&ran));
        assert_eq!(stage.faults().begun("auth0:clients.create"), 1);
        stage.faults().clear();
        ends(&stage, 0, &["auth0", "apply", "--yes"]);
        assert_eq!(ours(&stage.hand()).len(), 1);
    }
}
