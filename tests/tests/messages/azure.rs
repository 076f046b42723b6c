//! What Azure refuses and what it takes its time for, as whole screens.

use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::Ran;
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use super::sort_progress;
use crate::clouds::azure::hand::{ACCOUNT, SERVER, SUBSCRIPTION, TENANT};
use crate::clouds::azure::proof::PROOF;
use crate::clouds::{AZURE, AZURE_WITH_DATA};

const EVENT_GRID: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.EventGrid";

/// Compare a screen with the one on record; ports, times and numbers of attempts differ from run to run.
fn screen(name: &str, mut ran: Ran) {
    sort_progress(&mut ran);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"\d+\.\d s\b", "TIME");
    settings.add_filter(r"\d+ attempts", "ATTEMPTS");
    settings.add_filter(r"(provision-verify/[a-z2-7]{12})-[0-9a-f]{16}", "$1-NUMBER");
    let text = format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// The screen without the change set, which is on record elsewhere.
fn diagnostics(name: &str, ran: Ran) {
    screen(name, Ran { stdout: String::new(), ..ran });
}

fn fault(stage: &Stage, operation: &str, at: When, what: What) {
    stage.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Number(1), at, what });
}

#[test]
fn registration_that_is_missing_is_told_done_and_waited_for() {
    let stage = AZURE.planned();
    stage.send("POST", &format!("{EVENT_GRID}/unregister"), Value::Null);
    stage.faults().set_propagation("providers", Duration::from_secs(30));
    let plan = AZURE.succeed(&stage, &["plan"]);
    assert!(plan.contains("Microsoft.EventGrid is not registered in this subscription"), "{plan}");
    let ran = AZURE.run(&stage, &["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("  wait write event subscription"), "{}", ran.stderr);
    AZURE.is_in_sync(&stage);
}

#[test]
fn registration_that_is_not_permitted_names_who_may() {
    let stage = AZURE.planned();
    // What the screen waits for depends on who is quicker.
    for late in ["newResourceGroups", "blobServices"] {
        stage.faults().set_propagation(late, Duration::ZERO);
    }
    stage.send("POST", &format!("{EVENT_GRID}/unregister"), Value::Null);
    fault(&stage, "arm:providers.register", When::Before, (AZURE.faults.refusal)());
    diagnostics("failed_registration_denied", AZURE.run(&stage, &["apply", "--yes"]));
}

#[test]
fn name_of_somebody_else_is_refused() {
    let stage = AZURE.planned();
    stage.sandbox().seed_azure_taken("acmefiles").unwrap();
    diagnostics("refused_name_taken", AZURE.run(&stage, &["plan"]));
}

#[test]
fn keys_that_are_disabled_are_said_to_be_so() {
    let stage = AZURE.applied();
    stage.send("PATCH", ACCOUNT, json!({"properties": {"allowSharedKeyAccess": false}}));
    screen("output_with_keys_disabled", AZURE.run(&stage, &["output", "--reveal"]));
}

#[test]
fn lock_on_the_account_is_named_and_nothing_is_deleted() {
    let stage = AZURE.applied();
    let lock = format!("{ACCOUNT}/providers/Microsoft.Authorization/locks/keep");
    stage.send("PUT", &lock, json!({"properties": {"level": "CanNotDelete"}}));
    diagnostics("refused_locked", AZURE.run(&stage, &["destroy", "--yes"]));
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// <https://github.com/Azure/azure-cli/issues/31148>
#[test]
fn creation_that_was_throttled_and_succeeded_is_gone_on_with() {
    let stage = AZURE.planned();
    fault(&stage, "arm:storageAccounts.put", When::After, What::Throttle);
    let ran = AZURE.run(&stage, &["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!((AZURE.ours)(&stage.hand()), AZURE.applied);
    AZURE.is_in_sync(&stage);
}

#[test]
fn identity_that_the_directory_does_not_show_yet_is_waited_for() {
    let stage = AZURE.planned();
    let principal = SERVER.replace('1', "4");
    AZURE.change(&stage, &[(SERVER, &principal)]);
    stage.faults().set_propagation("principals", Duration::from_secs(200));
    stage.sandbox().seed_azure(SUBSCRIPTION, TENANT, Some(&principal)).unwrap();
    let ran = stage.hastened(|| AZURE.run(&stage, &["apply", "--yes"]));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("the directory does not show the identity yet"), "{}", ran.stderr);
    AZURE.is_in_sync(&stage);
}

#[test]
fn identity_that_does_not_exist_is_told_with_what_to_check() {
    let stage = AZURE.planned();
    AZURE.change(&stage, &[(SERVER, &SERVER.replace('1', "5"))]);
    let mut ran = AZURE.run(&stage, &["apply", "--yes", "--timeout", "4"]);
    let waits = |line: &&str| line.starts_with("  wait ") || line.contains(" s, waiting for: ");
    ran.stderr = ran.stderr.lines().filter(|line| !waits(line)).map(|line| format!("{line}\n")).collect();
    // Three are assigned at the same time: any of them may be the first that is told.
    let roles = ["Reader", "Storage Blob Data Contributor", "Storage Queue Data Contributor"];
    for role in roles {
        ran.stderr = ran.stderr.replace(&format!("cannot assign role {role}:"), "cannot assign role ROLE:");
    }
    diagnostics("stopped_while_the_identity_is_not_seen", ran);
}

#[test]
fn subscription_that_is_not_seen_is_a_matter_of_credentials() {
    let stage = AZURE.planned();
    AZURE.change(&stage, &[(SUBSCRIPTION, "99999999-0000-0000-0000-000000000000")]);
    diagnostics("failed_no_such_subscription", AZURE.run(&stage, &["plan"]));
}

#[test]
fn screens_of_a_proof() {
    let stage = AZURE_WITH_DATA.applied();
    screen("azure_verify", AZURE.run(&stage, &["verify"]));
    (PROOF.no_events)(&stage.hand());
    screen("azure_verify_with_failures", AZURE.run(&stage, &["verify", "--wait", "20"]));
    let stage = AZURE.applied();
    screen("azure_verify_without_roles", AZURE.run(&stage, &["verify"]));
}
