//! What refuses a run whatever its rights: policies of the organization, an API that is off; and permissions that cannot be tested.

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_tests::stage::Stage;
use serde_json::{Value, json};

use crate::clouds::{GCP, wrote_nothing};
use crate::contract::preflight::{attach, document, without};

fn set_policy(stage: &Stage, constraint: &str, list: Value) {
    let policy = json!({"policy": {"constraint": format!("constraints/{constraint}"), "listPolicy": list}});
    stage.send("POST", "/v1/projects/acme-ml:setOrgPolicy", policy);
}

#[test]
fn policies_of_the_organization_are_named_before_the_first_write() {
    let stage = GCP.planned();
    set_policy(&stage, "gcp.resourceLocations", json!({"allowedValues": ["is:asia-east1"]}));
    set_policy(&stage, "gcp.restrictNonCmekServices", json!({"deniedValues": ["storage.googleapis.com"]}));
    set_policy(&stage, "storage.retentionPolicySeconds", json!({"allowedValues": ["3600"]}));
    let planned = GCP.ends(&stage, 0, &["plan"]);
    assert!(planned.contains("\nWould be refused: apply stops before its first write.\n"), "{planned}");
    let refused = GCP.ends(&stage, 6, &["apply", "--yes"]);
    for constraint in ["gcp.resourceLocations", "gcp.restrictNonCmekServices", "storage.retentionPolicySeconds"] {
        for printed in [&planned, &refused] {
            let told = format!("the organization's `constraints/{constraint}` does not allow bucket `acme-files`");
            assert!(printed.contains(&told), "{told}: {printed}");
        }
        let describes =
            format!("`gcloud resource-manager org-policies describe {constraint} --project=acme-ml --effective`");
        assert!(refused.contains(&describes), "{refused}");
    }
    wrote_nothing(&stage);
}

/// Which locations are in a group of them nobody asks: the creation says it.
#[test]
fn group_of_locations_is_not_judged() {
    let stage = GCP.planned();
    set_policy(&stage, "gcp.resourceLocations", json!({"allowedValues": ["in:asia-locations"]}));
    let planned = GCP.ends(&stage, 0, &["plan"]);
    assert!(!planned.contains("refused"), "{planned}");
    let failed = GCP.run(&stage, &["apply", "--yes"]);
    let failed = failed.stdout + &failed.stderr;
    assert!(failed.contains("violates constraint 'constraints/gcp.resourceLocations'"), "{failed}");
}

#[test]
fn api_that_is_off_stops_an_apply_before_its_first_write() {
    for (operations, api) in [("storage.json:*", "storage"), ("pubsub:*", "pubsub"), ("iam:*", "iam")] {
        let stage = GCP.planned();
        let (status, code) = (403, "SERVICE_DISABLED".to_owned());
        let what = What::Error { status, code, message: format!("{api} has not been used in project acme-ml before") };
        stage.faults().fault(Fault { operation: operations.to_owned(), nth: Nth::Every, at: When::Before, what });
        let refused = GCP.ends(&stage, 1, &["apply", "--yes"]);
        assert!(refused.contains(&format!("gcloud services enable {api}.googleapis.com")), "{refused}");
        wrote_nothing(&stage);
    }
}

/// One permission that a project does not know keeps none of the others from being tested.
#[test]
fn permission_that_cannot_be_tested_is_not_known_alone() {
    let stage = GCP.planned();
    let whole = document(&GCP, &stage, "apply");
    attach(&stage, &without(&GCP, &whole, "storage.buckets.create"));
    let (status, code) = (400, "INVALID_ARGUMENT".to_owned());
    let message = "Permission storage.buckets.setIamPolicy is not valid for this resource.".to_owned();
    for number in [1, 3] {
        let what = What::Error { status, code: code.clone(), message: message.clone() };
        let (operation, nth) = ("resourcemanager:TestIamPermissions".to_owned(), Nth::Number(number));
        stage.faults().fault(Fault { operation, nth, at: When::Before, what });
    }
    let planned = GCP.ends(&stage, 0, &["plan"]);
    assert!(planned.contains("`storage.buckets.create`"), "{planned}");
    let unknown: Vec<_> = planned.lines().filter(|line| line.starts_with("Rights not known: ")).collect();
    let only = |line: &&&str| line.starts_with("Rights not known: `storage.buckets.setIamPolicy`, because ");
    assert!(unknown.iter().any(|line| only(&line)), "{planned}");
    wrote_nothing(&stage);
}
