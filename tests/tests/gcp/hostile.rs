//! Whatever answers in a service's place: bodies and lists without an end, other addresses, other clouds.

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::json;

use crate::clouds::GCP;

fn answered(operation: &str, status: u16, headers: &[(&str, &str)], body: String) -> Stage {
    let stage = GCP.applied();
    let json = [("content-type", "application/json")];
    let headers = json.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let what = What::Answer { status, headers, body };
    stage.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Every, at: When::Before, what });
    stage
}

#[test]
fn a_body_without_an_end_is_not_read_to_it() {
    let body = format!("{{\"more\": \"{}\"}}", "x".repeat(17 << 20));
    for operation in [
        "storage.json:notificationConfigs.list",
        "storage.json:buckets.get",
        "pubsub:GetSubscription",
        "iam:GetIamPolicy",
        "resourcemanager:GetProject",
    ] {
        let drift = GCP.ends(&answered(operation, 200, &[], body.clone()), 1, &["drift"]);
        assert!(drift.contains("it does not end"), "{operation}: {drift}");
    }
}

#[test]
fn a_list_that_leads_back_to_itself_ends() {
    let (again, buckets) =
        (json!({"nextPageToken": "again"}), json!({"kind": "storage#buckets", "nextPageToken": "again"}));
    for (operation, page) in
        [("pubsub:ListTopics", &again), ("pubsub:ListSubscriptions", &again), ("storage.json:buckets.list", &buckets)]
    {
        let stage = answered(operation, 200, &[], page.to_string());
        let drift = GCP.ends(&stage, 1, &["drift"]);
        assert!(drift.contains("its next page is one that was read already"), "{operation}: {drift}");
        assert_eq!(stage.faults().count(operation), 2, "{operation}");
    }
}

#[test]
fn no_redirect_is_followed() {
    for operation in
        ["pubsub:GetTopic", "storage.json:buckets.get", "storage.json:notificationConfigs.list", "iam:GetIamPolicy"]
    {
        let stage = answered(operation, 302, &[("location", "/v1/projects/acme-ml/topics/elsewhere")], String::new());
        let drift = GCP.ends(&stage, 1, &["drift"]);
        assert!(drift.contains("302"), "{operation}: {drift}");
        let asked = stage.calls().into_iter().filter(|record| record.path.contains("elsewhere")).count();
        assert_eq!(asked, 0, "{operation}");
    }
}

/// Before a token is asked for.
#[test]
fn credentials_of_another_universe_are_sent_nowhere() {
    let stage = GCP.planned();
    let file = json!({"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"});
    stage.write("adc.json", &file.to_string());
    let path = stage.path().join("adc.json");
    let ran = stage.run_with(&["gcp", "plan"], |command| {
        for name in GCP.credentials.0 {
            command.env_remove(name);
        }
        command.env("GOOGLE_APPLICATION_CREDENTIALS", path).env("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "example.cloud");
    });
    assert!(ran.code == 1 && ran.stderr.contains("the universe `example.cloud`"), "{} {}", ran.code, ran.stderr);
    assert!(stage.faults().records().is_empty());
}
