//! What is made, as Terraform's provider `hashicorp/google` imports it
//! (<https://registry.terraform.io/providers/hashicorp/google/latest/docs>).
//!
//! Labels are left to provision: its own among them would be taken away.

use provision_core::cors::CorsRule;
use provision_core::facet::Desired;
use provision_core::hcl::{self, Body};
use provision_core::terraform::Managed;

use crate::client::notifications::Notification;
use crate::config::{MEMBER_ROLE, SERVER_ACCOUNT_ROLES, SERVER_BUCKET_ROLES, SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::names::{Names, Part, account_name};
use crate::resources::{cors, topic};

/// A part with the facets that are ours; `notifications` are those of the bucket.
pub(crate) fn managed(
    settings: &Settings,
    names: &Names,
    part: Part,
    desired: &[Desired],
    notifications: &[Notification],
) -> Vec<Managed> {
    match part {
        Part::Bucket => std::iter::once(bucket(settings, desired)).chain(members(settings, names)).collect(),
        Part::Topic => topic(names),
        Part::Subscription => subscription(settings, names, desired),
        Part::Notification => notification(names, notifications).into_iter().collect(),
        Part::Access => access(settings, names),
    }
}

/// Labels stay as they are.
fn unlabelled(body: Body) -> Body {
    body.block("lifecycle", Body::default().expression("ignore_changes", "[labels]"))
}

/// What is not ours stays as it is.
fn bucket(settings: &Settings, desired: &[Desired]) -> Managed {
    let bucket = &settings.gcp.bucket;
    let has = |facet: &str| desired.iter().any(|desired| desired.facet.name == facet && !desired.value.is_null());
    let mut body = Body::default()
        .text("name", &bucket.name)
        .text("project", &settings.gcp.project)
        .text("location", bucket.location());
    if has("storage") {
        body = body.text("storage_class", bucket.storage_class.unwrap_or_default().name());
    }
    if has("public_access") {
        body = body.expression("uniform_bucket_level_access", true).text("public_access_prevention", "enforced");
    }
    body = body.block("cors", rule(&cors::rule(settings)));
    if has("versioning") {
        let on = bucket.versioning.unwrap_or_default();
        body = body.block("versioning", Body::default().expression("enabled", on));
    }
    if has("soft_delete_days") {
        let seconds = u64::from(bucket.soft_delete_days()) * 86_400;
        body = body.block("soft_delete_policy", Body::default().expression("retention_duration_seconds", seconds));
    }
    if let Some(encryption) = &bucket.encryption {
        body = body.block("encryption", Body::default().text("default_kms_key_name", &encryption.kms_key));
    }
    Managed::new("google_storage_bucket", "files", bucket.name.clone(), unlabelled(body)).whole_of(&["cors"])
}

fn rule(rule: &CorsRule) -> Body {
    Body::default()
        .texts("method", &rule.methods)
        .texts("origin", &rule.origins)
        .texts("response_header", &rule.expose)
        .expression("max_age_seconds", rule.max_age_s)
}

/// A role of a member on something, whose id is all three.
fn member(kind: &'static str, name: impl Into<String>, on: &str, role: &str, member: &str, body: Body) -> Managed {
    let body = body.text("role", role).text("member", member);
    Managed::new(kind, name, format!("{on} {role} {member}"), body)
}

/// Those whose server is somebody else's.
fn members(settings: &Settings, names: &Names) -> Vec<Managed> {
    let on = format!("b/{}", names.bucket);
    let each = settings.members().iter().map(|one| {
        let body = Body::default().text("bucket", &names.bucket);
        member("google_storage_bucket_iam_member", hcl::name(one), &on, MEMBER_ROLE, one, body)
    });
    each.collect()
}

fn topic(names: &Names) -> Vec<Managed> {
    let Some(topic) = &names.topic else { return Vec::new() };
    let (full, project) = (names.topic_name(topic), &names.project);
    let body = Body::default().text("name", topic).text("project", project);
    let whole = Managed::new("google_pubsub_topic", "events", full.clone(), unlabelled(body));
    let publisher = names.agent.as_ref().map(|agent| {
        let body = Body::default().text("project", project).text("topic", topic);
        let agent = format!("serviceAccount:{agent}");
        member("google_pubsub_topic_iam_member", "publisher", &full, topic::ROLES[0], &agent, body)
    });
    std::iter::once(whole).chain(publisher).collect()
}

fn subscription(settings: &Settings, names: &Names, desired: &[Desired]) -> Vec<Managed> {
    let (Some(subscription), Some(topic)) = (&names.subscription, &names.topic) else { return Vec::new() };
    let (full, project) = (names.subscription_name(subscription), &names.project);
    let attributes = desired.iter().find(|desired| desired.facet.name == "attributes").map(|desired| &desired.value);
    let seconds = |field: &str| attributes.and_then(|attributes| attributes[field].as_u64());
    let mut body =
        Body::default().text("name", subscription).text("project", project).text("topic", names.topic_name(topic));
    if let Some(deadline) = seconds("ack_deadline_s") {
        body = body.expression("ack_deadline_seconds", deadline);
    }
    if let Some(retention) = seconds("retention_s") {
        body = body.text("message_retention_duration", format!("{retention}s"));
    }
    if attributes.is_some_and(|attributes| attributes["expires"].is_string()) {
        body = body.block("expiration_policy", Body::default().text("ttl", ""));
    }
    let whole = Managed::new("google_pubsub_subscription", "events", full.clone(), unlabelled(body));
    let roles = SERVER_SUBSCRIPTION_ROLES.iter().zip(["subscriber", "viewer"]);
    let granted = settings.service_account().into_iter().flat_map(|email| {
        let server = format!("serviceAccount:{email}");
        let full = full.clone();
        roles.clone().map(move |(role, name)| {
            let body = Body::default().text("project", project).text("subscription", subscription);
            member("google_pubsub_subscription_iam_member", name, &full, role, &server, body)
        })
    });
    std::iter::once(whole).chain(granted).collect()
}

/// The first one to the topic is ours, as everywhere.
fn notification(names: &Names, notifications: &[Notification]) -> Option<Managed> {
    let topic = names.topic_name(names.topic.as_ref()?);
    let to_ours = |found: &&Notification| found.topic.ends_with(&format!("/{topic}"));
    let found = notifications.iter().filter(to_ours).min_by_key(|found| found.id.parse::<u64>().unwrap_or(u64::MAX))?;
    let id = format!("{}/notificationConfigs/{}", names.bucket, found.id);
    let body = Body::default()
        .text("bucket", &names.bucket)
        .text("topic", topic)
        .text("payload_format", &found.payload_format)
        .texts("event_types", &found.event_types);
    Some(Managed::new("google_storage_notification", "events", id, body))
}

fn access(settings: &Settings, names: &Names) -> Vec<Managed> {
    let Some(email) = settings.service_account() else { return Vec::new() };
    let (server, account) = (format!("serviceAccount:{email}"), account_name(email));
    let body = Body::default().text("bucket", &names.bucket);
    let on = format!("b/{}", names.bucket);
    let [objects, tokens] = [SERVER_BUCKET_ROLES[0], SERVER_ACCOUNT_ROLES[0]];
    let account_body = Body::default().text("service_account_id", &account);
    vec![
        member("google_storage_bucket_iam_member", "server", &on, objects, &server, body),
        member("google_service_account_iam_member", "server", &account, tokens, &server, account_body),
    ]
}
