//! Blobs that do not go.

use provision_sandbox::fault::{Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::azure::hand::container;
use crate::clouds::{AZURE, fault};

const DESTROY: &[&str] = &["destroy", "--yes", "--delete-data", "wandb-files"];

fn filled() -> Stage {
    let stage = AZURE.applied();
    (AZURE.fill)(&stage.hand());
    stage.faults().clear();
    stage
}

fn refusing(nth: Nth, status: u16, code: &str) -> Stage {
    let stage = filled();
    let what = What::Error { status, code: code.to_owned(), message: "It is not possible.".to_owned() };
    fault(&stage, "blob:DeleteBlob", nth, what);
    stage
}

#[test]
fn what_holds_a_blob_is_said_at_once() {
    for (status, code, hint) in [
        (412, "LeaseIdMissing", "az storage blob lease break"),
        (409, "BlobImmutableDueToPolicy", "an immutability policy or a legal hold"),
    ] {
        let stage = refusing(Nth::Every, status, code);
        let told = AZURE.ends(&stage, 5, DESTROY);
        assert!(told.contains(code) && told.contains(hint), "{told}");
        assert!(stage.faults().count("blob:DeleteBlob") <= 3, "{told}");
        stage.faults().clear();
        AZURE.succeed(&stage, DESTROY);
    }
}

/// Said before the server's rights are taken away.
#[test]
fn legal_hold_is_met_at_plan() {
    let stage = filled();
    let hold = |action: &str| {
        stage.send("POST", &format!("{}/{action}", container("wandb-files")), json!({"tags": ["case1"]}))
    };
    hold("setLegalHold");
    let told = AZURE.ends(&stage, 6, DESTROY);
    assert!(told.contains("container `wandb-files` has a legal hold"), "{told}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    hold("clearLegalHold");
    AZURE.succeed(&stage, DESTROY);
}

/// The header that a lease is asked for with; one without an end.
fn lease(action: &str) -> Value {
    match action {
        "acquire" => json!({"x-ms-lease-action": action, "x-ms-lease-duration": "-1"}),
        action => json!({"x-ms-lease-action": action}),
    }
}

#[test]
fn leased_blob_is_kept_and_told_until_the_lease_is_broken() {
    let stage = filled();
    let hand = stage.hand();
    let blob = "blob:/acmefiles/wandb-files/b";
    hand.send("PUT", &format!("{blob}?comp=lease"), lease("acquire"));
    // The first run has taken the writers' access away.
    for code in [5, 6] {
        let told = AZURE.ends(&stage, code, DESTROY);
        assert!(told.contains("LeaseIdMissing") && told.contains("az storage blob lease break"), "{told}");
        assert_eq!(hand.send("GET", blob, Value::Null), json!("content"));
        assert!((AZURE.ours)(&hand).contains(&"container wandb-files".to_owned()));
    }
    hand.send("PUT", &format!("{blob}?comp=lease"), lease("break"));
    AZURE.succeed(&stage, DESTROY);
    assert_eq!((AZURE.ours)(&hand), Vec::<String>::new());
}

/// Said before the server's rights are taken away.
#[test]
fn leased_container_is_met_at_plan() {
    let stage = AZURE.applied();
    let lease = |body: Value| stage.send("POST", &format!("{}/lease", container("wandb-files")), body);
    lease(json!({"action": "Acquire", "leaseDuration": -1}));
    stage.faults().clear();
    let told = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(told.contains("container `wandb-files` is leased") && told.contains("lease break"), "{told}");
    assert_eq!(stage.writes(), Vec::<String>::new());
    lease(json!({"action": "Break"}));
    AZURE.succeed(&stage, &["destroy", "--yes"]);
}

#[test]
fn container_that_is_leased_after_the_plan_is_kept_and_told() {
    let stage = AZURE.applied();
    stage.hook("arm:containers.delete", 1, When::Before, |hand| {
        let body = json!({"action": "Acquire", "leaseDuration": -1});
        hand.send("POST", &format!("{}/lease", container("wandb-files")), body);
    });
    let told = AZURE.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(told.contains("LeaseIdMissing") && told.contains("az storage container lease break"), "{told}");
    let hand = stage.hand();
    assert!((AZURE.ours)(&hand).contains(&"container wandb-files".to_owned()));
    hand.send("POST", &format!("{}/lease", container("wandb-files")), json!({"action": "Break"}));
    stage.faults().clear();
    AZURE.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((AZURE.ours)(&hand), Vec::<String>::new());
}

/// On an account with a hierarchical namespace a directory is listed before what is in it.
#[test]
fn directory_goes_after_what_is_in_it() {
    let stage = refusing(Nth::Number(1), 409, "DirectoryIsNotEmpty");
    AZURE.succeed(&stage, DESTROY);
    assert_eq!((AZURE.ours)(&stage.hand()), Vec::<String>::new());
}

#[test]
fn emptying_that_makes_no_progress_ends() {
    let stage = refusing(Nth::Every, 404, "BlobNotFound");
    let told = AZURE.ends(&stage, 5, DESTROY);
    assert!(told.contains("3 blobs are listed in it, and none of them could be deleted"), "{told}");
}
