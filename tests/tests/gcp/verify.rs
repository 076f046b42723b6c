//! A proof beside the server's subscription and those of others, and by whose signature.

use std::time::Duration;

use provision_core::digest;
use provision_sandbox::fault::{Nth, What, When};
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

use crate::clouds::gcp::hand::{ACCOUNT, SUBSCRIPTION, list};
use crate::clouds::{GCP, fault};

const SUBSCRIPTIONS: &str = "/v1/projects/acme-ml/subscriptions";

/// A hop of a proof that ends with a code.
fn hop(stage: &Stage, id: &str, code: i32, arguments: &[&str]) -> Value {
    let printed = GCP.ends(stage, code, &[&["verify", "--json", "--wait", "20"], arguments].concat());
    let named = format!("\"id\":\"{id}\"");
    let line = printed.lines().find(|line| line.contains("\"type\":\"hop_done\"") && line.contains(&named));
    line.map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
}

fn left(stage: &Stage) -> Vec<String> {
    (GCP.proof.unwrap().left)(&stage.hand())
}

fn owner(deployment: &str) -> String {
    digest::short(deployment, 12)
}

/// A subscription to our topic, as a run makes one that says this of itself.
fn subscribe(hand: &Hand, name: &str, says: Option<&str>) {
    let labels = says.map_or(json!({}), |says| json!({ "provision-probe": says }));
    let body = json!({"topic": "projects/acme-ml/topics/acme-events", "labels": labels});
    hand.send("PUT", &format!("{SUBSCRIPTIONS}/{name}"), body);
}

/// One that a killed run left goes; none of others does, however alike.
#[test]
fn subscriptions_of_others_are_there_afterwards() {
    let stage = GCP.applied();
    let (hand, ours, theirs) = (stage.hand(), owner("wandb-prod"), owner("wandb-prod-2"));
    let name = |owner: &str, number: &str| format!("provision-verify-{owner}-{number}");
    let kept = [
        (name(&theirs, "0123456789abcdef"), Some(theirs.as_str())),
        (name(&ours, "0123456789abcdef"), None),
        (name(&ours, "1123456789abcdef"), Some(theirs.as_str())),
        (name(&ours, "x"), Some(ours.as_str())),
        ("theirs".to_owned(), Some(ours.as_str())),
    ];
    kept.iter().for_each(|(name, says)| subscribe(&hand, name, *says));
    subscribe(&hand, &name(&ours, "2123456789abcdef"), Some(&ours));
    stage.faults().clear();
    GCP.succeed(&stage, &["verify", "--strict"]);
    let mut expected: Vec<_> =
        kept.iter().map(|(name, _)| format!("subscription projects/acme-ml/subscriptions/{name}")).collect();
    let mut found = left(&stage);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// What hears is told apart, hears of probes alone, and does not outlast a day.
#[test]
fn subscription_that_hears_is_marked_and_goes_by_itself() {
    let stage = GCP.applied();
    stage.hook("storage.xml:PutObject", 1, When::Before, |hand| {
        let listed = list(&hand.send("GET", SUBSCRIPTIONS, Value::Null)["subscriptions"]);
        let [ears] =
            listed.iter().filter(|found| found["labels"]["provision-probe"].is_string()).collect::<Vec<_>>()[..]
        else {
            panic!("{listed:?}")
        };
        let owner = owner("wandb-prod");
        assert_eq!(ears["labels"], json!({ "provision-probe": owner }));
        assert_eq!(ears["expirationPolicy"]["ttl"], "86400s");
        assert_eq!(ears["filter"], format!("hasPrefix(attributes.objectId, \"provision-verify/{owner}-\")"));
    });
    GCP.succeed(&stage, &["verify", "--strict"]);
    assert_eq!(left(&stage), Vec::<String>::new());
}

/// The server gets its own copy of everything, of the probe too.
#[test]
fn server_s_subscription_is_not_touched() {
    let stage = GCP.applied();
    (GCP.upload)(&stage.hand(), "run%2F1");
    stage.faults().clear();
    GCP.succeed(&stage, &["verify", "--strict"]);
    let calls = stage.calls();
    let of_server = |operation: &str| {
        calls.iter().filter(|call| call.operation == operation && call.path.contains("acme-server")).count()
    };
    assert_eq!(["pubsub:Pull", "pubsub:Acknowledge", "pubsub:ModifyAckDeadline"].map(of_server), [0, 0, 0]);
    let heard = (GCP.messages)(&stage.hand());
    assert!(heard.len() == 2 && heard[0].contains("run/1") && heard[1].contains("provision-verify/"), "{heard:?}");
}

/// What is not shown yet could not be removed: it is waited for before anything is uploaded.
#[test]
fn subscription_that_is_shown_late_is_waited_for() {
    let stage = GCP.applied();
    stage.faults().set_propagation("pubsub.subscriptions", Duration::from_secs(5));
    GCP.succeed(&stage, &["verify", "--strict", "--wait", "600"]);
    assert_eq!(left(&stage), Vec::<String>::new());
}

/// What a killed run left is in nobody's way.
#[test]
fn topic_with_what_a_killed_run_left_is_deleted() {
    let stage = GCP.applied();
    let owner = owner("wandb-prod");
    subscribe(&stage.hand(), &format!("provision-verify-{owner}-0123456789abcdef"), Some(&owner));
    stage.faults().clear();
    GCP.succeed(&stage, &["destroy", "--yes"]);
}

/// Owners may not sign as the server either: the right is named, with the role that has it.
#[test]
fn without_the_right_to_sign_nothing_is_uploaded() {
    let stage = GCP.applied();
    let rights = GCP.succeed(&stage, &["permissions", "--for", "verify"]);
    assert!(rights.contains("iam.serviceAccounts.signBlob"), "{rights}");
    stage.sandbox().attach(&rights.replace("iam.serviceAccounts.signBlob", "iam.serviceAccounts.get")).unwrap();
    let files = hop(&stage, "files", 0, &[]);
    assert_eq!(files["verdict"], "not_proven", "{files}");
    let reason = files["reason"].as_str().unwrap();
    for named in ["roles/iam.serviceAccountTokenCreator", "iam.serviceAccounts.signBlob", "wandb@acme-ml"] {
        assert!(reason.contains(named), "{reason}");
    }
    assert_eq!(stage.faults().begun("storage.xml:PutObject"), 0);
    assert_eq!(left(&stage), Vec::<String>::new());
    GCP.ends(&stage, 2, &["verify", "--strict"]);
    // Given by hand, as it is said.
    stage.sandbox().attach(&rights).unwrap();
    let files = hop(&stage, "files", 0, &[]);
    assert_eq!(files["verdict"], "passed", "{files}");
}

/// An account whose right on itself somebody took away: the server could not sign either, and apply mends it.
#[test]
fn account_that_may_not_sign_as_itself_is_told() {
    let stage = GCP.applied();
    stage.send("POST", &format!("{ACCOUNT}:setIamPolicy"), json!({"policy": {"bindings": []}}));
    let rights = hop(&stage, "rights", 2, &[]);
    assert!(rights["reason"].as_str().unwrap().contains("account_grants"), "{rights}");
    assert_eq!(left(&stage), Vec::<String>::new());
    assert_eq!(rights["mend"], "provision gcp apply provision.toml", "{rights}");
    GCP.apply(&stage);
    GCP.succeed(&stage, &["verify", "--strict"]);
}

/// The plan file does not say whom the server runs as, and we have no key.
#[test]
fn without_anybody_who_signs_nothing_is_uploaded() {
    let stage = GCP.planned();
    let access = "[gcp.access]\nservice_account = \"wandb@acme-ml.iam.gserviceaccount.com\"\n";
    GCP.change(&stage, &[(access, "")]);
    GCP.apply(&stage);
    stage.faults().clear();
    let files = hop(&stage, "files", 0, &[]);
    assert!(files["verdict"] == "not_proven" && files["reason"].as_str().unwrap().contains("[gcp.access]"), "{files}");
    assert_eq!(stage.faults().begun("storage.xml:PutObject"), 0);
    assert_eq!(left(&stage), Vec::<String>::new());
    GCP.ends(&stage, 2, &["verify", "--strict"]);
}

/// A filter of somebody else's keeps the server from hearing what we would hear.
#[test]
fn server_that_does_not_hear_is_told() {
    let stage = GCP.applied();
    let hand = stage.hand();
    let labels = hand.send("GET", SUBSCRIPTION, Value::Null)["labels"].clone();
    hand.send("DELETE", SUBSCRIPTION, Value::Null);
    let topic = "projects/acme-ml/topics/acme-events";
    hand.send("PUT", SUBSCRIPTION, json!({"topic": topic, "labels": labels, "filter": "attributes:theirs"}));
    stage.faults().clear();
    let printed = GCP.ends(&stage, 2, &["verify", "--wait", "20"]);
    assert!(printed.contains("  failed  ") && printed.contains("filtered by `attributes:theirs`"), "{printed}");
    assert_eq!(left(&stage), Vec::<String>::new());
    // A filter stays for good: another subscription, as it is said.
    let mends = "choose another `name` under [gcp.subscription]; then provision gcp apply provision.toml";
    assert!(printed.contains(mends), "{printed}");
    GCP.change(&stage, &[("\"acme-server\"", "\"acme-server-2\"")]);
    GCP.apply(&stage);
    let event = hop(&stage, "event", 0, &[]);
    assert_eq!(event["verdict"], "passed", "{event}");
}

/// What could not be removed again is not uploaded, and the subscription that was made for it goes.
#[test]
fn nothing_is_uploaded_where_the_right_to_remove_it_is_missing() {
    let stage = GCP.applied();
    let denied = "does not have storage.objects.list access to the Google Cloud Storage bucket.";
    let (code, message) = ("forbidden".to_owned(), denied.to_owned());
    fault(&stage, "storage.json:objects.list", Nth::Every, What::Error { status: 403, code, message });
    let printed = GCP.ends(&stage, 0, &["verify"]);
    assert!(printed.contains("nothing is uploaded, since it could not be removed again"), "{printed}");
    assert!(printed.contains("storage.objects.list"), "{printed}");
    let begun = ["pubsub:CreateSubscription", "pubsub:DeleteSubscription", "storage.xml:PutObject"];
    assert_eq!(begun.map(|operation| stage.faults().begun(operation)), [1, 1, 0]);
    GCP.ends(&stage, 2, &["verify", "--strict"]);
}

/// Somebody removes the subscription in which we hear: that is said, and the probe goes.
#[test]
fn subscription_that_is_removed_meanwhile_is_told() {
    let stage = GCP.applied();
    stage.hook("storage.xml:GetObject", 1, When::After, |hand| {
        let listed = list(&hand.send("GET", SUBSCRIPTIONS, Value::Null)["subscriptions"]);
        for found in listed.iter().filter(|found| found["labels"]["provision-probe"].is_string()) {
            hand.send("DELETE", &format!("/v1/{}", found["name"].as_str().unwrap()), Value::Null);
        }
    });
    let event = hop(&stage, "event", 0, &[]);
    assert!(event["reason"].as_str().unwrap().contains("was removed meanwhile"), "{event}");
    assert_eq!(left(&stage), Vec::<String>::new());
}
