//! What Google Cloud refuses and what it takes its time for, as whole screens.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::run::{Ran, finished};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use super::sort_progress;
use crate::clouds::GCP;
use crate::clouds::gcp::hand::SUBSCRIPTION;

const INSERT: &str = "storage.json:notificationConfigs.insert";
/// What operation of the sandbox sets the policy of a topic.
const GRANT: &str = "pubsub:SetIamPolicy";
/// How long the right to publish takes to spread: three minutes.
const SPREADING: Duration = Duration::from_secs(180);

/// Compare a screen with the one on record; ports, numbers, times and numbers of attempts differ from run to run.
fn screen(name: &str, mut ran: Ran) {
    sort_progress(&mut ran);
    // How often it is looked at differs from run to run.
    ran.stderr =
        ran.stderr.lines().filter(|line| !line.ends_with(": looking again")).map(|line| format!("{line}\n")).collect();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT");
    settings.add_filter(r"\(\d{12}\)", "(NUMBER)");
    settings.add_filter(r"service-\d{12}@", "service-NUMBER@");
    settings.add_filter(r"\d+\.\d s\b", "TIME");
    settings.add_filter(r"\d+ attempts", "ATTEMPTS");
    let text = format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn fault(stage: &Stage, operation: &str, status: u16, code: &str, message: &str) {
    let what = What::Error { status, code: code.to_owned(), message: message.to_owned() };
    stage.faults().fault(Fault { operation: operation.to_owned(), nth: Nth::Every, at: When::Before, what });
}

/// A stage on which what is made is shown at once: how often it is looked for differs from run to run.
fn planned() -> Stage {
    let stage = GCP.planned();
    for what in ["pubsub.topics", "pubsub.subscriptions"] {
        stage.faults().set_propagation(what, Duration::ZERO);
    }
    stage
}

/// The screen of a command while operations are refused that way. The change set is on record elsewhere.
fn refused(name: &str, arguments: &[&str], operations: &[&str], status: u16, code: &str, message: &str) {
    let stage = planned();
    operations.iter().for_each(|operation| fault(&stage, operation, status, code, message));
    let mut ran = GCP.run(&stage, arguments);
    ran.stdout = String::new();
    screen(name, ran);
}

/// Three minutes of the sandbox are three seconds while it is hastened; the budget and the heartbeat are tested where time is simulated.
#[test]
fn publisher_grant_that_takes_three_minutes_is_waited_for() {
    let stage = planned();
    stage.faults().set_propagation("pubsub.iam", SPREADING);
    let begun = stage.sandbox().world().clock.now_ms();
    let ran = stage.hastened(|| GCP.run(&stage, &["apply", "--yes"]));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(stage.sandbox().world().clock.now_ms() - begun >= 180_000);
    let waits: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("  wait ")).collect();
    let said = "write notification `acme-files`: Cloud Storage's new right to publish to the topic is not known \
                everywhere yet; IAM takes minutes; again in ";
    assert!(waits.len() >= 2 && waits.iter().all(|line| line.contains(said)), "{waits:?}");
    assert_eq!(stage.faults().count(INSERT), waits.len() + 1);
    GCP.is_in_sync(&stage);
    (GCP.upload)(&stage.hand(), "run-1.txt");
    assert_eq!((GCP.messages)(&stage.hand()).len(), 1);
}

#[test]
fn publisher_grant_that_is_not_waited_for_any_longer_is_waited_for_by_the_rerun() {
    let stage = planned();
    stage.faults().set_propagation("pubsub.iam", SPREADING);
    let mut ran = GCP.run(&stage, &["apply", "--yes", "--timeout", "4"]);
    ran.stdout = String::new();
    let waits = |line: &&str| line.starts_with("  wait ") || line.contains(" s, waiting for: ");
    ran.stderr = ran.stderr.lines().filter(|line| !waits(line)).map(|line| format!("{line}\n")).collect();
    screen("stopped_while_a_grant_spreads", ran);
    let ran = stage.hastened(|| GCP.run(&stage, &["apply", "--yes"]));
    assert!(ran.code == 0 && ran.stderr.contains("  wait write notification"), "{}{}", ran.stdout, ran.stderr);
    GCP.is_in_sync(&stage);
}

#[test]
fn publisher_grant_that_somebody_took_away_is_said_at_once() {
    let stage = planned();
    stage.faults().set_propagation("pubsub.iam", SPREADING);
    let nobody = What::Answer { status: 200, headers: Vec::new(), body: r#"{"etag": "ACAB"}"#.to_owned() };
    let operation = "pubsub:GetIamPolicy".to_owned();
    stage.faults().fault(Fault { operation, nth: Nth::Every, at: When::Before, what: nobody });
    let mut ran = GCP.run(&stage, &["apply", "--yes"]);
    ran.stdout = String::new();
    screen("failed_grant_taken_away", ran);
    assert_eq!(stage.faults().count(INSERT), 1);
}

/// Ours takes every new object already.
#[test]
fn second_notification_to_our_topic_is_warned_about() {
    let stage = GCP.applied();
    let entry = json!({"topic": "//pubsub.googleapis.com/projects/acme-ml/topics/acme-events",
                       "payload_format": "JSON_API_V1", "event_types": ["OBJECT_FINALIZE"],
                       "custom_attributes": {"theirs": "1"}});
    stage.send("POST", "/storage/v1/b/acme-files/notificationConfigs", entry);
    let warned = |ran: &Ran| [&ran.stdout, &ran.stderr].iter().any(|text| text.contains("would hear of each twice"));
    for command in ["plan", "drift"] {
        let ran = GCP.run(&stage, &[command]);
        assert!(ran.code == 0 && warned(&ran), "{}{}", ran.stdout, ran.stderr);
    }
}

/// The texts: <https://github.com/kedacore/keda/pull/2696>, <https://github.com/cloudyr/googleCloudStorageR/issues/5>.
#[test]
fn missing_apis_are_named_with_the_command_that_enables_them() {
    let message = |api: &str| {
        format!(
            "{api} API has not been used in project 538407947074 before or it is disabled. Enable it by visiting \
             https://console.developers.google.com/apis/api then retry. If you enabled this API recently, wait a few \
             minutes for the action to propagate to our systems and retry."
        )
    };
    refused("failed_pubsub_disabled", &["plan"], &["pubsub:*"], 403, "SERVICE_DISABLED", &message("Cloud Pub/Sub"));
    let storage = ["storage.json:*"];
    refused("failed_storage_disabled", &["plan"], &storage, 403, "SERVICE_DISABLED", &message("Cloud Storage"));
    let projects = ["resourcemanager:*"];
    let text = message("Cloud Resource Manager");
    refused("failed_resource_manager_disabled", &["apply", "--yes"], &projects, 403, "SERVICE_DISABLED", &text);
    refused(
        "failed_iam_disabled",
        &["plan"],
        &["iam:*"],
        403,
        "SERVICE_DISABLED",
        &message("Identity and Access Management (IAM)"),
    );
}

/// The texts: <https://github.com/terraform-google-modules/terraform-example-foundation/issues/1454>,
/// <https://github.com/canada-ca/cloud-guardrails-gcp/issues/11>, <https://github.com/GaloyMoney/galoy-infra/pull/241>.
#[test]
fn refusals_of_the_organization_name_the_constraint() {
    let apply = ["apply", "--yes"];
    let members = "One or more users named in the policy do not belong to a permitted customer.";
    let domains = "constraints/iam.allowedPolicyMemberDomains";
    refused("failed_forbidden_member_of_the_topic", &apply, &[GRANT], 400, domains, members);
    refused(
        "failed_forbidden_member_of_the_bucket",
        &apply,
        &["storage.json:buckets.setIamPolicy"],
        412,
        domains,
        members,
    );
    let create = ["storage.json:buckets.insert"];
    let location = "'us' violates constraint 'constraints/gcp.resourceLocations'";
    refused("failed_forbidden_location", &apply, &create, 412, "conditionNotMet", location);
    let access = "Request violates constraint 'constraints/storage.uniformBucketLevelAccess'";
    refused("failed_forbidden_access_control", &apply, &create, 412, "conditionNotMet", access);
    let public = "Request violates constraint 'constraints/storage.publicAccessPrevention'";
    let prevention = "constraints/storage.publicAccessPrevention";
    refused("failed_forbidden_public_access", &apply, &create, 412, prevention, public);
    // VPC Service Controls: nothing that these credentials could be granted helps.
    let perimeter = "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: a1b2";
    refused("failed_outside_of_the_perimeter", &["plan"], &["storage.json:*"], 403, "forbidden", perimeter);
}

#[test]
fn projects_that_are_not_there_or_not_the_callers_are_told_with_what_to_check() {
    let stage = planned();
    GCP.change(&stage, &[("project = \"acme-ml\"", "project = \"acme-typo\"")]);
    screen("failed_no_such_project", GCP.run(&stage, &["plan"]));
    GCP.change(&stage, &[("project = \"acme-ml\"", "project = \"538407947074\"")]);
    screen("failed_number_of_a_project", GCP.run(&stage, &["plan"]));
}

/// A bucket's name is taken in all the world: that of another project of the caller's too.
#[test]
fn buckets_of_another_project_are_told_to_be_so() {
    let stage = planned();
    stage.sandbox().seed_google("acme-other", None).unwrap();
    let bucket = serde_json::json!({"name": "acme-files"});
    stage.send("POST", "/storage/v1/b?project=acme-other", bucket);
    let mut ran = GCP.run(&stage, &["plan"]);
    ran.stdout = String::new();
    screen("refused_bucket_of_another_project", ran);
}

/// The answer of <https://oauth2.googleapis.com/token> once a session is over
/// (<https://developers.google.com/identity/protocols/oauth2#expiration>).
const EXPIRED: &str = r#"{"error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)", "error_uri": "https://support.google.com/a/answer/9368756", "error_subtype": "invalid_rapt"}"#;

#[test]
fn credentials_that_do_not_serve_are_told_with_how_to_get_others() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let token_uri = format!("http://{}/token", server.local_addr().unwrap());
    std::thread::spawn(move || server.incoming().flatten().for_each(refuse_token));
    let user = serde_json::json!({"type": "authorized_user", "client_id": "x", "client_secret": "hunter2", "refresh_token": "hunter3",
        "token_uri": token_uri});
    let ran = with_credentials(&user.to_string());
    assert!(!ran.stderr.contains("hunter"), "{}", ran.stderr);
    screen("failed_expired_credentials", ran);
    screen("failed_unreadable_credentials", with_credentials("{\"type\": \"nope\"}"));
}

fn refuse_token(mut connection: std::net::TcpStream) {
    // One read is enough for a request as short as that.
    let _ = connection.read(&mut [0; 4096]);
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
    let _ = write!(connection, "{head}: {}\r\n\r\n{EXPIRED}", EXPIRED.len());
}

/// A plan with a file of credentials, and with Google's own endpoints, which are not reached.
fn with_credentials(file: &str) -> Ran {
    let stage = planned();
    stage.write("credentials.json", file);
    let child = stage.spawn(&["gcp", "plan"], |command| {
        for name in GCP.credentials.0 {
            command.env_remove(name);
        }
        command.env("GOOGLE_APPLICATION_CREDENTIALS", "credentials.json");
    });
    finished(child)
}

#[test]
fn a_proof_and_what_it_is_broken_by() {
    let stage = GCP.applied();
    screen("verify", stage.run(&["gcp", "verify"]));
    stage.send("DELETE", SUBSCRIPTION, Value::Null);
    screen("verify_with_failures", stage.run(&["gcp", "verify", "--wait", "20"]));
}
