//! A container for a server of another directory, which signs in as one of two identities of this one.

use provision_tests::stage::Hand;
use serde_json::json;

use super::AZURE;
use super::hand::{ACCOUNT, SERVER, SUBSCRIPTION, assignments, delete_assignments};
use crate::clouds::{Byob, Edit, Setting};

const PLAN: &str = r#"
[deployment]
name = "wandb-prod"
host = "https://acme.wandb.io"
[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = { name = "wandb", create = true }
location = "westeurope"
[azure.account]
name = "acmefiles"
[azure.container]
name = "wandb-files"
[azure.queue]
enabled = false
[azure.access]
identities = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
federation = { issuer = "https://oidc.example.com", subjects = ["system:serviceaccount:default:wandb-app"] }
"#;

const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
const CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

/// Who has which role, as the first digit and the name.
fn let_in(hand: &Hand) -> Vec<String> {
    let text = |one: &serde_json::Value, key: &str| one["properties"][key].as_str().unwrap().to_owned();
    let who = assignments(hand).into_iter().map(|one| {
        let role = match text(&one, "roleDefinitionId").rsplit('/').next().unwrap() {
            READER => "Reader".to_owned(),
            CONTRIBUTOR => "Storage Blob Data Contributor".to_owned(),
            other => other.to_owned(),
        };
        format!("{} {role}", &text(&one, "principalId")[..1])
    });
    let mut who: Vec<_> = who.collect();
    who.sort();
    who
}

/// Others give a role to somebody whom no plan file names.
fn assign(hand: &Hand) {
    let role = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}");
    let assignment = json!({"properties": {"roleDefinitionId": role, "principalId": SERVER.replace('1', "3")}});
    let id = "0a0a0a0a-0000-4000-8000-000000000007";
    hand.send("PUT", &format!("{ACCOUNT}/providers/Microsoft.Authorization/roleAssignments/{id}"), assignment);
}

pub(crate) const BYOB: Byob = Byob {
    plan: PLAN,
    exchanged: Setting {
        old: "\"22222222-2222-2222-2222-222222222222\"",
        new: "\"99999999-9999-9999-9999-999999999999\"",
        shows: "identities.Reader of 99999999-9999-9999-9999-999999999999",
    },
    without: (
        "[azure.access]\nidentities = [\"11111111-1111-1111-1111-111111111111\", \"22222222-2222-2222-2222-222222222222\"]\nfederation = { issuer = \"https://oidc.example.com\", subjects = [\"system:serviceaccount:default:wandb-app\"] }\n",
        "",
    ),
    adopting: &[
        ("create = true }", "create = false }"),
        ("\"acmefiles\"\n", "\"acmefiles\"\ncreate = false\n"),
        ("\"wandb-files\"\n", "\"wandb-files\"\nadopt = true\n"),
    ],
    let_in,
    applied: &[
        "account acmefiles",
        "assignment",
        "assignment",
        "assignment",
        "assignment",
        "container wandb-files",
        "group wandb",
        "rule",
    ],
    granted: &["1 Reader", "1 Storage Blob Data Contributor", "2 Reader", "2 Storage Blob Data Contributor"],
    granted_then: &["1 Reader", "1 Storage Blob Data Contributor", "9 Reader", "9 Storage Blob Data Contributor"],
    let_in_by_others: |hand| {
        (AZURE.foreign.unmarked)(hand);
        assign(hand);
    },
    joins: (assign, "3 Storage Blob Data Contributor"),
    granted_beside: &[
        "1 Reader",
        "1 Storage Blob Data Contributor",
        "2 Reader",
        "2 Storage Blob Data Contributor",
        "3 Storage Blob Data Contributor",
    ],
    imported: &[
        "azurerm_role_assignment.reader_11111111_1111_1111_1111_111111111111",
        "azurerm_role_assignment.blobs_11111111_1111_1111_1111_111111111111",
        "azurerm_role_assignment.reader_22222222_2222_2222_2222_222222222222",
        "azurerm_role_assignment.blobs_22222222_2222_2222_2222_222222222222",
        "azurerm_resource_group.wandb",
        "azurerm_storage_account.wandb",
        "azurerm_storage_container.files",
    ],
    shut_out: Edit { shows: "missing", make: delete_assignments },
    emptying: ("arm:roleAssignments.delete", "blob:DeleteBlob"),
};
