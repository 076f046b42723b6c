//! Resource Groups Tagging: what carries a tag.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::error::{Error, Reply};
use super::json;
use super::tags::Tags;
use super::{rights, s3, sqs};
use crate::state::Transaction;

pub(super) fn serve(call: &Call<'_>) -> Reply {
    match call.name() {
        "GetResources" => call.world.store.transaction(|state| get_resources(state, call)),
        _ => Err(Error::unserved(&call.operation)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct GetResources {
    pagination_token: Option<String>,
    #[serde(default)]
    tag_filters: Vec<TagFilter>,
    resources_per_page: Option<usize>,
    #[serde(default)]
    resource_type_filters: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct TagFilter {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// Resources of the caller's account and region that have or had tags; all filters must fit
/// <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>.
fn get_resources(state: &mut Transaction<'_>, call: &Call<'_>) -> Reply {
    let input: GetResources = json::input(call)?;
    let account = call.caller.account()?;
    rights::need(call, "tag:GetResources", "*")?;
    let left = left(state, call, account)?;
    // What is there again is not listed as it was, whatever it has now.
    let may_fit =
        |value: &Value| !left.is_empty() || input.tag_filters.iter().all(|filter| filter.may_fit(&value["tags"]));
    let mut resources = s3::tagged(state, call, account, may_fit)?;
    resources.extend(sqs::tagged(state, call, account, may_fit)?);
    let left: Vec<_> = left.into_iter().filter(|(arn, _)| resources.iter().all(|(there, _)| there != arn)).collect();
    resources.extend(left);
    resources.retain(|(arn, tags)| {
        !tags.is_empty()
            && input.tag_filters.iter().all(|filter| filter.fits(tags))
            && (input.resource_type_filters.is_empty()
                || input.resource_type_filters.iter().any(|kind| is_of(arn, kind)))
    });
    let from = input.pagination_token.and_then(|token| token.parse().ok()).unwrap_or(0).min(resources.len());
    let to = resources.len().min(from + input.resources_per_page.unwrap_or(50).clamp(1, 100));
    let token = if to < resources.len() { to.to_string() } else { String::new() };
    let page: Vec<_> = resources[from..to].iter().map(|(arn, tags)| mapping(arn, tags)).collect();
    json::answer(call, &serde_json::json!({ "PaginationToken": token, "ResourceTagMappingList": page }))
}

/// The tags of what was deleted.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    tags: Tags,
    at_ms: u64,
}

fn left_key(account: &str, region: &str) -> String {
    format!("tags/left/{account}/{region}/")
}

/// Something was deleted: the index goes on listing it for a while, as long as `tags.gone` says.
pub(super) fn leave(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    account: &str,
    region: &str,
    arn: &str,
    tags: &Tags,
) -> Result<(), Error> {
    if call.delay_ms("tags.gone") > 0 {
        let left = Left { tags: tags.clone(), at_ms: call.now_ms };
        state.put(&format!("{}{arn}", left_key(account, region)), &left)?;
    }
    Ok(())
}

fn left(state: &Transaction<'_>, call: &Call<'_>, account: &str) -> Result<Vec<(String, Tags)>, Error> {
    let (prefix, delay_ms) = (left_key(account, call.caller.region()), call.delay_ms("tags.gone"));
    let left = state.scan::<Left>(&prefix)?.into_iter();
    let listed = left.filter(|(_, left)| call.now_ms < left.at_ms.saturating_add(delay_ms));
    Ok(listed.map(|(key, left)| (key[prefix.len()..].to_owned(), left.tags)).collect())
}

impl TagFilter {
    /// Whether tags as they are kept, with those that others see still, have one of the values: most of many have none.
    fn may_fit(&self, kept: &Value) -> bool {
        self.values.is_empty() || self.values.iter().any(|wanted| has(kept, wanted))
    }

    fn fits(&self, tags: &Tags) -> bool {
        tags.get(&self.key).is_some_and(|value| self.values.is_empty() || self.values.contains(value))
    }
}

/// Whether a text stands anywhere in a value.
fn has(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(values) => values.iter().any(|value| has(value, text)),
        Value::Object(members) => members.values().any(|value| has(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `s3`, `s3:bucket`, `sqs`, `sqs:queue`
fn is_of(arn: &str, kind: &str) -> bool {
    let service = arn.split(':').nth(2).unwrap_or_default();
    kind == service || kind == if service == "s3" { "s3:bucket" } else { "sqs:queue" }
}

fn mapping(arn: &str, tags: &Tags) -> serde_json::Value {
    let tag = |(key, value): (&String, &String)| Tag { key: key.clone(), value: value.clone() };
    let tags: Vec<_> = tags.iter().map(tag).collect();
    serde_json::json!({ "ResourceARN": arn, "Tags": tags })
}
