//! Answers in the shapes that Google's services were seen to give: each is read without false drift, and each refusal as what it is.

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::GCP;
use crate::clouds::gcp::hand::{ACCOUNT, BUCKET, ENTRIES, POLICY, SUBSCRIPTION, TOPIC, policy};

const PROJECT: &str = "/v3/projects/acme-ml";
const AGENT: &str = "/storage/v1/projects/acme-ml/serviceAccount";
const INSERT: &str = "storage.json:notificationConfigs.insert";

fn answer(stage: &Stage, operation: &str, nth: Nth, status: u16, body: &Value) {
    let headers = vec![("content-type".to_owned(), "application/json; charset=UTF-8".to_owned())];
    let what = What::Answer { status, headers, body: body.to_string() };
    stage.faults().fault(Fault { operation: operation.to_owned(), nth, at: When::Before, what });
}

/// What is read, with more around it than the sandbox has.
#[test]
fn answers_with_more_in_them_are_no_drift() {
    for (operation, place, more) in [
        (
            "pubsub:GetTopic",
            TOPIC,
            json!({
            "messageStoragePolicy": {"allowedPersistenceRegions": ["us-central1"]}, "messageRetentionDuration": "3600s",
            "satisfiesPzs": true, "state": 1, "labels": {"goog-terraform-provisioned": "true"}, "newer": {"field": [1]}}),
        ),
        (
            "pubsub:GetSubscription",
            SUBSCRIPTION,
            json!({
            "pushConfig": {"attributes": {"x-goog-version": "v1"}}, "topicMessageRetentionDuration": "3600s", "state": 1,
            "labels": {"goog-terraform-provisioned": "true"}, "retryPolicy": {"minimumBackoff": "10s"}, "newer": true}),
        ),
        (
            "resourcemanager:GetProject",
            PROJECT,
            json!({
            "parent": "folders/123456789012", "labels": {"env": "prod"}, "tags": {}, "configuredCapabilities": []}),
        ),
        ("storage.json:projects.serviceAccount.get", AGENT, json!({"newer": "x"})),
        ("storage.json:notificationConfigs.list", ENTRIES, json!({"newer": "x"})),
        ("iam:GetIamPolicy", ACCOUNT, json!({"auditConfigs": [{"service": "allServices"}], "newer": []})),
        (
            "storage.json:buckets.get",
            BUCKET,
            json!({
            "lifecycle": {"rule": []}, "satisfiesPZS": true, "autoclass": {"enabled": false}, "newer": {"field": [1]},
            "labels": {"goog-terraform-provisioned": "true"}, "iamConfiguration": {"newer": "x"},
            "softDeletePolicy": {"retentionDurationSeconds": 604_800}, "billing": {"requesterPays": false}}),
        ),
        (
            "storage.json:buckets.getIamPolicy",
            POLICY,
            json!({"kind": "storage#policy", "resourceId": "x", "newer": []}),
        ),
    ] {
        let stage = GCP.applied();
        let hand = stage.hand();
        let mut found = if place == ACCOUNT { policy(&hand, ACCOUNT) } else { hand.send("GET", place, Value::Null) };
        for (key, value) in more.as_object().unwrap() {
            match (found[key].as_object_mut(), value.as_object()) {
                (Some(there), Some(value)) => there.extend(value.clone()),
                _ => found[key] = value.clone(),
            }
        }
        answer(&stage, operation, Nth::Every, 200, &found);
        let drift = GCP.succeed(&stage, &["drift"]);
        assert!(drift.contains("in sync"), "{operation}: {drift}");
    }
}

/// Policies in any order, of deleted accounts and on conditions, and one that nobody wrote.
#[test]
fn policies_in_every_shape_are_read() {
    let stage = GCP.applied();
    let hand = stage.hand();
    for place in [TOPIC, SUBSCRIPTION, ACCOUNT] {
        let mut found = policy(&hand, place);
        let condition = json!({"title": "t", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"});
        found["version"] = json!(3);
        found["bindings"].as_array_mut().unwrap().extend([
            json!({"role": "roles/pubsub.publisher", "members": ["deleted:serviceAccount:old@acme-ml.iam.gserviceaccount.com?uid=1"],
                "condition": condition}),
            json!({"role": "roles/browser", "members": ["principalSet://iam.googleapis.com/locations/global/workforcePools/p/*"]}),
        ]);
        hand.send("POST", &format!("{place}:setIamPolicy"), json!({"policy": found}));
    }
    let drift = GCP.succeed(&stage, &["drift"]);
    assert!(drift.contains("in sync"), "{drift}");
    answer(&stage, "pubsub:GetIamPolicy", Nth::Every, 200, &json!({"etag": "ACAB"}));
    let drift = GCP.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("publisher"), "{drift}");
}

#[test]
fn refusals_are_read_as_what_they_are() {
    let missing = |message: &str| {
        json!({"error": {"code": 404, "message": message, "status": "NOT_FOUND",
            "errors": [{"domain": "global", "message": message, "reason": "notFound"}]}})
    };
    let denied = json!({"error": {"code": 403, "status": "PERMISSION_DENIED",
        "message": "Permission 'iam.serviceAccounts.getIamPolicy' denied on resource (or it may not exist)",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
            "domain": "iam.googleapis.com", "metadata": {"permission": "iam.serviceAccounts.getIamPolicy"}}]}});
    let project = json!({"error": {"code": 403, "message": "The caller does not have permission", "status": "PERMISSION_DENIED"}});
    let anonymous = json!({"error": {"code": 401, "message": "Anonymous caller does not have storage.buckets.get access.",
        "errors": [{"domain": "global", "reason": "required", "locationType": "header", "location": "Authorization"}]}});
    let gaia = "Not found; Gaia id not found for email wandb@acme-ml.iam.gserviceaccount.com";
    for (operation, status, body, code, says) in [
        ("iam:GetIamPolicy", 404, missing("Unknown service account"), 6, "does not exist"),
        ("iam:GetIamPolicy", 404, missing(gaia), 6, "does not exist"),
        ("iam:GetIamPolicy", 403, denied, 1, "gcloud iam service-accounts describe"),
        ("resourcemanager:GetProject", 403, project, 1, "resourcemanager.projects.get"),
        ("storage.json:buckets.get", 401, anonymous, 4, "gcloud auth application-default login"),
    ] {
        let stage = GCP.planned();
        answer(&stage, operation, Nth::Every, status, &body);
        let ran = GCP.ends(&stage, code, &["apply", "--yes"]);
        assert!(ran.contains(says), "{operation} {status}: {ran}");
        assert_eq!(stage.writes(), Vec::<String>::new());
    }
}

/// Both ways of saying that Cloud Storage may not publish yet are waited for; that two overlap is not.
#[test]
fn refusals_of_a_notification_are_told_apart() {
    let topic = "//pubsub.googleapis.com/projects/acme-ml/topics/acme-events";
    let agent = "service-1@gs-project-accounts.iam.gserviceaccount.com";
    let refusal = |status: u16, reason: &str, message: String| json!({"error": {"code": status, "message": message, "errors": [{"domain": "global", "message": message, "reason": reason}]}});
    let denied = refusal(
        403,
        "forbidden",
        format!(
            "The service account '{agent}' does not have permission to publish messages to to \
        the Cloud Pub/Sub topic '{topic}', or that topic does not exist."
        ),
    );
    let invalid = refusal(
        400,
        "invalid",
        format!(
            "Cloud Pub/Sub topic '{topic}' not found, or user '{agent}' does not have \
        permission to it.'"
        ),
    );
    for (status, body) in [(403, denied), (400, invalid)] {
        let stage = GCP.planned();
        answer(&stage, INSERT, Nth::Number(1), status, &body);
        GCP.succeed(&stage, &["apply", "--yes"]);
        assert_eq!(stage.faults().count(INSERT), 2, "{status}");
    }
    let stage = GCP.planned();
    let overlap = "Overlapping notification configurations. New notification prefix and event types overlap with existing \
                   notification config '1' with prefix (all).";
    answer(&stage, INSERT, Nth::Every, 400, &refusal(400, "invalid", overlap.to_owned()));
    let ran = GCP.ends(&stage, 5, &["apply", "--yes"]);
    assert!(ran.contains("Overlapping notification configurations"), "{ran}");
    assert_eq!(stage.faults().count(INSERT), 1);
}
