//! What callers may do: a service account what the policies of a bucket, topic, subscription or account let it, and that of their
//! project; everybody else everything, until a role is attached, and then what that says.

use std::collections::BTreeSet;

use super::call::Call;
use super::caller::Caller;
use super::policy::Stored;
use super::project::{self, Account, Project, account_key};
use super::pubsub::{subscription, topic};
use super::refusal::Refusal;
use super::storage::bucket;
use crate::sandbox::EmulatorKind;
use crate::state::Transaction;

/// The permissions of a custom role's file, and those of roles that the lines in its comments make.
fn permissions(document: &str) -> BTreeSet<String> {
    let listed = document.lines().filter_map(|line| line.trim_start().strip_prefix("- "));
    let made = document.lines().filter(|line| line.starts_with('#'));
    let made = made.filter_map(|line| line.split_once("--permissions=")?.1.split_whitespace().next());
    listed.chain(made.flat_map(|list| list.split(','))).map(|permission| permission.trim().to_owned()).collect()
}

/// A role as it is attached to callers.
pub(crate) fn check(document: &str) -> Result<(), String> {
    let permissions = permissions(document);
    let is_one = |permission: &String| permission.split('.').count() >= 3 && !permission.contains(char::is_whitespace);
    match permissions.iter().find(|permission| !is_one(permission)) {
        Some(other) => Err(format!("`{other}` is no permission")),
        None if permissions.is_empty() => Err("a role without permissions lets nobody do anything".to_owned()),
        None => Ok(()),
    }
}

/// Let a call pass, or not. Who uses a signed URL is whoever signed it.
pub(super) fn permit(state: &Transaction<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let caller = Caller::of(state, call)?;
    let of_xml = if caller == Caller::User { Vec::new() } else { of_xml(call) };
    for permission in needed(call).into_iter().chain(of_xml) {
        if !holds(state, call, &permission)? {
            return Err(Refusal::denied(message(&caller, call, &permission)));
        }
    }
    Ok(())
}

/// Whether who calls has a permission on what the call is about.
pub(super) fn holds(state: &Transaction<'_>, call: &Call<'_>, permission: &str) -> Result<bool, Refusal> {
    match Caller::of(state, call)? {
        Caller::User => Ok(user_holds(call, permission)),
        Caller::Account(email) => account_holds(state, call, &email, permission),
    }
}

/// By the policy of the thing itself, or by that of its project, which all in it have from there
/// <https://cloud.google.com/iam/docs/resource-hierarchy-access-control>.
fn account_holds(state: &Transaction<'_>, call: &Call<'_>, email: &str, permission: &str) -> Result<bool, Refusal> {
    let member = format!("serviceAccount:{email}");
    let project = project(state, call)?;
    let by_project = project.as_ref().is_some_and(|project| project.policy.permits(permission, &member, call.now_ms));
    let mut members = project.map(|project| stands_for(&project, &member, call.now_ms)).unwrap_or_default();
    members.push(member);
    let policy = policy(state, call)?;
    let by_policy = |policy: Stored| members.iter().any(|member| policy.permits(permission, member, call.now_ms));
    Ok(by_project || policy.is_some_and(by_policy))
}

/// Those of a project by which policies of buckets name whoever has a basic role there
/// <https://cloud.google.com/storage/docs/access-control/iam#convenience-values>.
fn stands_for(project: &Project, member: &str, now_ms: u64) -> Vec<String> {
    let kinds = [("owner", "projectOwner"), ("editor", "projectEditor"), ("viewer", "projectViewer")];
    let has = |role: &str| project.policy.grants(&[&format!("roles/{role}")], member, now_ms);
    kinds.iter().filter(|(role, _)| has(role)).map(|(_, kind)| format!("{kind}:{}", project.id)).collect()
}

/// The project of what a call is about.
fn project(state: &Transaction<'_>, call: &Call<'_>) -> Result<Option<Project>, Refusal> {
    let (service, verb) = call.operation.split_once(':').unwrap_or_default();
    let name = match service {
        "storage.json" if verb == "projects.serviceAccount.get" => call.name(0).to_owned(),
        "storage.json" | "storage.xml" if !call.name(0).is_empty() => {
            bucket::get(state, call.name(0))?.project.to_string()
        }
        "storage.json" => call.parameter("project").unwrap_or_default().to_owned(),
        "iam" => state.get::<Account>(&account_key(call.name(1)))?.map(|account| account.project).unwrap_or_default(),
        _ => call.name(0).to_owned(),
    };
    Ok(project::find(state, &name)?)
}

/// Whether the user of the printed variables has a permission.
pub(super) fn user_holds(call: &Call<'_>, permission: &str) -> bool {
    let Some(document) = call.world.identities.document(EmulatorKind::Google) else { return true };
    call.world.identities.ask(permission);
    let elsewhere = bound(&document).zip(bucket(call)).is_some_and(|(bound, bucket)| bound != bucket);
    permissions(&document).contains(permission) && !(elsewhere && permission.starts_with("storage."))
}

/// The policy of what a call is about; `None` of what has none here, or is not there.
fn policy(state: &Transaction<'_>, call: &Call<'_>) -> Result<Option<Stored>, Refusal> {
    let (service, verb) = call.operation.split_once(':').unwrap_or_default();
    let named = |kind: &str| format!("projects/{}/{kind}/{}", call.name(0), call.name(1));
    match service {
        // Its name is a project's.
        "storage.json" if verb == "projects.serviceAccount.get" => Ok(None),
        "storage.json" | "storage.xml" if !call.name(0).is_empty() => {
            Ok(Some(bucket::get(state, call.name(0))?.policy))
        }
        "pubsub" if call.path.contains("/topics/") => {
            Ok(topic::find(state, &named("topics"))?.map(|topic| topic.policy))
        }
        "pubsub" => subscription::policy_of(state, &named("subscriptions"), call.now_ms),
        "iam" => Ok(state.get::<Account>(&account_key(call.name(1)))?.map(|account| account.policy)),
        _ => Ok(None),
    }
}

/// Of these permissions those that the caller has on what he asks about.
pub(super) fn held(state: &Transaction<'_>, call: &Call<'_>, asked: Vec<String>) -> Result<Vec<String>, Refusal> {
    let Caller::Account(email) = Caller::of(state, call)? else { return Ok(held_by_user(call, asked)) };
    let mut held = Vec::new();
    for permission in asked {
        if account_holds(state, call, &email, &permission)? {
            held.push(permission);
        }
    }
    Ok(held)
}

/// A condition on a bucket's name does not hold for the project, where buckets are made and listed
/// <https://cloud.google.com/iam/docs/conditions-resource-attributes>.
fn held_by_user(call: &Call<'_>, asked: Vec<String>) -> Vec<String> {
    let Some(document) = call.world.identities.document(EmulatorKind::Google) else { return asked };
    let (granted, bound, asked_of) = (permissions(&document), bound(&document), bucket(call));
    let on_project = |permission: &str| ["storage.buckets.create", "storage.buckets.list"].contains(&permission);
    let fits = |permission: &str| match (bound, asked_of.as_deref()) {
        (Some(bound), Some(bucket)) => bound == bucket,
        (Some(_), None) => !permission.starts_with("storage.") || on_project(permission),
        (None, _) => true,
    };
    asked.into_iter().filter(|permission| granted.contains(permission) && fits(permission)).collect()
}

/// The bucket that the condition of the role's binding names
/// <https://cloud.google.com/iam/docs/conditions-resource-attributes>.
fn bound(document: &str) -> Option<&str> {
    let (_, rest) = document.split_once("resource.name == \"projects/_/buckets/")?;
    rest.split_once('"').map(|(bucket, _)| bucket)
}

/// The bucket that a call is about: by its path, and of gRPC by the header that routes it
/// <https://google.aip.dev/client-libraries/4222>.
fn bucket(call: &Call<'_>) -> Option<String> {
    if call.operation.starts_with("storage.xml:") {
        return Some(call.name(0).to_owned());
    }
    if let Some((_, rest)) = call.path.split_once("/storage/v1/b/") {
        return rest.split('/').next().map(str::to_owned);
    }
    let routed = url::form_urlencoded::parse(call.header("x-goog-request-params")?.as_bytes()).into_owned();
    let mut named = routed.filter_map(|(_, value)| {
        let (_, rest) = value.split_once("projects/_/buckets/")?;
        rest.split('/').next().map(str::to_owned)
    });
    named.next()
}

/// As each service says it <https://cloud.google.com/storage/docs/troubleshooting#access-permission>.
fn message(caller: &Caller, call: &Call<'_>, permission: &str) -> String {
    let denied = format!("Permission '{permission}' denied on resource");
    if call.operation.starts_with("storage") {
        return format!(
            "{} does not have {permission} access to the Google Cloud Storage bucket. {denied} (or it may not exist).",
            caller.email()
        );
    }
    format!("{denied} '{}' (or it may not exist).", call.path.trim_start_matches("/v1/").trim_start_matches("/v3/"))
}

/// The permissions of a call
/// <https://cloud.google.com/storage/docs/access-control/iam-json>, <https://cloud.google.com/pubsub/docs/access-control#required_permissions>,
/// <https://cloud.google.com/iam/docs/service-account-permissions>.
fn needed(call: &Call<'_>) -> Vec<String> {
    let (service, verb) = call.operation.split_once(':').unwrap_or_default();
    let named: Vec<&str> = match (service, verb) {
        ("storage", "CreateBucket") => vec!["storage.buckets.create"],
        ("storage", "GetBucket") => vec!["storage.buckets.get"],
        ("storage", "ListBuckets") => vec!["storage.buckets.list"],
        ("storage", "UpdateBucket") => vec!["storage.buckets.update"],
        ("storage", "DeleteBucket") => vec!["storage.buckets.delete"],
        ("storage", "GetIamPolicy") => vec!["storage.buckets.getIamPolicy"],
        ("storage", "SetIamPolicy") => vec!["storage.buckets.setIamPolicy"],
        ("storage", "ListObjects") => vec!["storage.objects.list"],
        ("storage", "GetObject") => vec!["storage.objects.get"],
        ("storage", "DeleteObject") => vec!["storage.objects.delete"],
        // <https://cloud.google.com/storage/docs/create-ip-filter#required-roles>
        ("storage.json", "buckets.insert") if filters(call) => {
            vec!["storage.buckets.create", "storage.buckets.setIpFilter"]
        }
        ("storage.json", "buckets.insert") => vec!["storage.buckets.create"],
        // <https://cloud.google.com/storage/docs/update-ip-filter#required-roles>
        ("storage.json", "buckets.patch" | "buckets.update") if filters(call) => {
            vec!["storage.buckets.update", "storage.buckets.setIpFilter"]
        }
        ("storage.json", "buckets.patch" | "buckets.update") => vec!["storage.buckets.update"],
        ("storage.json", "notificationConfigs.list" | "notificationConfigs.get") => vec!["storage.buckets.get"],
        ("storage.json", "notificationConfigs.insert" | "notificationConfigs.delete") => vec!["storage.buckets.update"],
        ("storage.json", "projects.serviceAccount.get") => vec!["resourcemanager.projects.get"],
        ("storage.json", "objects.insert") => vec!["storage.objects.create"],
        ("storage.json", "objects.patch" | "objects.update") => vec!["storage.objects.update"],
        // Whoever asks what he may do may ask.
        (_, "buckets.testIamPermissions" | "TestIamPermissions" | "SearchProjects") => vec![],
        ("storage.json", other) => return vec![format!("storage.{other}")],
        ("pubsub", "CreateSubscription") => vec!["pubsub.subscriptions.create", "pubsub.topics.attachSubscription"],
        ("pubsub", "ListTopicSubscriptions") => vec!["pubsub.topics.get"],
        ("pubsub", "Publish") => vec!["pubsub.topics.publish"],
        ("pubsub", "Pull" | "Acknowledge" | "ModifyAckDeadline") => vec!["pubsub.subscriptions.consume"],
        ("pubsub", verb) => return of_pubsub(call, verb).into_iter().collect(),
        ("iam", "GetIamPolicy") => vec!["iam.serviceAccounts.getIamPolicy"],
        ("iam", "SetIamPolicy") => vec!["iam.serviceAccounts.setIamPolicy"],
        ("iam", "GetServiceAccount") => vec!["iam.serviceAccounts.get"],
        ("iam", "ListServiceAccounts") => vec!["iam.serviceAccounts.list"],
        ("iam", "CreateServiceAccount") => vec!["iam.serviceAccounts.create"],
        ("iam", "DeleteServiceAccount") => vec!["iam.serviceAccounts.delete"],
        ("iam", "GenerateAccessToken") => vec!["iam.serviceAccounts.getAccessToken"],
        ("iam", "SignBlob") => vec!["iam.serviceAccounts.signBlob"],
        ("resourcemanager", "GetProject") => vec!["resourcemanager.projects.get"],
        ("resourcemanager", "GetIamPolicy") => vec!["resourcemanager.projects.getIamPolicy"],
        ("resourcemanager", "GetEffectiveOrgPolicy") => vec!["orgpolicy.policy.get"],
        ("resourcemanager", "SetOrgPolicy") => vec!["orgpolicy.policy.set"],
        ("resourcemanager", "SetIamPolicy") => vec!["resourcemanager.projects.setIamPolicy"],
        _ => vec![],
    };
    named.into_iter().map(str::to_owned).collect()
}

/// Whether a call writes the IP filter of a bucket.
fn filters(call: &Call<'_>) -> bool {
    call.json::<serde_json::Map<String, serde_json::Value>>().is_ok_and(|body| body.contains_key("ipFilter"))
}

/// The permissions of a call of the XML API that brings a token
/// <https://cloud.google.com/storage/docs/access-control/iam-xml>.
fn of_xml(call: &Call<'_>) -> Vec<String> {
    let named: &[&str] = match call.operation.as_str() {
        "storage.xml:GetObject" | "storage.xml:HeadObject" => &["storage.objects.get"],
        "storage.xml:PutObject" => &["storage.objects.create"],
        "storage.xml:DeleteObject" => &["storage.objects.delete"],
        _ => &[],
    };
    named.iter().map(|permission| (*permission).to_owned()).collect()
}

/// `GetTopic` is `pubsub.topics.get`; policies have the same names for topics and subscriptions.
fn of_pubsub(call: &Call<'_>, verb: &str) -> Option<String> {
    let kind = if call.path.contains("/subscriptions") { "subscriptions" } else { "topics" };
    let verb = match verb {
        "GetIamPolicy" => "getIamPolicy",
        "SetIamPolicy" => "setIamPolicy",
        verb if verb.starts_with("List") => "list",
        verb if verb.starts_with("Get") => "get",
        verb if verb.starts_with("Create") => "create",
        verb if verb.starts_with("Update") => "update",
        verb if verb.starts_with("Delete") => "delete",
        _ => return None,
    };
    Some(format!("pubsub.{kind}.{verb}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "# gcloud projects add-iam-policy-binding p --condition='expression=resource.name == \"projects/_/buckets/mine\"'
# gcloud iam roles create r_account --project=p --permissions=iam.serviceAccounts.getIamPolicy,iam.serviceAccounts.setIamPolicy
title: r
includedPermissions:
- storage.buckets.get
";

    #[test]
    fn role_is_its_list_and_what_its_lines_make() {
        let all = ["iam.serviceAccounts.getIamPolicy", "iam.serviceAccounts.setIamPolicy", "storage.buckets.get"];
        assert_eq!(permissions(ROLE), all.map(str::to_owned).into());
        assert_eq!((check(ROLE), bound(ROLE)), (Ok(()), Some("mine")));
        assert!(check("includedPermissions:\n- everything\n").is_err() && check("includedPermissions:\n").is_err());
    }
}
