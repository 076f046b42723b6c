//! What is made, as Terraform's provider `hashicorp/azurerm` imports it
//! (<https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs>).
//!
//! Tags and metadata are left to provision: its own among them would be taken away.

use provision_core::cors::CorsRule;
use provision_core::hcl::Body;
use provision_core::terraform::Managed;
use serde_json::{Value, json};

use crate::config::Settings;
use crate::names::{Names, Part};
use crate::permissions::document::Assigned;
use crate::resources::shared_account::is_by_key;
use crate::resources::{access, cors};

/// A part; `events` is the id of our event subscription, and whether the account's own system topic has it.
pub(crate) fn managed(settings: &Settings, names: &Names, part: Part, events: Option<&str>) -> Vec<Managed> {
    match part {
        Part::ResourceGroup => vec![group(settings, names)],
        Part::Account => vec![account(settings, names)],
        Part::Container => vec![container(names)],
        // The account says it.
        Part::Cors => Vec::new(),
        Part::Queue => queue(names).into_iter().collect(),
        Part::Events => events.and_then(|id| subscription(settings, names, id)).into_iter().collect(),
        Part::Access => assignments(settings, names),
    }
}

fn ignoring(body: Body, what: &str) -> Body {
    body.block("lifecycle", Body::default().expression("ignore_changes", format!("[{what}]")))
}

fn group(settings: &Settings, names: &Names) -> Managed {
    let body = Body::default().text("name", &names.group).text("location", settings.location());
    Managed::new("azurerm_resource_group", "wandb", names.group_id(), ignoring(body, "tags"))
}

/// An account of ours, with the rule for browsers and what it keeps of deleted blobs. Its kind and its access tier are what is made here.
fn account(settings: &Settings, names: &Names) -> Managed {
    let sku = json!(settings.azure.account.sku);
    let (tier, replication) = sku.as_str().and_then(|sku| sku.split_once('_')).unwrap_or_default();
    let body = Body::default()
        .text("name", &names.account)
        .text("resource_group_name", &names.group)
        .text("location", settings.location())
        .text("account_tier", tier)
        .text("account_replication_type", replication)
        .text("min_tls_version", "TLS1_2")
        .expression("https_traffic_only_enabled", true)
        .expression("allow_nested_items_to_be_public", false)
        .expression("public_network_access_enabled", true);
    let body = if is_by_key(settings) { body.expression("shared_access_key_enabled", true) } else { body };
    let blobs = Body::default().block("cors_rule", rule(&cors::desired_rule(settings)));
    let days = settings.azure.account.soft_delete_days();
    let kept = (days > 0).then(|| Body::default().expression("days", days));
    let blobs = kept.into_iter().fold(blobs, |blobs, kept| blobs.block("delete_retention_policy", kept));
    let body = ignoring(body.block("blob_properties", blobs), "tags");
    // `rule` is the facet of `azure.cors`, which stands in the account.
    Managed::new("azurerm_storage_account", "wandb", names.account_id(), body).whole_of(&["rule"])
}

fn rule(rule: &CorsRule) -> Body {
    Body::default()
        .texts("allowed_headers", &rule.headers)
        .texts("allowed_methods", &rule.methods)
        .texts("allowed_origins", &rule.origins)
        .texts("exposed_headers", &rule.expose)
        .expression("max_age_in_seconds", rule.max_age_s)
}

fn container(names: &Names) -> Managed {
    let body = Body::default()
        .text("name", &names.container)
        .text("storage_account_id", names.account_id())
        .text("container_access_type", "private");
    let id = names.container_id(&names.container);
    Managed::new("azurerm_storage_container", "files", id, ignoring(body, "metadata"))
}

fn queue(names: &Names) -> Option<Managed> {
    let queue = names.queue.as_ref()?;
    let body = Body::default().text("name", queue).text("storage_account_id", names.account_id());
    Some(Managed::new("azurerm_storage_queue", "events", names.queue_id(queue), ignoring(body, "metadata")))
}

/// One on the account itself, or of its system topic.
fn subscription(settings: &Settings, names: &Names, id: &str) -> Option<Managed> {
    let queue = names.queue.as_ref()?;
    let body = Body::default().text("name", &names.events);
    let topic = id.split_once("/systemTopics/").and_then(|(group, rest)| {
        let group = group.split('/').nth(4)?;
        Some((group, rest.split('/').next()?))
    });
    let (kind, body) = match topic {
        Some((group, topic)) => {
            let body = body.text("system_topic", topic).text("resource_group_name", group);
            ("azurerm_eventgrid_system_topic_event_subscription", body)
        }
        None => ("azurerm_eventgrid_event_subscription", body.text("scope", names.account_id())),
    };
    // Without it the service forgets them after a week.
    let kept = settings.azure.events.message_ttl_s.unwrap_or(-1);
    let endpoint = Body::default()
        .text("storage_account_id", names.account_id())
        .text("queue_name", queue)
        .expression("queue_message_time_to_live_in_seconds", kept);
    let prefix = format!("/blobServices/default/containers/{}/blobs/", names.container);
    let body = body
        .text("event_delivery_schema", "EventGridSchema")
        .texts("included_event_types", &["Microsoft.Storage.BlobCreated"])
        .block("storage_queue_endpoint", endpoint)
        .block("subject_filter", Body::default().text("subject_begins_with", prefix));
    Some(Managed::new(kind, "files", id.to_owned(), body))
}

fn assignments(settings: &Settings, names: &Names) -> Vec<Managed> {
    let assignment = |assigned: Assigned<'_>| {
        let principal = assigned.principal?;
        let name = assigned.resource_name(assigned.short);
        let body = Body::default()
            .text("scope", assigned.scope)
            .text("role_definition_name", assigned.role)
            .text("principal_id", principal);
        let kind = settings.principal_type(principal).map(|kind| json!(kind));
        let kind = kind.as_ref().and_then(Value::as_str);
        let body = kind.into_iter().fold(body, |body, kind| body.text("principal_type", kind));
        Some(Managed::new("azurerm_role_assignment", name, assigned.id, body))
    };
    access::assigned(settings, names).into_iter().filter_map(assignment).collect()
}
