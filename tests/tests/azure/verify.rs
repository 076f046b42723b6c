//! A proof beside other readers of the queue, and with whichever keys and rights there are.

use provision_sandbox::fault::{Nth, What, When};
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

use crate::clouds::azure::hand::{container, patch};
use crate::clouds::azure::proof::{PROOF, Seen, keep_versions, messages, owner_of, probe_of, put_message, shown};
use crate::clouds::{AZURE, AZURE_WITH_DATA, fault};
use crate::contract::preflight::{attach, document, without};

/// The hop of the event in a proof that ends with a code.
fn event(stage: &Stage, code: i32, arguments: &[&str]) -> Value {
    let printed = AZURE.ends(stage, code, &[&["verify", "--json", "--wait", "20"], arguments].concat());
    let line = printed.lines().find(|line| line.contains("\"type\":\"hop_done\"") && line.contains("\"id\":\"event\""));
    line.map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
}

fn left(stage: &Stage) -> Vec<String> {
    (PROOF.left)(&stage.hand())
}

fn uploads(stage: &Stage) -> usize {
    stage.faults().begun("blob:PutBlob")
}

/// The server's identity is not named: it has the account's key, and so has the proof. No role for data is needed.
fn without_access() -> Stage {
    let stage = AZURE.planned();
    let (plan, _) = AZURE.plans.whole.split_once("[azure.access]").unwrap();
    stage.write("provision.toml", plan);
    AZURE.apply(&stage);
    stage
}

fn addresses(stage: &Stage) -> Vec<String> {
    let calls = stage.calls();
    let signed = calls.iter().filter(|call| call.path.contains("&sig="));
    signed.map(|call| call.path.clone()).collect()
}

#[test]
fn account_s_key_signs_where_the_server_has_it() {
    let stage = without_access();
    AZURE.succeed(&stage, &["verify", "--strict"]);
    let signed = addresses(&stage);
    assert!(signed.len() == 2 && signed.iter().all(|path| !path.contains("skoid")), "{signed:?}");
    assert_eq!(left(&stage), Vec::<String>::new());
}

/// A user's key signs where the server has an identity; a server that has the account's key alone can sign nothing where keys are
/// not taken.
#[test]
fn user_s_key_signs_where_the_server_has_an_identity_and_not_because_keys_are_off() {
    let stage = AZURE_WITH_DATA.applied();
    AZURE.succeed(&stage, &["verify", "--strict"]);
    let signed = addresses(&stage);
    assert!(signed.len() == 2 && signed.iter().all(|path| path.contains("skoid")), "{signed:?}");
    let stage = without_access();
    stage.sandbox().seed_azure_data_roles("00000000-0000-0000-0000-000000000000").unwrap();
    patch(&stage.hand(), json!({"properties": {"allowSharedKeyAccess": false}}));
    stage.faults().clear();
    let printed = AZURE.ends(&stage, 2, &["verify"]);
    assert!(printed.contains("failed      signed upload") && printed.contains("takes no shared keys"), "{printed}");
    assert_eq!(uploads(&stage), 0);
    assert_eq!(left(&stage), Vec::<String>::new());
}

#[test]
fn wrong_key_is_told_and_nothing_is_uploaded() {
    let stage = without_access();
    let keys = json!({"keys": [{"keyName": "key1", "value": "d3Jvbmc=", "permissions": "FULL"}]});
    let what = What::Answer { status: 200, headers: Vec::new(), body: keys.to_string() };
    fault(&stage, "arm:storageAccounts.listKeys", Nth::Every, what);
    let printed = AZURE.ends(&stage, 2, &["verify"]);
    assert!(printed.contains("failed      event of the upload") && printed.contains("keys were renewed"), "{printed}");
    assert!(!printed.contains("d3Jvbmc") && uploads(&stage) == 0, "{printed}");
    // The service answers with the new one by then.
    assert!(printed.contains("run the same command again"), "{printed}");
    stage.faults().clear();
    AZURE.succeed(&stage, &["verify", "--strict"]);
}

/// An owner of the subscription has no rights on data.
#[test]
fn missing_role_is_named_and_nothing_is_written() {
    let stage = AZURE.applied();
    let printed = AZURE.ends(&stage, 0, &["verify"]);
    for named in [
        "Storage Blob Data Contributor",
        "containers/blobs/read`",
        "Storage Queue Data Contributor",
        "queues/messages/read`",
    ] {
        assert!(printed.contains(named), "{named}: {printed}");
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
    AZURE.ends(&stage, 2, &["verify", "--strict"]);
    let stage = AZURE_WITH_DATA.applied();
    let denied = || What::Answer {
        status: 403,
        headers: vec![("x-ms-error-code".to_owned(), "AuthorizationPermissionMismatch".to_owned())],
        body: String::new(),
    };
    // It may be seen, and not be taken out again.
    fault(&stage, "queue:DeleteMessage", Nth::Every, denied());
    let printed = AZURE.ends(&stage, 0, &["verify"]);
    assert!(printed.contains("Storage Queue Data Contributor") && printed.contains("messages/process"), "{printed}");
    assert_eq!(uploads(&stage), 0);
}

/// The server was faster: it holds the message while we look.
#[test]
fn event_that_another_reader_took_is_not_proven() {
    let stage = AZURE_WITH_DATA.applied();
    stage.hook("blob:PutBlob", 1, When::After, |hand| drop(messages(hand, "visibilitytimeout=604800")));
    let hop = event(&stage, 0, &[]);
    assert_eq!(hop["verdict"], "not_proven", "{hop}");
    assert!(hop["reason"].as_str().unwrap().contains("taken by another reader"), "{hop}");
}

/// What stands before the event is back at once, as it was.
#[test]
fn messages_of_others_are_there_afterwards() {
    let stage = AZURE_WITH_DATA.applied();
    put_message(&stage.hand(), "first <&>");
    put_message(&stage.hand(), "second");
    stage.faults().clear();
    AZURE.succeed(&stage, &["verify", "--strict"]);
    let theirs = |text: &str| Seen { text: text.to_owned(), taken: 1 };
    let mut found = shown(&stage.hand());
    found.sort();
    assert_eq!(found, [theirs("first <&>"), theirs("second")]);
}

/// Beside an empty queue nothing but the event is taken.
#[test]
fn no_more_is_taken_than_stands_up_to_the_event() {
    let stage = AZURE_WITH_DATA.applied();
    // It comes behind the event.
    stage.hook("blob:PutBlob", 1, When::After, |hand| put_message(hand, "theirs"));
    AZURE.succeed(&stage, &["verify", "--strict"]);
    assert_eq!(shown(&stage.hand()), [Seen { text: "theirs".to_owned(), taken: 0 }]);
}

/// Whoever tells bad messages by how often they were taken is not led to give one up.
#[test]
fn nothing_is_taken_where_a_message_was_taken_often() {
    let stage = AZURE_WITH_DATA.applied();
    let often = |hand: &Hand| {
        put_message(hand, "theirs");
        for _ in 0..3 {
            while messages(hand, "visibilitytimeout=1").is_empty() {}
        }
        shown(hand);
    };
    often(&stage.hand());
    stage.faults().clear();
    let printed = AZURE.ends(&stage, 0, &["verify"]);
    assert!(printed.contains("taken 3 times already"), "{printed}");
    assert_eq!((uploads(&stage), stage.faults().begun("queue:GetMessages")), (0, 0));
    AZURE.ends(&stage, 2, &["verify", "--strict"]);
    // Meanwhile: the event came, and stays where it is.
    stage.hand().send("DELETE", "queue:/acmefiles/wandb-events/messages", Value::Null);
    stage.faults().clear();
    stage.hook("blob:PutBlob", 1, When::Before, often);
    let hop = event(&stage, 0, &[]);
    assert!(hop["reason"].as_str().unwrap().contains("it came, and is left there"), "{hop}");
    assert_eq!(shown(&stage.hand()).len(), 2);
}

/// What a run that was killed left is ours, however often others took it meanwhile.
#[test]
fn event_of_an_earlier_probe_is_taken_however_often_it_was_taken() {
    for prefix in [&[][..], &["--prefix", "elsewhere/"]] {
        let stage = AZURE_WITH_DATA.applied();
        let hand = stage.hand();
        put_probe(&hand);
        for _ in 0..3 {
            while messages(&hand, "visibilitytimeout=1").is_empty() {}
        }
        assert_eq!(shown(&hand)[0].taken, 3);
        stage.faults().clear();
        let printed = AZURE.succeed(&stage, &[&["verify", "--strict"], prefix].concat());
        assert!(printed.contains("probe removed, and 1 of earlier runs"), "{printed}");
        assert_eq!(left(&stage), Vec::<String>::new());
    }
}

/// A probe as a run that was killed leaves it.
fn put_probe(hand: &Hand) {
    let key = probe_of("wandb-prod", "0123456789abcdef");
    let owner = json!({"x-ms-meta-provisionprobe": owner_of("wandb-prod")});
    hand.send("PUT", &format!("blob:/acmefiles/wandb-files/{key}"), owner);
}

/// The event would be behind what can be seen.
#[test]
fn nothing_is_taken_from_a_queue_that_is_full_of_others() {
    let stage = AZURE_WITH_DATA.applied();
    stage.hook("blob:PutBlob", 1, When::Before, |hand| (PROOF.put_messages)(hand, 40));
    let hop = event(&stage, 0, &[]);
    assert!(hop["reason"].as_str().unwrap().contains("32 messages or more"), "{hop}");
    stage.faults().clear();
    assert!(AZURE.ends(&stage, 0, &["verify"]).contains("32 messages or more"));
    assert_eq!((uploads(&stage), stage.faults().begun("queue:GetMessages")), (0, 0));
}

/// An account that keeps versions keeps none of a probe's.
#[test]
fn every_version_of_a_probe_goes() {
    let stage = AZURE_WITH_DATA.applied();
    keep_versions(&stage.hand());
    stage.faults().clear();
    AZURE.succeed(&stage, &["verify", "--strict"]);
    assert_eq!(stage.faults().begun("blob:DeleteBlob"), 2);
    assert_eq!(left(&stage), Vec::<String>::new());
}

/// An earlier version has a right of its own, which is needed only where there would be one.
#[test]
fn nothing_is_uploaded_whose_earlier_version_could_not_be_removed() {
    let stage = AZURE_WITH_DATA.applied();
    let right = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action";
    let less = without(&AZURE, &document(&AZURE, &stage, "verify"), right);
    attach(&stage, &less);
    AZURE.succeed(&stage, &["verify", "--strict"]);
    assert_eq!(uploads(&stage), 1);
    keep_versions(&stage.hand());
    stage.faults().clear();
    let printed = AZURE.ends(&stage, 0, &["verify"]);
    assert!(printed.contains(&format!("these credentials lack `{right}`")), "{printed}");
    assert_eq!(uploads(&stage), 0);
}

/// What cannot be removed is not uploaded.
#[test]
fn nothing_is_uploaded_into_a_container_with_a_legal_hold() {
    let stage = AZURE_WITH_DATA.applied();
    let hold = |action: &str| {
        stage.send("POST", &format!("{}/{action}", container("wandb-files")), json!({"tags": ["case1"]}));
        stage.faults().clear();
    };
    hold("setLegalHold");
    let printed = AZURE.ends(&stage, 0, &["verify"]);
    assert!(printed.contains("container `wandb-files` has a legal hold: what is written into it"), "{printed}");
    assert_eq!(uploads(&stage), 0);
    hold("clearLegalHold");
    AZURE.succeed(&stage, &["verify", "--strict"]);
}

/// What somebody writes in a probe's place after it was listed is theirs.
#[test]
fn what_took_a_probe_s_place_stays() {
    let stage = AZURE_WITH_DATA.applied();
    stage.hook("blob:DeleteBlob", 1, When::Before, |hand| {
        let listed = (PROOF.left)(hand);
        let probe = listed.iter().find_map(|what| what.strip_prefix("object ")).unwrap();
        hand.send("PUT", &format!("blob:/acmefiles/wandb-files/{probe}"), json!({"x-ms-meta-theirs": "x"}));
    });
    let printed = AZURE.ends(&stage, 2, &["verify"]);
    assert!(printed.contains("failed      probe removed"), "{printed}");
    assert_eq!(left(&stage).iter().filter(|what| what.starts_with("object ")).count(), 1);
}
