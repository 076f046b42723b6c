//! What is made, as Terraform's provider `hashicorp/aws` imports it
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs>).
//!
//! Tags are left to provision: its own among them would be taken away.

use provision_core::cors::CorsRule;
use provision_core::facet::Desired;
use provision_core::hcl::Body;
use provision_core::terraform::Managed;
use serde_json::{Map, Value, json};

use crate::config::{Encryption, Settings};
use crate::names::{Names, Part};
use crate::policy::document;
use crate::resources::cors;

/// A part with the facets that are ours.
pub(crate) fn managed(settings: &Settings, names: &Names, part: Part, desired: &[Desired]) -> Vec<Managed> {
    let facets = desired.iter().filter(|desired| !desired.value.is_null());
    match part {
        Part::Bucket => {
            let whole = Managed::new("aws_s3_bucket", "files", names.bucket.clone(), untagged(bucket_body(names)));
            let on_it = facets.filter_map(|facet| bucket_setting(settings, names, facet.facet.name, &facet.value));
            std::iter::once(whole).chain(on_it).chain(bucket_policy(names, desired)).collect()
        }
        Part::Queue => queue("events", names, names.queue.as_deref().unwrap_or_default(), desired),
        Part::RunQueue => queue("runs", names, names.run_queue.as_deref().unwrap_or_default(), desired),
        Part::Notification => facets.map(|facet| notification(names, &facet.value)).collect(),
        Part::Access => facets.flat_map(|facet| policies(&facet.value)).collect(),
    }
}

fn bucket_body(names: &Names) -> Body {
    Body::default().text("bucket", &names.bucket)
}

/// Tags stay as they are.
fn untagged(body: Body) -> Body {
    body.block("lifecycle", Body::default().expression("ignore_changes", "[tags, tags_all]"))
}

/// What Terraform has a resource of its own for.
fn bucket_setting(settings: &Settings, names: &Names, facet: &str, value: &Value) -> Option<Managed> {
    let body = bucket_body(names);
    let (kind, body, shared): (_, _, &[_]) = match facet {
        "ownership" => {
            let rule = Body::default().text("object_ownership", value.as_str()?);
            ("aws_s3_bucket_ownership_controls", body.block("rule", rule), &[])
        }
        "public_access" => {
            let blocked = value.as_object()?.iter();
            let body = blocked.fold(body, |body, (name, on)| body.expression(name, on));
            ("aws_s3_bucket_public_access_block", body, &[])
        }
        "encryption" => {
            let default = match &settings.aws.bucket.encryption {
                Some(Encryption::Key(key)) => {
                    Body::default().text("sse_algorithm", "aws:kms").text("kms_master_key_id", &key.kms_key)
                }
                _ => Body::default().text("sse_algorithm", "AES256"),
            };
            let rule = Body::default().block("apply_server_side_encryption_by_default", default);
            ("aws_s3_bucket_server_side_encryption_configuration", body.block("rule", rule), &[])
        }
        "versioning" => {
            // One that never had any takes `Disabled` alone.
            let status = if value == true { "Enabled" } else { "Disabled" };
            let versions = Body::default().text("status", status);
            ("aws_s3_bucket_versioning", body.block("versioning_configuration", versions), &[])
        }
        "cors" => {
            let rule = rule(&cors::rule(settings)).text("id", &names.ids[0]);
            ("aws_s3_bucket_cors_configuration", body.block("cors_rule", rule), &["cors"])
        }
        _ => return None,
    };
    Some(Managed::new(kind, "files", names.bucket.clone(), body).whole_of(shared))
}

/// All of our statements: a bucket has one policy.
fn bucket_policy(names: &Names, desired: &[Desired]) -> Option<Managed> {
    let ours = desired.iter().filter(|desired| ["policy", "principals"].contains(&desired.facet.name));
    let ours: Vec<_> = ours.map(|desired| desired.value.clone()).filter(|value| !value.is_null()).collect();
    let body = bucket_body(names).text("policy", document(&json!(ours)));
    (!ours.is_empty())
        .then(|| Managed::new("aws_s3_bucket_policy", "files", names.bucket.clone(), body).whole_of(&["policy"]))
}

fn rule(rule: &CorsRule) -> Body {
    Body::default()
        .texts("allowed_headers", &rule.headers)
        .texts("allowed_methods", &rule.methods)
        .texts("allowed_origins", &rule.origins)
        .texts("expose_headers", &rule.expose)
        .expression("max_age_seconds", rule.max_age_s)
}

/// A policy of these statements, or of this one.
fn statements(value: &Value) -> String {
    let list = if value.is_array() { value.clone() } else { Value::Array(vec![value.clone()]) };
    document(&list)
}

fn queue(name: &'static str, names: &Names, queue: &str, desired: &[Desired]) -> Vec<Managed> {
    const SECONDS: [(&str, &str); 3] = [
        ("receive_wait_s", "receive_wait_time_seconds"),
        ("visibility_timeout_s", "visibility_timeout_seconds"),
        ("retention_s", "message_retention_seconds"),
    ];
    let url = names.queue_url(queue);
    let value = |facet: &str| desired.iter().find(|desired| desired.facet.name == facet).map(|desired| &desired.value);
    let mut body = Body::default().text("name", queue);
    for (field, argument) in SECONDS {
        if let Some(seconds) = value("attributes").and_then(|attributes| attributes[field].as_u64()) {
            body = body.expression(argument, seconds);
        }
    }
    if value("encryption").is_some() {
        body = body.expression("sqs_managed_sse_enabled", true);
    }
    let policy = value("policy").filter(|policy| !policy.is_null()).map(|policy| {
        let body = Body::default()
            .expression("queue_url", format!("aws_sqs_queue.{name}.id"))
            .text("policy", statements(policy));
        Managed::new("aws_sqs_queue_policy", name, url.clone(), body).whole_of(&["policy"])
    });
    let whole = Managed::new("aws_sqs_queue", name, url.clone(), untagged(body));
    std::iter::once(whole).chain(policy).collect()
}

fn notification(names: &Names, value: &Value) -> Managed {
    let queue = value["queue"].as_str().unwrap_or_default();
    let events: Vec<_> = value["events"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let to_queue = Body::default().text("id", &names.ids[0]).text("queue_arn", queue).texts("events", &events);
    let body = bucket_body(names).block("queue", to_queue);
    Managed::new("aws_s3_bucket_notification", "files", names.bucket.clone(), body).whole_of(&["entry"])
}

/// The policies of roles: statements under `role/policy`.
fn policies(value: &Value) -> Vec<Managed> {
    let policies = value.as_object().into_iter().flat_map(Map::iter);
    let policy = |(place, statements): (&String, &Value)| {
        let (role, policy) = place.split_once('/')?;
        let body = Body::default().text("name", policy).text("role", role).text("policy", document(statements));
        Some(Managed::new("aws_iam_role_policy", "server", format!("{role}:{policy}"), body))
    };
    policies.filter_map(policy).collect()
}
