//! An event subscription of ours that has to be made again, with what others put on it.

use provision_sandbox::fault::{Nth, What, When};
use provision_tests::stage::{Hand, Stage};
use serde_json::json;

use crate::clouds::azure::hand::{ACCOUNT, change_events, end_events, events, furnish};
use crate::clouds::{AZURE, fault};

/// It failed: its queue was not there.
fn failed() -> Stage {
    let stage = AZURE.applied();
    AZURE.edit(&stage, |hand| {
        change_events(hand, |properties| {
            furnish(properties);
            properties["destination"]["properties"]["queueName"] = json!("nowhere");
        });
    });
    assert_eq!(events(&stage.hand())[0]["properties"]["provisioningState"], "Failed");
    stage
}

/// Somebody gave it an end.
fn ending() -> Stage {
    let stage = AZURE.applied();
    AZURE.edit(&stage, end_events);
    stage
}

fn has_what_others_put_on_it(hand: &Hand, point: &str) {
    let found = events(hand);
    assert_eq!(found.len(), 1, "{point}: {found:?}");
    let properties = &found[0]["properties"];
    assert!(properties["labels"].as_array().unwrap().contains(&json!("theirs")), "{point}: {properties}");
    assert_eq!(properties["retryPolicy"]["maxDeliveryAttempts"], 5, "{point}: {properties}");
    assert_eq!(properties["deadLetterDestination"]["endpointType"], "StorageBlob", "{point}: {properties}");
    assert_eq!((&properties["provisioningState"], properties.get("expirationTimeUtc")), (&json!("Succeeded"), None));
}

/// Apply, of which one write is refused.
fn refused(stage: &Stage, operation: &str, nth: usize) {
    fault(stage, operation, Nth::Number(nth), (AZURE.faults.refusal)());
    AZURE.ends(stage, 1, &["apply", "--yes"]);
    stage.faults().clear();
}

/// Writes of one that is made again: the spare, the old one's end, the new one, the spare's end.
const WRITES: [(&str, usize); 4] = [
    ("arm:eventSubscriptions.put", 1),
    ("arm:eventSubscriptions.delete", 1),
    ("arm:eventSubscriptions.put", 2),
    ("arm:eventSubscriptions.delete", 2),
];

#[test]
fn subscription_that_is_made_again_keeps_what_others_put_on_it_wherever_a_run_ends() {
    for make in [failed, ending] {
        let stage = make();
        AZURE.apply(&stage);
        has_what_others_put_on_it(&stage.hand(), "undisturbed");
        AZURE.is_in_sync(&stage);
        for (operation, nth) in WRITES {
            let stage = make();
            refused(&stage, operation, nth);
            let point = format!("{operation} {nth}");
            // What is not over yet is drift, whatever is there.
            let drift = AZURE.ends(&stage, 2, &["drift"]);
            assert!(drift.contains("event subscription `"), "{point}: {drift}");
            AZURE.apply(&stage);
            has_what_others_put_on_it(&stage.hand(), &point);
            AZURE.is_in_sync(&stage);
        }
    }
}

#[test]
fn destroy_takes_the_spare_that_a_stopped_run_left() {
    for (operation, nth) in &WRITES[1..] {
        let stage = failed();
        refused(&stage, operation, *nth);
        AZURE.succeed(&stage, &["destroy", "--yes"]);
        assert_eq!((AZURE.ours)(&stage.hand()), Vec::<String>::new(), "{operation} {nth}");
    }
}

#[test]
fn spare_is_told_by_its_name() {
    let stage = failed();
    refused(&stage, "arm:eventSubscriptions.put", 2);
    let plan = AZURE.succeed(&stage, &["plan"]);
    assert!(plan.contains("delivery.name") && plan.contains("-spare` is left of a run"), "{plan}");
    let stage = failed();
    refused(&stage, "arm:eventSubscriptions.delete", 2);
    let plan = AZURE.succeed(&stage, &["plan"]);
    assert!(plan.contains("delivery.copies") && plan.contains("-spare` is left of a run"), "{plan}");
    let applied = AZURE.succeed(&stage, &["apply", "--yes"]);
    assert!(applied.matches("is left of a run").count() == 1, "{applied}");
    assert!(!AZURE.succeed(&stage, &["plan"]).contains("-spare"));
}

/// The spare takes a while; what others put on the old one meanwhile is there too.
#[test]
fn label_that_others_add_while_it_is_made_again_is_kept() {
    let stage = ending();
    stage.hook("arm:eventSubscriptions.put", 1, When::After, |hand| {
        let old = &events(hand)[0];
        let mut labels = old["properties"]["labels"].clone();
        labels.as_array_mut().unwrap().push(json!("later"));
        hand.send("PATCH", old["id"].as_str().unwrap(), json!({"labels": labels}));
    });
    AZURE.apply(&stage);
    let hand = stage.hand();
    has_what_others_put_on_it(&hand, "changed meanwhile");
    assert!(events(&hand)[0]["properties"]["labels"].as_array().unwrap().contains(&json!("later")));
    AZURE.is_in_sync(&stage);
}

/// What the service does not take as a spare, it would not take as the new one either.
#[test]
fn subscription_stays_where_its_spare_fails() {
    let stage = ending();
    let hand = stage.hand();
    let before = events(&hand);
    let body =
        json!({"status": "Failed", "error": {"code": "Endpoint validation", "message": "It cannot be reached."}});
    let failing = What::Answer { status: 200, headers: Vec::new(), body: body.to_string() };
    fault(&stage, "arm:operations.get", Nth::Number(1), failing);
    let told = AZURE.ends(&stage, 1, &["apply", "--yes"]);
    assert!(told.contains("It cannot be reached"), "{told}");
    assert_eq!(events(&hand)[0], before[0]);
    stage.faults().clear();
    AZURE.apply(&stage);
    has_what_others_put_on_it(&hand, "after a spare that failed");
}

/// One that failed stays so, the spare too: it is made anew.
#[test]
fn spare_that_failed_is_made_anew() {
    let stage = failed();
    let hand = stage.hand();
    let mut spare = events(&hand)[0].clone();
    let name = format!("{}-spare", spare["name"].as_str().unwrap());
    let properties = spare["properties"].as_object_mut().unwrap();
    properties.retain(|key, _| key != "topic" && key != "provisioningState");
    let place = format!("{ACCOUNT}/providers/Microsoft.EventGrid/eventSubscriptions/{name}");
    hand.send("PUT", &place, json!({"properties": properties}));
    assert_eq!(events(&hand)[1]["properties"]["provisioningState"], "Failed");
    stage.faults().clear();
    AZURE.apply(&stage);
    has_what_others_put_on_it(&hand, "a spare that failed");
    AZURE.is_in_sync(&stage);
}

#[test]
fn subscription_that_is_renamed_keeps_what_others_put_on_it() {
    let stage = ending();
    AZURE.change(&stage, &[("[azure.access]", "[azure.events]\nname = \"wandb-blobs\"\n[azure.access]")]);
    AZURE.apply(&stage);
    has_what_others_put_on_it(&stage.hand(), "renamed");
    AZURE.is_in_sync(&stage);
}
