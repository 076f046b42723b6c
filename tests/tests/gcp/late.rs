//! What Pub/Sub does not show yet, still lists, or has lost.

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

use crate::clouds::GCP;
use crate::clouds::gcp::hand::{SUBSCRIPTION, TOPIC, policy, set_policy};

const MEMBER: &str = "user:theirs@example.com";
const SPARE: &str = "/v1/projects/acme-ml/subscriptions/acme-server-provision-spare";

/// The last step of making a subscription again.
const LAST: &str = "pubsub:DeleteSubscription 2";

/// A label and a member of others on our subscription, whose topic somebody deleted.
fn without_its_topic() -> Stage {
    let stage = GCP.applied();
    let hand = stage.hand();
    let mut labels = hand.send("GET", SUBSCRIPTION, Value::Null)["labels"].clone();
    labels["theirs"] = json!("x");
    let subscription = json!({"name": SUBSCRIPTION.trim_start_matches("/v1/"), "labels": labels});
    hand.send("PATCH", SUBSCRIPTION, json!({"subscription": subscription, "updateMask": "labels"}));
    let mut found = policy(&hand, SUBSCRIPTION);
    found["bindings"].as_array_mut().unwrap().push(json!({"role": "roles/pubsub.editor", "members": [MEMBER]}));
    set_policy(&hand, SUBSCRIPTION, found);
    hand.send("DELETE", TOPIC, Value::Null);
    stage.faults().clear();
    stage
}

fn has_what_others_put_on_it(hand: &Hand, point: &str) {
    let found = hand.send("GET", SUBSCRIPTION, Value::Null);
    assert_eq!(
        (&found["topic"], &found["labels"]["theirs"]),
        (&json!(TOPIC.trim_start_matches("/v1/")), &json!("x")),
        "{point}"
    );
    let bindings = policy(hand, SUBSCRIPTION)["bindings"].to_string();
    assert!(bindings.contains(MEMBER), "{point}: {bindings}");
    assert_eq!(hand.ask("GET", SPARE, &Value::Null).0, 404, "{point}");
}

fn refused(stage: &Stage, operation: &str, nth: usize) {
    let what = What::Error { status: 403, code: "PERMISSION_DENIED".to_owned(), message: "denied".to_owned() };
    let (operation, nth) = (operation.to_owned(), Nth::Number(nth));
    stage.faults().fault(Fault { operation, nth, at: When::Before, what });
}

/// It is made again, since it cannot be attached to another topic: a run that ends between two of the steps leaves nothing of
/// others' behind.
#[test]
fn subscription_that_lost_its_topic_keeps_what_others_put_on_it_wherever_a_run_ends() {
    let stage = without_its_topic();
    GCP.apply(&stage);
    has_what_others_put_on_it(&stage.hand(), "undisturbed");
    GCP.is_in_sync(&stage);
    for (operation, most) in
        [("pubsub:CreateSubscription", 2), ("pubsub:SetIamPolicy", 3), ("pubsub:DeleteSubscription", 2)]
    {
        for nth in 1..=most {
            let stage = without_its_topic();
            refused(&stage, operation, nth);
            let point = format!("{operation} {nth}");
            GCP.ends(&stage, 5, &["apply", "--yes"]);
            stage.faults().clear();
            if point == LAST {
                // All is back but for the spare.
                let drift = GCP.ends(&stage, 2, &["drift"]);
                assert!(drift.contains("spare.left") && drift.contains("acme-server-provision-spare"), "{drift}");
                assert!(!drift.contains("orphan"), "{drift}");
            }
            GCP.apply(&stage);
            has_what_others_put_on_it(&stage.hand(), &point);
            GCP.is_in_sync(&stage);
        }
    }
}

#[test]
fn spare_that_a_run_left_goes_with_its_subscription() {
    let stage = without_its_topic();
    let (operation, nth) = LAST.split_once(' ').unwrap();
    refused(&stage, operation, nth.parse().unwrap());
    GCP.ends(&stage, 5, &["apply", "--yes"]);
    stage.faults().clear();
    GCP.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(stage.hand().ask("GET", SPARE, &Value::Null).0, 404);
    assert_eq!((GCP.ours)(&stage.hand()), Vec::<String>::new());
}

#[test]
fn what_is_made_is_seen_two_seconds_late() {
    let stage = GCP.planned();
    for what in ["pubsub.topics", "pubsub.subscriptions"] {
        stage.faults().set_propagation(what, Duration::from_secs(2));
    }
    GCP.apply(&stage);
    GCP.is_in_sync(&stage);
    assert_eq!((GCP.ours)(&stage.hand()), GCP.applied);
}

/// A list that still shows what is gone says nothing of what there is.
#[test]
fn orphans_that_are_gone_and_still_listed_are_no_orphans() {
    let stage = GCP.applied();
    stage.faults().set_propagation("pubsub.lists", Duration::from_secs(600));
    GCP.change(&stage, GCP.plans.queue_renamed.0);
    GCP.succeed(&stage, &["apply", "--yes", "--orphans"]);
    GCP.is_in_sync(&stage);
    stage.faults().clear();
    let destroyed = GCP.succeed(&stage, &["destroy", "--yes", "--orphans"]);
    assert!(!destroyed.contains("acme-server"), "{destroyed}");
    let again = GCP.succeed(&stage, &["destroy", "--yes"]);
    assert!(again.contains("Nothing to destroy"), "{again}");
}

/// A run is killed right after it made the subscription: the destroy that follows at once finds it, though it is not shown yet.
#[test]
fn what_a_killed_run_made_a_moment_ago_is_destroyed() {
    let stage = GCP.planned();
    let hand = stage.hand();
    stage.faults().set_propagation("pubsub.topics", Duration::ZERO);
    stage.faults().set_propagation("pubsub.subscriptions", Duration::from_millis(1500));
    let mut child = stage.spawn(&["gcp", "apply", "--yes"], |_| {});
    while stage.faults().count("pubsub:CreateSubscription") == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    GCP.succeed(&stage, &["destroy", "--yes"]);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(hand.ask("GET", SUBSCRIPTION, &Value::Null).0, 404);
    assert_eq!((GCP.ours)(&hand), Vec::<String>::new());
}

/// The policy of what this run made is written only as long as nobody else wrote it.
#[test]
fn member_that_others_add_to_a_new_topic_stays() {
    let stage = GCP.planned();
    stage.hook("pubsub:SetIamPolicy", 1, When::Before, |hand| {
        let theirs = json!({"bindings": [{"role": "roles/pubsub.viewer", "members": [MEMBER]}]});
        for place in [TOPIC, SUBSCRIPTION] {
            while hand.ask("POST", &format!("{place}:setIamPolicy"), &json!({"policy": theirs})).0 == 404 {}
        }
    });
    GCP.apply(&stage);
    for place in [TOPIC, SUBSCRIPTION] {
        let bindings = policy(&stage.hand(), place)["bindings"].to_string();
        assert!(bindings.contains(MEMBER), "{place}: {bindings}");
    }
    GCP.is_in_sync(&stage);
}

/// Made between the look at it and that at what the list shows, it is looked at again: one of the first two is the look at it.
#[test]
fn subscription_that_comes_between_the_look_and_the_list_is_seen() {
    for look in 1..=2 {
        let stage = GCP.applied();
        stage.faults().clear();
        let message = "Resource not found (resource=acme-server).".to_owned();
        let what = What::Error { status: 404, code: "NOT_FOUND".to_owned(), message };
        let (operation, nth) = ("pubsub:GetSubscription".to_owned(), Nth::Number(look));
        stage.faults().fault(Fault { operation, nth, at: When::Before, what });
        let drift = GCP.succeed(&stage, &["drift"]);
        assert!(drift.contains("in sync"), "look {look}: {drift}");
    }
}

/// What a destroy takes away between the look at a subscription and the write of its labels is gone, whoever did it, and no mistake of
/// this run's.
#[test]
fn subscription_that_goes_before_its_labels_are_written_was_taken_away_meanwhile() {
    let stage = GCP.applied();
    let host = "host = \"https://wandb.example.com\"";
    GCP.change(&stage, &[(host, &format!("{host}\ntags = {{ team = \"ml\" }}"))]);
    stage.hook("pubsub:UpdateSubscription", 1, When::Before, |hand| {
        hand.send("DELETE", SUBSCRIPTION, Value::Null);
    });
    let printed = GCP.ends(&stage, 3, &["apply", "--yes"]);
    assert!(printed.contains("subscription `acme-server` is gone"), "{printed}");
    GCP.apply(&stage);
    GCP.is_in_sync(&stage);
}
