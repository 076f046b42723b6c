//! What is told of missing rights before the first write.

use provision_sandbox::fault::Nth;
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::{CloudFixture, Place, fault, wrote_nothing};

contract! {
    everywhere: [],
    sandboxes: [
        missing_rights_are_named_before_the_first_write = "MiniStack knows no identities.",
        missing_rights_stop_a_destroy_and_a_saved_change_set = "MiniStack knows no identities.",
        no_right_that_a_destroy_needs_is_missed_half_way = "MiniStack knows no identities.",
        what_cannot_be_asked_is_not_known = "MiniStack knows no identities.",
        no_changes_show_nothing = "MiniStack knows no identities.",
        credentials_that_only_look_are_told_in_one_line = "MiniStack knows no identities.",
    ],
}

/// What a cloud is asked with, and rights that are taken away.
struct Asked {
    /// The right to ask, and the one that stands for it in a document.
    right: Option<(&'static str, &'static str)>,
    /// The operations that ask.
    operations: &'static [&'static str],
    /// Rights of an apply of what is absent, two of them needed by operations that wait for each other.
    of_apply: [&'static str; 2],
    of_destroy: &'static str,
    /// Those that a destroy needs when it has begun: of what is given and sent, which has no name of its own.
    last_of_destroy: &'static [&'static str],
}

fn asked(cloud: &CloudFixture) -> Asked {
    match cloud.name {
        "aws" => Asked {
            right: Some(("\"iam:SimulatePrincipalPolicy\", \"iam:GetRole\"", "\"tag:GetResources\"")),
            operations: &["iam:SimulatePrincipalPolicy"],
            of_apply: ["s3:PutBucketNotification", "s3:PutBucketCORS"],
            of_destroy: "s3:DeleteBucket",
            last_of_destroy: &["iam:DeleteRolePolicy", "sqs:DeleteQueue"],
        },
        "gcp" => Asked {
            right: None,
            operations: &[
                "resourcemanager:TestIamPermissions",
                "storage.json:buckets.testIamPermissions",
                "pubsub:TestIamPermissions",
                "iam:TestIamPermissions",
            ],
            of_apply: ["pubsub.topics.setIamPolicy", "storage.buckets.create"],
            of_destroy: "pubsub.topics.delete",
            last_of_destroy: &["iam.serviceAccounts.setIamPolicy", "pubsub.subscriptions.delete"],
        },
        _ => Asked {
            right: Some((
                "\"Microsoft.Authorization/permissions/read\"",
                "\"Microsoft.Storage/storageAccounts/blobServices/read\"",
            )),
            operations: &["arm:permissions.list"],
            of_apply: ["Microsoft.EventGrid/eventSubscriptions/write", "Microsoft.Storage/storageAccounts/write"],
            of_destroy: "Microsoft.Storage/storageAccounts/delete",
            last_of_destroy: &[
                "Microsoft.Authorization/roleAssignments/delete",
                "Microsoft.EventGrid/eventSubscriptions/delete",
            ],
        },
    }
}

/// The rights that are printed for a command, and the right to ask.
pub(crate) fn document(cloud: &CloudFixture, stage: &Stage, command: &str) -> String {
    with_asking(cloud, &cloud.succeed(stage, &["permissions", "--for", command]))
}

/// A document with the right to ask.
pub(crate) fn with_asking(cloud: &CloudFixture, document: &str) -> String {
    match asked(cloud).right {
        Some((right, beside)) => document.replacen(beside, &format!("{beside}, {right}"), 1),
        None => document.to_owned(),
    }
}

pub(crate) fn without(cloud: &CloudFixture, document: &str, right: &str) -> String {
    let documents = (cloud.rights.without)(document);
    let taken = documents.into_iter().find(|(taken, _)| taken == right);
    taken.unwrap_or_else(|| panic!("{right} is not in {document}")).1
}

/// Be an identity with these rights, and forget the requests.
pub(crate) fn attach(stage: &Stage, document: &str) {
    stage.sandbox().attach(&stage.fill(document)).unwrap();
    stage.faults().clear();
}

fn missing_rights_are_named_before_the_first_write(cloud: &Place) {
    let stage = cloud.planned();
    let whole = document(cloud, &stage, "apply");
    let taken = asked(cloud).of_apply;
    attach(&stage, &taken.iter().fold(whole.clone(), |document, right| without(cloud, &document, right)));
    let planned = cloud.ends(&stage, 0, &["plan"]);
    assert!(planned.contains("\nMissing rights: apply stops before its first write.\n"), "{planned}");
    let report = cloud.succeed(&stage, &["plan", "--format", "markdown"]);
    assert!(report.contains("**Missing rights**"), "{report}");
    let refused = cloud.ends(&stage, 1, &["apply", "--yes"]);
    assert!(refused.contains("error: cannot apply: rights are missing, and nothing was written:\n"), "{refused}");
    assert!(refused.contains(" permissions provision.toml --for apply`"), "{refused}");
    for right in taken {
        for printed in [&planned, &report, &refused] {
            assert!(printed.contains(&format!("`{right}`")), "{right}: {printed}");
        }
    }
    let json: Value = serde_json::from_str(&cloud.succeed(&stage, &["plan", "--json"])).unwrap();
    let missing = json["rights"]["missing"].as_array().unwrap();
    let named: Vec<_> = missing.iter().map(|missing| missing["right"].as_str().unwrap()).collect();
    assert!(named.len() == 2 && taken.iter().all(|right| named.contains(right)), "{json}");
    assert!(missing.iter().all(|missing| missing["certain"] == true && missing["needed_to"][0].is_string()), "{json}");
    wrote_nothing(&stage);
    attach(&stage, &whole);
    cloud.succeed(&stage, &["apply", "--yes"]);
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
}

fn missing_rights_stop_a_destroy_and_a_saved_change_set(cloud: &Place) {
    let stage = cloud.applied();
    let (whole, right) = (document(cloud, &stage, "destroy"), asked(cloud).of_destroy);
    attach(&stage, &whole);
    let planned = cloud.succeed(&stage, &["plan", "--destroy", "--out", "down.json"]);
    assert!(!planned.contains("rights"), "{planned}");
    attach(&stage, &without(cloud, &whole, right));
    for command in [&["destroy", "--yes"][..], &["destroy", "down.json"]] {
        let refused = cloud.ends(&stage, 1, command);
        assert!(refused.contains("cannot destroy: a right is missing") && refused.contains(right), "{refused}");
    }
    wrote_nothing(&stage);
    attach(&stage, &whole);
    cloud.succeed(&stage, &["destroy", "down.json"]);
}

/// Whichever of them is taken away, nothing is written.
fn no_right_that_a_destroy_needs_is_missed_half_way(cloud: &Place) {
    let stage = cloud.applied();
    let whole = document(cloud, &stage, "destroy");
    for right in asked(cloud).last_of_destroy {
        attach(&stage, &without(cloud, &whole, right));
        let refused = cloud.ends(&stage, 1, &["destroy", "--yes"]);
        let told = ["error: cannot destroy: ", " missing, and nothing was written:\n", right];
        assert!(told.iter().all(|told| refused.contains(told)), "{refused}");
        wrote_nothing(&stage);
    }
}

fn what_cannot_be_asked_is_not_known(cloud: &Place) {
    let stage = cloud.planned();
    let (whole, asked) = (document(cloud, &stage, "apply"), asked(cloud));
    attach(&stage, &without(cloud, &whole, asked.of_apply[0]));
    for operation in asked.operations {
        fault(&stage, operation, Nth::Every, (cloud.faults.refusal)());
    }
    let planned = cloud.ends(&stage, 0, &["plan"]);
    let told: Vec<_> = planned.lines().filter(|line| line.starts_with("Rights not known: `")).collect();
    assert!(!told.is_empty() && told.iter().all(|line| line.contains(", because ")), "{planned}");
    assert!(cloud.succeed(&stage, &["plan", "--format", "markdown"]).contains("**Rights not known**"));
    let quiet = cloud.run(&stage, &["plan", "-q"]);
    assert!(quiet.stderr.contains("Rights not known: ") && !quiet.stdout.contains("ights"), "{}", quiet.stderr);
    let json: Value = serde_json::from_str(&cloud.succeed(&stage, &["plan", "--json"])).unwrap();
    assert_eq!(
        (&json["rights"]["missing"], json["rights"]["unknown"].as_array().unwrap().is_empty()),
        (&serde_json::json!([]), false)
    );
    // Each write says for itself what it lacks.
    let failed = cloud.ends(&stage, 5, &["apply", "--yes", "-q"]);
    assert!(failed.contains("Rights not known: "), "{failed}");
    assert!(failed.contains(&format!("`{}`", asked.of_apply[0])), "{failed}");
    attach(&stage, &whole);
    for operation in asked.operations {
        fault(&stage, operation, Nth::Every, (cloud.faults.refusal)());
    }
    cloud.succeed(&stage, &["apply", "--yes"]);
}

/// Who only looks is not told what he would need for more.
fn no_changes_show_nothing(cloud: &Place) {
    let stage = cloud.applied();
    let looks = document(cloud, &stage, "plan");
    attach(&stage, &looks);
    for command in [&["plan"][..], &["apply", "--yes"]] {
        let printed = cloud.ends(&stage, 0, command);
        assert!(printed.contains("No changes:") && !printed.contains("rights"), "{printed}");
    }
    let asks = asked(cloud).operations;
    stage.faults().clear();
    cloud.ends(&stage, 0, &["drift"]);
    assert!(asks.iter().all(|operation| stage.faults().count(operation) == 0), "drift asks");
}

fn credentials_that_only_look_are_told_in_one_line(cloud: &Place) {
    let stage = cloud.planned();
    attach(&stage, &document(cloud, &stage, "plan"));
    let planned = cloud.ends(&stage, 0, &["plan"]);
    let told: Vec<_> = planned.lines().filter(|line| line.contains(" rights ")).collect();
    assert!(told.len() == 1 && told[0].starts_with("These credentials have none of the "), "{planned}");
    cloud.ends(&stage, 1, &["apply", "--yes"]);
    wrote_nothing(&stage);
}
