//! A service that shows late what was made and what is gone, as the real one does.

use std::time::Duration;

use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::AZURE;
use crate::clouds::azure::hand::{ACCOUNT, GROUP, assignments};

fn delayed(stage: &Stage, delays: &[(&str, u64)]) {
    for (what, milliseconds) in delays {
        stage.faults().set_propagation(what, Duration::from_millis(*milliseconds));
    }
}

#[test]
fn whole_life_on_a_service_that_is_late_with_everything() {
    let stage = AZURE.planned();
    let (new, gone) = (2_000, 20_000);
    delayed(&stage, &[("newResourceGroups", new), ("storageAccounts", new), ("blobServices", new)]);
    delayed(&stage, &[("eventSubscriptions", new), ("lists", gone), ("resources", gone), ("queues", 5_000)]);
    delayed(&stage, &[("assignments", gone)]);
    for _ in 0..2 {
        AZURE.apply(&stage);
        AZURE.is_in_sync(&stage);
        assert_eq!((AZURE.ours)(&stage.hand()), AZURE.applied);
        AZURE.succeed(&stage, &["destroy", "--yes"]);
        // The hand sees of assignments what is listed.
        let left = (AZURE.ours)(&stage.hand()).into_iter().filter(|left| left != "assignment");
        assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
        assert_eq!(stage.hand().ask("GET", GROUP, &Value::Null).0, 404);
    }
}

/// The destroy before was killed right after it began to delete the group.
#[test]
fn group_that_is_being_deleted_is_waited_for_and_made_again() {
    let stage = AZURE.applied();
    delayed(&stage, &[("resourceGroups", 3_000)]);
    let hand = stage.hand();
    std::thread::scope(|scope| {
        let deleting = scope.spawn(|| hand.ask("DELETE", GROUP, &Value::Null));
        crate::contract::faults::wait_for_start(&stage, "arm:resourceGroups.delete");
        AZURE.succeed(&stage, &["apply", "--yes"]);
        deleting.join().unwrap();
    });
    AZURE.is_in_sync(&stage);
    assert_eq!((AZURE.ours)(&stage.hand()), AZURE.applied);
}

/// A list is not asked whether something is there.
#[test]
fn assignment_that_is_gone_is_missed_although_it_is_listed() {
    let stage = AZURE.applied();
    delayed(&stage, &[("assignments", 600_000)]);
    let hand = stage.hand();
    let listed = assignments(&hand);
    hand.send("DELETE", listed[0]["id"].as_str().unwrap(), Value::Null);
    assert_eq!(assignments(&hand).len(), listed.len());
    let drift = AZURE.ends(&stage, 2, &["drift"]);
    assert!(drift.contains("roles."), "{drift}");
    AZURE.apply(&stage);
    AZURE.is_in_sync(&stage);
    hand.send("GET", listed[0]["id"].as_str().unwrap(), Value::Null);
}

/// What the list of a group still has is looked at by itself before it counts as somebody else's.
#[test]
fn group_is_deleted_although_it_lists_what_is_gone() {
    let stage = AZURE.applied();
    delayed(&stage, &[("resources", 600_000)]);
    AZURE.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(stage.hand().ask("GET", ACCOUNT, &Value::Null).0, 404);
    assert_eq!(stage.hand().ask("GET", GROUP, &Value::Null).0, 404);
}
