//! A bucket for a server of another project.

use serde_json::{Value, json};

use provision_tests::stage::Hand;

use super::GCP;
use super::hand::{POLICY, list, policy};
use crate::clouds::{Byob, Edit, Setting};

const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://wandb.ai"
[gcp]
project = "acme-ml"
[gcp.bucket]
name = "acme-files"
[gcp.topic]
enabled = false
[gcp.access]
members = ["serviceAccount:other@acme-ml.iam.gserviceaccount.com", "group:ml@acme.example"]
"#;

const ROLE: &str = "roles/storage.admin";

fn let_in(hand: &Hand) -> Vec<String> {
    let bindings = list(&hand.ask("GET", POLICY, &Value::Null).1["bindings"]);
    let members =
        bindings.iter().filter(|binding| binding["role"] == ROLE).flat_map(|binding| list(&binding["members"]));
    let mut members: Vec<_> = members.map(|member| member.as_str().unwrap().to_owned()).collect();
    members.sort();
    members
}

/// Replaces the members of the role.
fn set_members(hand: &Hand, members: &[&str]) {
    let mut found = policy(hand, POLICY);
    let mut bindings = list(&found["bindings"]);
    bindings.retain(|binding| binding["role"] != ROLE);
    if !members.is_empty() {
        bindings.push(json!({"role": ROLE, "members": members}));
    }
    found["bindings"] = json!(bindings);
    hand.send("PUT", POLICY, found);
}

pub(crate) const BYOB: Byob = Byob {
    plan: PLAN,
    exchanged: Setting {
        old: "group:ml@acme.example",
        new: "group:lab@acme.example",
        shows: "members.group:lab@acme.example",
    },
    without: (
        "[gcp.access]\nmembers = [\"serviceAccount:other@acme-ml.iam.gserviceaccount.com\", \"group:ml@acme.example\"]\n",
        "",
    ),
    adopting: &[("\"acme-files\"\n", "\"acme-files\"\nadopt = true\n")],
    let_in,
    applied: &["bucket acme-files", "member", "rule"],
    granted: &["group:ml@acme.example", "serviceAccount:other@acme-ml.iam.gserviceaccount.com"],
    granted_then: &["group:lab@acme.example", "serviceAccount:other@acme-ml.iam.gserviceaccount.com"],
    // One of them is the plan file's too: it was there before us.
    let_in_by_others: |hand| {
        (GCP.foreign.unmarked)(hand);
        set_members(hand, &["group:theirs@acme.example", "group:ml@acme.example"]);
    },
    joins: (
        |hand| {
            let members = [let_in(hand), vec!["group:joined@acme.example".to_owned()]].concat();
            set_members(hand, &members.iter().map(String::as_str).collect::<Vec<_>>());
        },
        "group:joined@acme.example",
    ),
    granted_beside: &[
        "group:ml@acme.example",
        "group:theirs@acme.example",
        "serviceAccount:other@acme-ml.iam.gserviceaccount.com",
    ],
    imported: &[
        "google_storage_bucket.files",
        "google_storage_bucket_iam_member.serviceAccount_other_acme_ml_iam_gserviceaccount_com",
        "google_storage_bucket_iam_member.group_ml_acme_example",
    ],
    shut_out: Edit { shows: "members.group:ml@acme.example", make: |hand| set_members(hand, &[]) },
    emptying: ("storage.json:buckets.setIamPolicy", "storage.json:objects.delete"),
};
