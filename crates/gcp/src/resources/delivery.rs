//! What keeps the server's requests from the bucket, and new files from coming through the topic as they are: settings of others,
//! which are taken off what we made, and only told on what was there.

use provision_core::refusal::Refusal;
use serde_json::{Map, Value, json};

use crate::client::pubsub::{Topic, Transform};
use crate::client::storage::{Billing, Bucket, BucketChanges, IpFilter};
use crate::config::Settings;
use crate::names::short;

/// What is in the way where requests from some addresses are not answered.
const IP_FILTER: &str = "ip_filter";

/// The filter's modes (<https://cloud.google.com/storage/docs/ip-filtering-overview>).
const FILTERING: &str = "Enabled";
const NOT_FILTERING: &str = "Disabled";

/// What is in the way at the bucket, by name; nothing is desired. The server's requests name no project that pays
/// (<https://cloud.google.com/storage/docs/requester-pays>), and may come from an address that is filtered out.
pub(crate) fn of_bucket(bucket: &Bucket) -> Value {
    let mut found = Map::new();
    if bucket.billing.as_ref().is_some_and(|billing| billing.requester_pays) {
        found.insert("requester_pays".to_owned(), json!(true));
    }
    if bucket.ip_filter.as_ref().is_some_and(|filter| filter.mode == FILTERING) {
        found.insert(IP_FILTER.to_owned(), json!(FILTERING));
    }
    Value::Object(found)
}

/// Whether what is in the way is a filter.
pub(crate) fn has_filter(observed: &Value) -> bool {
    observed.get(IP_FILTER).is_some()
}

/// The same for a bucket that is not ours to open.
pub(crate) fn closed(bucket: &Bucket) -> Option<Refusal> {
    let found = of_bucket(bucket);
    let (what, how) = match () {
        () if found.get("requester_pays").is_some() => {
            ("lets whoever asks pay, and the server names no project for that", "--no-requester-pays")
        }
        () if has_filter(&found) => ("answers requests from some addresses only", "--clear-ip-filter"),
        () => return None,
    };
    let name = &bucket.name;
    Some(Refusal {
        reason: format!("bucket `{name}` {what}"),
        hint: format!("`gcloud storage buckets update gs://{name} {how}` opens it"),
    })
}

/// What lets requests in again. A filter keeps its rules.
pub(crate) fn opened(bucket: &Bucket) -> BucketChanges {
    let found = of_bucket(bucket);
    let pays = found.get("requester_pays").is_some().then_some(Billing { requester_pays: false });
    let off = has_filter(&found).then(|| IpFilter { mode: NOT_FILTERING.to_owned() });
    BucketChanges { billing: pays, ip_filter: off, ..BucketChanges::default() }
}

/// What is in the way at the topic, by name; nothing is desired. A topic with a schema refuses what does not fit
/// (<https://cloud.google.com/pubsub/docs/schemas>), and a transform may change or drop it
/// (<https://cloud.google.com/pubsub/docs/smts/smts-overview>).
pub(crate) fn of_topic(topic: &Topic) -> Value {
    let mut found = Map::new();
    if let Some(settings) = &topic.schema_settings {
        found.insert("schema".to_owned(), json!(settings.schema));
    }
    let transforms = topic.message_transforms.iter().filter(|transform| !transform.disabled).count();
    if transforms > 0 {
        found.insert("message_transforms".to_owned(), json!(transforms));
    }
    Value::Object(found)
}

/// The same for a topic that is not ours to change.
pub(crate) fn selective(topic: &Topic) -> Option<Refusal> {
    let found = of_topic(topic);
    let schema = found["schema"].as_str().map(|schema| format!("takes messages of schema `{schema}` only"));
    let transformed = found.get("message_transforms").is_some();
    let how = schema.or_else(|| transformed.then(|| "transforms its messages".to_owned()))?;
    Some(Refusal {
        reason: format!("topic `{}` {how}: the server would not hear of new files", short(&topic.name)),
        hint: "choose another `name` under [gcp.topic], or take that off the topic".to_owned(),
    })
}

/// The regions of Cloud Storage that are many of Compute Engine's, with what the names of those begin with
/// (<https://cloud.google.com/storage/docs/locations>).
const MULTI_REGIONS: [(&str, &str); 3] = [("us", "us-"), ("eu", "europe-"), ("asia", "asia-")];

/// A topic that keeps what it is told in other regions than the bucket's. A policy of the organization sets that on new topics
/// (<https://cloud.google.com/pubsub/docs/resource-location-restriction>).
pub(crate) fn apart(topic: &Topic, settings: &Settings) -> Option<String> {
    let bucket = &settings.gcp.bucket;
    // Where an adopted one is, the plan file need not say.
    if bucket.adopt && bucket.location.is_none() {
        return None;
    }
    let (location, name) = (settings.gcp.bucket.location(), short(&topic.name));
    let regions = &topic.message_storage_policy.as_ref()?.allowed_persistence_regions;
    (!regions.is_empty() && !covered(&location.to_lowercase(), regions)).then(|| {
        format!(
            "topic `{name}` keeps its messages in {} only, and bucket `{}` is in {location}: the names of its files go there too; \
             `gcloud pubsub topics update {name} --message-storage-policy-allowed-regions=REGIONS` names others",
            regions.join(", "),
            bucket.name
        )
    })
}

/// Whether one of the regions is where the bucket is. Which two a dual-region is, its name does not say.
fn covered(location: &str, regions: &[String]) -> bool {
    match MULTI_REGIONS.iter().find(|(name, _)| *name == location) {
        Some((_, prefix)) => regions.iter().any(|region| region.starts_with(prefix)),
        None => !location.contains('-') || regions.iter().any(|region| region == location),
    }
}

/// The topic's settings with which everything comes through, with the fields that they are. Transforms stay, and are disabled.
pub(crate) fn passing(topic: &Topic) -> (Topic, Vec<&'static str>) {
    let found = of_topic(topic);
    let (mut passing, mut mask) = (Topic { name: topic.name.clone(), ..Topic::default() }, Vec::new());
    if found.get("schema").is_some() {
        mask.push("schemaSettings");
    }
    if found.get("message_transforms").is_some() {
        let transforms = topic.message_transforms.iter().cloned();
        passing.message_transforms = transforms.map(|transform| Transform { disabled: true, ..transform }).collect();
        mask.push("messageTransforms");
    }
    (passing, mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(more: Value) -> Bucket {
        let mut bucket = json!({"name": "acme-wandb"});
        bucket.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        serde_json::from_value(bucket).unwrap()
    }

    fn topic(more: Value) -> Topic {
        let mut topic = json!({"name": "projects/p/topics/t"});
        topic.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        serde_json::from_value(topic).unwrap()
    }

    #[test]
    fn what_keeps_requests_out_is_told_and_taken_off() {
        let open = bucket(json!({"billing": {"requesterPays": false}, "ipFilter": {"mode": "Disabled"}}));
        assert_eq!((of_bucket(&open), closed(&open), opened(&open)), (json!({}), None, BucketChanges::default()));
        let pays = bucket(json!({"billing": {"requesterPays": true}}));
        assert!(closed(&pays).unwrap().hint.contains("gs://acme-wandb --no-requester-pays"));
        assert_eq!(json!(opened(&pays)), json!({"billing": {"requesterPays": false}}));
        let filtered = bucket(json!({"ipFilter": {"mode": "Enabled"}}));
        assert!(closed(&filtered).is_some());
        assert_eq!(json!(opened(&filtered)), json!({"ipFilter": {"mode": "Disabled"}}));
    }

    #[test]
    fn a_topic_is_apart_where_none_of_its_regions_is_the_bucket_s() {
        for (location, regions, apart) in [
            ("us", json!(["europe-west1", "us-east1"]), false),
            ("eu", json!(["us-east1"]), true),
            ("europe-west1", json!(["europe-west4"]), true),
            ("europe-west1", json!(["europe-west1"]), false),
            ("nam4", json!(["europe-west1"]), false),
        ] {
            let regions: Vec<String> = serde_json::from_value(regions).unwrap();
            assert_eq!(!covered(location, &regions), apart, "{location}: {regions:?}");
        }
    }

    #[test]
    fn a_topic_that_does_not_pass_on_all_that_is_published_is_told_and_mended() {
        let plain = topic(json!({"messageTransforms": [{"disabled": true}]}));
        assert_eq!((of_topic(&plain), selective(&plain), passing(&plain).1), (json!({}), None, Vec::new()));
        let transforms = topic(json!({"messageTransforms": [{}, {"disabled": true}]}));
        assert!(selective(&transforms).is_some());
        let (off, mask) = passing(&transforms);
        assert_eq!((of_topic(&off), off.message_transforms.len(), mask), (json!({}), 2, vec!["messageTransforms"]));
        let schema = topic(json!({"schemaSettings": {"schema": "projects/p/schemas/s"}}));
        assert!(selective(&schema).unwrap().reason.contains("projects/p/schemas/s"));
        let (off, mask) = passing(&schema);
        assert_eq!((of_topic(&off), mask), (json!({}), vec!["schemaSettings"]));
    }
}
