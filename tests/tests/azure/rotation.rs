//! A new key for the server, in two steps: no key is made anew that the server may have.

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::azure::hand::{ACCOUNT, patch};
use crate::clouds::{AZURE, CloudFixture, fault};
use crate::contract::preflight::{attach, without};

const REGENERATE: &str = "arm:storageAccounts.regenerateKey";

/// Both keys.
fn keys(stage: &Stage) -> [String; 2] {
    let listed = stage.hand().send("POST", &format!("{ACCOUNT}/listKeys"), Value::Null);
    let keys = ["key1", "key2"].map(|name| {
        let key = listed["keys"].as_array().unwrap().iter().find(|key| key["keyName"] == name).unwrap();
        key["value"].as_str().unwrap().to_owned()
    });
    stage.faults().clear();
    keys
}

/// What the server was given.
fn given(stage: &Stage) -> String {
    let text = stage.read("wandb.env");
    let line = text.lines().find_map(|line| line.strip_prefix("AZURE_STORAGE_KEY=")).unwrap();
    line.trim_matches('\'').to_owned()
}

fn rotate(stage: &Stage, code: i32, flags: &[&str]) -> String {
    AZURE.ends(stage, code, &[&["rotate-key", "--yes"], flags].concat())
}

fn made(stage: &Stage) -> usize {
    stage.faults().begun(REGENERATE)
}

#[test]
fn new_key_is_given_and_the_former_one_made_useless_when_the_server_has_it() {
    let stage = AZURE.applied();
    let before = keys(&stage);
    let printed = rotate(&stage, 0, &["--out", "wandb.env"]);
    assert!(printed.contains("`key2`") && printed.contains("rotate-key provision.toml --finish"), "{printed}");
    let begun = keys(&stage);
    assert!(begun[0] == before[0] && begun[1] != before[1] && given(&stage) == begun[1]);
    assert!(stage.read("provision.toml").contains("key = \"key2\""), "{}", stage.read("provision.toml"));
    assert!(before.iter().chain(&begun).all(|key| !printed.contains(key.as_str())), "{printed}");
    // Run again before the server was told: it may have either key.
    rotate(&stage, 0, &["--out", "wandb.env"]);
    assert_eq!((keys(&stage), given(&stage)), (begun.clone(), begun[1].clone()));
    rotate(&stage, 0, &["--finish"]);
    let finished = keys(&stage);
    assert!(finished[0] != begun[0] && finished[1] == begun[1]);
    let again = rotate(&stage, 0, &["--finish"]);
    assert!(again.contains("there is nothing to do") && keys(&stage) == finished, "{again}");
    AZURE.is_in_sync(&stage);
}

/// Afterwards the account looks as it does to a plan file from before: which key the server has must be told.
#[test]
fn next_rotation_needs_to_be_told_which_key_the_server_has() {
    let stage = AZURE.applied();
    rotate(&stage, 0, &[]);
    rotate(&stage, 0, &["--finish"]);
    let before = keys(&stage);
    let refused = rotate(&stage, 6, &[]);
    assert!(refused.contains("--server-has key2") && keys(&stage) == before, "{refused}");
    let wrong = rotate(&stage, 6, &["--server-has", "key1"]);
    assert!(wrong.contains("key = \"key1\"") && keys(&stage) == before, "{wrong}");
    let printed = rotate(&stage, 0, &["--server-has", "key2", "--reveal"]);
    let after = keys(&stage);
    assert!(printed.contains(&after[0]) && after[1] == before[1] && after[0] != before[0], "{printed}");
}

/// A run that ended right after its write has told nobody: neither its key nor the plan file.
#[test]
fn run_that_was_cut_off_has_given_no_key_away() {
    let stage = AZURE.applied();
    let before = keys(&stage);
    // As often as a call is sent.
    for nth in 1..=4 {
        let (operation, what) = (REGENERATE.to_owned(), What::Drop);
        stage.faults().fault(Fault { operation, nth: Nth::Number(nth), at: When::After, what });
    }
    let printed = rotate(&stage, 1, &["--out", "wandb.env"]);
    assert!(printed.contains("the server keeps `key1`") && stage.read_if_there("wandb.env").is_empty(), "{printed}");
    assert!(!stage.read("provision.toml").contains("key2"));
    assert_eq!(keys(&stage)[0], before[0]);
    assert!(rotate(&stage, 6, &[]).contains("--server-has key1"));
    rotate(&stage, 0, &["--server-has", "key1", "--out", "wandb.env"]);
    let after = keys(&stage);
    assert_eq!((given(&stage), &after[0]), (after[1].clone(), &before[0]));
}

#[test]
fn nothing_is_made_anew_where_it_could_not_be_used() {
    let stage = AZURE.applied();
    let before = keys(&stage);
    let refused = What::Error { status: 403, code: "AuthorizationFailure".to_owned(), message: String::new() };
    fault(&stage, "blob:ListBlobs", Nth::Number(1), refused);
    assert!(rotate(&stage, 1, &[]).contains("with `key1`"));
    assert_eq!(made(&stage), 0);
    assert!(rotate(&stage, 6, &["--finish"]).contains("nothing was begun"));
    let asked = AZURE.ends(&stage, 64, &["rotate-key"]);
    assert!(asked.contains("--yes") && made(&stage) == 0, "{asked}");
    patch(&stage.hand(), json!({"properties": {"allowSharedKeyAccess": false}}));
    assert!(rotate(&stage, 6, &[]).contains("takes no shared keys"));
    assert_eq!(keys(&stage), before);
}

#[test]
fn rights_that_are_printed_are_needed_and_enough() {
    let stage = AZURE.applied();
    let cloud: &CloudFixture = &AZURE;
    let whole = cloud.succeed(&stage, &["permissions", "--for", "rotate-key"]);
    for right in ["regenerateKey/action", "listKeys/action", "read"] {
        let right = format!("Microsoft.Storage/storageAccounts/{right}");
        attach(&stage, &without(cloud, &whole, &right));
        let denied = rotate(&stage, 1, &[]);
        assert!(denied.contains(&format!("`{right}`")), "{denied}");
    }
    attach(&stage, &whole);
    rotate(&stage, 0, &[]);
    rotate(&stage, 0, &["--finish"]);
    for cloud in ["aws", "gcp"] {
        let ran = stage.run(&[cloud, "permissions", "--for", "rotate-key"]);
        assert_eq!(ran.code, 64, "{}", ran.stderr);
    }
}
