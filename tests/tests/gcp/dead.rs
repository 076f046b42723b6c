//! Others' dead things, and settings of theirs from which the server would hear nothing.

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::GCP;
use crate::clouds::gcp::hand::{ACCOUNT, BUCKET, POLICY, SUBSCRIPTION, TOPIC, policy};

/// What is there already, made by others, and is to be adopted; their subscription has these settings.
fn adoptable(settings: &Value) -> Stage {
    let stage = GCP.planned();
    let hand = stage.hand();
    (GCP.foreign.unmarked)(&hand);
    let mut body = json!({"topic": TOPIC.trim_start_matches("/v1/")});
    body.as_object_mut().unwrap().extend(settings.as_object().cloned().unwrap());
    hand.send("DELETE", SUBSCRIPTION, Value::Null);
    hand.send("PUT", SUBSCRIPTION, body);
    GCP.change(&stage, GCP.plans.adopting);
    stage.faults().clear();
    stage
}

#[test]
fn account_that_was_deleted_stops_no_destroy() {
    let stage = GCP.applied();
    let hand = stage.hand();
    hand.send("DELETE", ACCOUNT, Value::Null);
    let plan = GCP.ends(&stage, 1, &["plan"]);
    assert!(plan.contains("exists") && plan.contains("iam.serviceAccounts.getIamPolicy"), "{plan}");
    let destroyed = GCP.succeed(&stage, &["destroy", "--yes"]);
    assert!(destroyed.contains("does not exist any more, or may not be looked at"), "{destroyed}");
    for place in [BUCKET, TOPIC, SUBSCRIPTION] {
        assert_eq!(hand.ask("GET", place, &Value::Null).0, 404, "{place}");
    }
}

/// A policy that was read before an account in it was deleted, and made anew, is read again.
#[test]
fn policy_with_a_deleted_member_is_read_again() {
    let stage = GCP.planned();
    let message =
        "Inconsistent representation of deleted member: 'deleted:serviceAccount:a@p?uid=1' and 'serviceAccount:a@p'";
    for (operation, code) in
        [("storage.json:buckets.setIamPolicy", "invalid"), ("pubsub:SetIamPolicy", "INVALID_ARGUMENT")]
    {
        let what = What::Error { status: 400, code: code.to_owned(), message: message.to_owned() };
        stage.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Number(1), at: When::Before, what });
    }
    GCP.apply(&stage);
    GCP.is_in_sync(&stage);
}

#[test]
fn subscription_of_others_that_nobody_can_pull_all_from_is_refused_by_what_it_is() {
    for (settings, says) in [
        (json!({"pushConfig": {"pushEndpoint": "https://push.example.com"}}), "pushed to https://push.example.com"),
        (json!({"filter": "attributes.eventType = \"OBJECT_DELETE\""}), "filtered by"),
        (json!({"bigqueryConfig": {"table": "p.d.t"}}), "written to BigQuery"),
    ] {
        let stage = adoptable(&settings);
        let refused = GCP.ends(&stage, 6, &["apply", "--yes"]);
        assert!(refused.contains(says) && refused.contains("would not hear of new files"), "{refused}");
        assert_eq!(stage.writes(), Vec::<String>::new());
    }
}

/// Detached, it gets no message any more, for good: ours is made again.
#[test]
fn detached_subscription_of_ours_is_drift() {
    let stage = GCP.applied();
    stage.send("POST", &format!("{SUBSCRIPTION}:detach"), json!({}));
    let drift = GCP.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("delivery") && drift.contains("detached"), "{drift}");
    GCP.apply(&stage);
    GCP.is_in_sync(&stage);
    (GCP.upload)(&stage.hand(), "a");
    assert_eq!((GCP.messages)(&stage.hand()).len(), 1);
}

/// What becomes of messages that nobody acknowledges is theirs to say.
#[test]
fn settings_of_others_that_are_not_managed_survive() {
    let dead = json!({"deadLetterTopic": TOPIC.trim_start_matches("/v1/"), "maxDeliveryAttempts": 7});
    let retry = json!({"minimumBackoff": "10s", "maximumBackoff": "60s"});
    let stage = adoptable(&json!({"deadLetterPolicy": dead, "retryPolicy": retry, "enableExactlyOnceDelivery": true}));
    let hand = stage.hand();
    let survive = || {
        let found = hand.send("GET", SUBSCRIPTION, Value::Null);
        assert_eq!((&found["deadLetterPolicy"], &found["retryPolicy"]), (&dead, &retry));
        assert_eq!(found["enableExactlyOnceDelivery"], true);
    };
    GCP.apply(&stage);
    survive();
    GCP.is_in_sync(&stage);
    GCP.succeed(&stage, &["destroy", "--yes"]);
    survive();
}

#[test]
fn bucket_that_lets_everybody_in_is_not_made_private_unasked() {
    let stage = adoptable(&json!({}));
    let hand = stage.hand();
    assert!(stage.read("provision.toml").contains("private = true"));
    let mut found = policy(&hand, POLICY);
    let everybody = json!({"role": "roles/storage.legacyObjectReader", "members": ["allUsers"]});
    found["bindings"].as_array_mut().unwrap().push(everybody);
    hand.send("PUT", POLICY, found);
    stage.faults().clear();
    let refused = GCP.ends(&stage, 6, &["apply", "--yes"]);
    assert!(refused.contains("roles/storage.legacyObjectReader for allUsers"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// Whoever opened the topic or the subscription to everybody is told so at each look, with what takes it out.
#[test]
fn topic_and_subscription_that_others_opened_to_everybody_are_warned_about() {
    let stage = GCP.applied();
    let hand = stage.hand();
    for (place, role) in [(TOPIC, "roles/pubsub.publisher"), (SUBSCRIPTION, "roles/pubsub.subscriber")] {
        let mut found = hand.send("GET", &format!("{place}:getIamPolicy"), Value::Null);
        let mut bindings = found["bindings"].as_array().cloned().unwrap_or_default();
        bindings.push(json!({"role": role, "members": ["allUsers"]}));
        found["bindings"] = json!(bindings);
        hand.send("POST", &format!("{place}:setIamPolicy"), json!({ "policy": found }));
    }
    for command in ["plan", "verify"] {
        let printed = GCP.ends(&stage, 0, &[command]);
        for said in [
            "topic `acme-events` is open to everybody: `allUsers` may publish to it",
            "subscription `acme-server` is open to everybody: `allUsers` may take its messages",
            "gcloud pubsub subscriptions remove-iam-policy-binding projects/acme-ml/subscriptions/acme-server --member=allUsers",
        ] {
            assert!(printed.contains(said), "{command}: {said}: {printed}");
        }
    }
}

/// Whoever opened the bucket to everybody is told so at each look, unless public access is prevented.
#[test]
fn adopted_bucket_that_is_open_to_everybody_is_warned_about() {
    let stage = adoptable(&json!({}));
    let hand = stage.hand();
    let plan = stage.read("provision.toml").replace("private = true\n", "");
    stage.write("provision.toml", &plan);
    let mut found = policy(&hand, POLICY);
    let everybody = json!({"role": "roles/storage.objectViewer", "members": ["allUsers"]});
    found["bindings"].as_array_mut().unwrap().push(everybody);
    hand.send("PUT", POLICY, found);
    let says =
        "bucket `acme-files` is open to everybody, unless the organization prevents it: `allUsers` may read its files";
    assert!(tells(&stage, &["plan"], says));
    GCP.apply(&stage);
    let looks: [&[&str]; 2] = [&["plan"], &["verify", "--read-only"]];
    assert_eq!(looks.map(|look| tells(&stage, look, says)), [true; 2]);
    // The mark says that it was adopted, whatever the plan file says.
    stage.write("provision.toml", &plan.replace("\"acme-files\"\nadopt = true\n", "\"acme-files\"\n"));
    assert_eq!(looks.map(|look| tells(&stage, look, says)), [true; 2]);
    hand.send("PATCH", BUCKET, json!({"iamConfiguration": {"publicAccessPrevention": "enforced"}}));
    assert_eq!(looks.map(|look| tells(&stage, look, "open to everybody")), [false; 2]);
}

/// A subscription of others that goes by itself when nobody pulls is told at each look, with what keeps it.
#[test]
fn adopted_subscription_that_expires_is_warned_about() {
    let stage = adoptable(&json!({"expirationPolicy": {"ttl": "2678400s"}}));
    let says = "subscription `acme-server` expires";
    assert!(tells(&stage, &["plan"], says));
    GCP.apply(&stage);
    let looks: [&[&str]; 2] = [&["plan"], &["verify", "--read-only"]];
    assert_eq!(looks.map(|look| tells(&stage, look, says)), [true; 2]);
    let never = json!({"subscription": {"name": SUBSCRIPTION.trim_start_matches("/v1/"), "expirationPolicy": {}},
        "updateMask": "expirationPolicy"});
    stage.send("PATCH", SUBSCRIPTION, never);
    assert_eq!(looks.map(|look| tells(&stage, look, says)), [false; 2]);
}

/// Whether a look says this, however it ends.
fn tells(stage: &Stage, look: &[&str], says: &str) -> bool {
    let ran = GCP.run(stage, look);
    format!("{}{}", ran.stdout, ran.stderr).contains(says)
}

/// A proxy that refuses, or knows nothing, speaks for no service: nothing is taken for another's, or for gone.
#[test]
fn refusals_of_something_in_between_decide_nothing() {
    for (operation, status) in [
        ("storage.json:buckets.get", 403),
        ("storage.json:buckets.get", 404),
        ("pubsub:GetTopic", 404),
        ("pubsub:GetSubscription", 404),
        ("storage.json:notificationConfigs.list", 404),
        ("iam:GetIamPolicy", 403),
        ("iam:GetIamPolicy", 404),
    ] {
        let stage = GCP.applied();
        let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        let what = What::Answer { status, headers, body: "<html>blocked</html>".to_owned() };
        let operation = operation.to_owned();
        let (nth, at) = (Nth::Every, When::Before);
        stage.faults().fault(Fault { operation: operation.clone(), nth, at, what });
        for command in [&["drift"][..], &["destroy", "--yes"]] {
            let ran = GCP.run(&stage, command);
            assert_eq!(ran.code, 1, "{operation} {status} {command:?}: {}{}", ran.stdout, ran.stderr);
        }
        assert_eq!(stage.writes(), Vec::<String>::new(), "{operation} {status}");
    }
}
