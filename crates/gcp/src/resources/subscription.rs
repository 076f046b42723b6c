//! `gcp.subscription`: where the server hears of new files; pulled, never expiring.

use std::time::Duration as Time;

use provision_core::mark::{KEYS, Mark, Origin, may_be_written};
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::client::{
    Duration, ExpirationPolicy, Labels, Policy, PushConfig, Read as _, Reader, Subscription, Writer, labels_of, short,
};
use crate::config::{SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::policy::{Holder, former, grant, granted, member_of, others, revoke, roles_of};
use crate::provider::Names;
use crate::resources::access::explain;
use crate::resources::bucket::{appeared, gone, is_made_by, labels_in, others_labels, unknown_facet};

const fn facet(name: &'static str, key: char, shape: Shape) -> Facet {
    Facet { name, key, shape, at_creation: AtCreation::Included }
}

static TOPIC: Facet = facet("topic", 't', Shape::Whole);
static ATTRIBUTES: Facet = facet("attributes", 'q', Shape::Keys);
static LABELS: Facet = facet("labels", 'g', Shape::Keys);
static ACCESS: Facet = Facet { name: "access", key: 'a', shape: Shape::Whole, at_creation: AtCreation::Written };

/// Facets of which only an entry is ours.
pub(crate) const ENTRIES: [&str; 1] = ["access"];

/// What the service shows where the topic was deleted; the subscription never hears of anything again
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription.FIELDS.topic>).
const DELETED_TOPIC: &str = "_deleted-topic_";

/// What a subscription has that says nothing of it
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription>).
const DEFAULT_ACK_DEADLINE_S: i32 = 10;
const DEFAULT_RETENTION_S: i64 = 604_800;

/// A topic that was made a moment ago.
const TOPIC_NOT_SEEN: RetryClass =
    RetryClass::Settling { reason: "Pub/Sub does not see the new topic everywhere yet", budget: Time::from_secs(30) };

/// What is wanted. On an adopted subscription, values for everybody only where the plan file sets them.
pub(crate) fn want(settings: &Settings, names: &Names, origin: Origin) -> Vec<Want> {
    let want = |facet, value, path: &str| Want { facet, value, path: path.to_owned() };
    let topic = names.topic.as_ref().map(|topic| names.topic_name(topic));
    let mut wants = vec![want(&TOPIC, json!(topic), "gcp.topic.name")];
    let attributes = attributes(settings, origin);
    if !attributes.is_empty() {
        wants.push(want(&ATTRIBUTES, Value::Object(attributes), "gcp.subscription"));
    }
    if !settings.labels().is_empty() {
        wants.push(want(&LABELS, json!(settings.labels()), "deployment.tags"));
    }
    if let Some(email) = settings.service_account() {
        wants.push(want(&ACCESS, granted(email, &SERVER_SUBSCRIPTION_ROLES), "gcp.access"));
    }
    wants
}

fn attributes(settings: &Settings, origin: Origin) -> Map<String, Value> {
    let section = &settings.gcp.subscription;
    let created = origin == Origin::Created;
    let number = |given: Option<u32>, default: u32| {
        if created { Some(json!(given.unwrap_or(default))) } else { given.map(Value::from) }
    };
    let set = [
        ("ack_deadline_s", number(section.ack_deadline_s, 30)),
        ("retention_s", number(section.retention_s, 604_800)),
        ("expires", created.then(|| json!("never"))),
        ("delivery", created.then(|| json!("pull"))),
    ];
    set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The subscription, and its policy where the plan file names the server's account, at once.
pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    subscription: &str,
) -> Result<Observation, Error> {
    let name = names.subscription_name(subscription);
    let policy = async {
        match settings.service_account() {
            Some(email) => Some((email, reader.get_subscription_policy(&name).await)),
            None => None,
        }
    };
    let (found, policy) = futures::join!(reader.get_subscription(&name), policy);
    let Some(found) = found? else { return Ok(Observation::Absent) };
    let mut present = present(&found, names);
    if let Some((email, policy)) = policy {
        look_at_policy(&mut present, email, policy);
    }
    Ok(Observation::Present(Box::new(present)))
}

fn look_at_policy(present: &mut Present, email: &str, policy: Result<Policy, Error>) {
    let seen = match policy {
        Ok(policy) => {
            let former = former_server(&policy, present.mark.as_ref(), email);
            let ours = member_of(former.as_deref().unwrap_or(email));
            let others = others(&policy, &ours, &SERVER_SUBSCRIPTION_ROLES).into_iter();
            present.kept.extend(others.map(|entry| Kept { facet: ACCESS.name.to_owned(), entry }));
            Seen::Value(granted(
                former.as_deref().unwrap_or(email),
                &roles_of(&policy, &ours, &SERVER_SUBSCRIPTION_ROLES),
            ))
        }
        Err(error) => Seen::Unknown(error),
    };
    present.seen.push((ACCESS.name, seen));
}

/// The account that the plan file named before.
fn former_server(policy: &Policy, mark: Option<&Mark>, email: &str) -> Option<String> {
    let recorded = mark?.recorded(ACCESS.key);
    former(policy, email, &SERVER_SUBSCRIPTION_ROLES, |other| recorded.is(&granted(other, &SERVER_SUBSCRIPTION_ROLES)))
}

fn present(found: &Subscription, names: &Names) -> Present {
    let labels = labels_of(&found.labels);
    let mark = Mark::from_tags(&labels);
    let seen = vec![
        (TOPIC.name, Seen::Value(json!(found.topic))),
        (ATTRIBUTES.name, Seen::Value(seen_attributes(found))),
        (LABELS.name, Seen::Value(json!(others_labels(&labels)))),
    ];
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let wanted = names.topic.as_ref().map(|topic| names.topic_name(topic)).unwrap_or_default();
    let obstacles = fixed(found, &wanted, created).map(|refusal| (TOPIC.name, refusal)).into_iter().collect();
    Present { mark, seen, nameless: vec![ACCESS.name], obstacles, ..Present::default() }
}

/// A subscription stays with its topic. One of ours whose topic is gone has nothing more to hear of, and is made again.
fn fixed(found: &Subscription, wanted: &str, created: bool) -> Option<Refusal> {
    if found.topic == wanted || (found.topic == DELETED_TOPIC && created) {
        return None;
    }
    let (name, topic) = (short(&found.name), short(&found.topic));
    Some(match found.topic.as_str() {
        DELETED_TOPIC => Refusal {
            reason: format!(
                "the topic of subscription `{name}` was deleted, and the subscription is not ours to make again"
            ),
            hint: "choose another `name` under [gcp.subscription], or delete that subscription".to_owned(),
        },
        _ => Refusal {
            reason: format!("subscription `{name}` is of topic `{topic}`, and that cannot be changed"),
            hint: "choose another `name` under [gcp.subscription] too: what waits in this one is then still there"
                .to_owned(),
        },
    })
}

fn seen_attributes(found: &Subscription) -> Value {
    let ack_deadline_s =
        if found.ack_deadline_seconds == 0 { DEFAULT_ACK_DEADLINE_S } else { found.ack_deadline_seconds };
    let retention_s = found.message_retention_duration.as_ref().map_or(DEFAULT_RETENTION_S, Duration::seconds);
    json!({
        "ack_deadline_s": ack_deadline_s,
        "retention_s": retention_s,
        "expires": seen_expiration(found.expiration_policy.as_ref()),
        "delivery": seen_delivery(found),
    })
}

/// "If `ttl` is not set, the associated resource never expires"; without a policy, 31 days
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#ExpirationPolicy>).
fn seen_expiration(policy: Option<&ExpirationPolicy>) -> Value {
    match policy.map(|policy| policy.ttl.as_ref().map_or(0, Duration::seconds)) {
        None => json!("after 31 days without use"),
        Some(0) => json!("never"),
        Some(seconds) => json!(format!("after {seconds} s without use")),
    }
}

fn seen_delivery(found: &Subscription) -> Value {
    let push = found.push_config.as_ref().map(|push| push.push_endpoint.as_str()).filter(|url| !url.is_empty());
    match push {
        Some(endpoint) => json!(format!("pushed to {endpoint}")),
        None if found.bigquery_config.is_some() => json!("BigQuery"),
        None if found.cloud_storage_config.is_some() => json!("Cloud Storage"),
        None if found.bigtable_config.is_some() => json!("Bigtable"),
        None => json!("pull"),
    }
}

/// Create the subscription with everything in one call.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    subscription: &str,
    facets: &Map<String, Value>,
    mark: &Mark,
) -> Result<(), Error> {
    let name = names.subscription_name(subscription);
    let mut wanted = Subscription::new().set_name(&name);
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        wanted = with_facet(wanted, facet, value)?;
    }
    wanted.labels.extend(mark.to_tags());
    match writer.create_subscription(&wanted).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = labels(writer.reader(), &name).await?;
            let ours = is_made_by(&found, mark, &names.subscription_identity(subscription));
            if ours { Ok(()) } else { Err(appeared("subscription", subscription)) }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error.retry(TOPIC_NOT_SEEN)),
        created => created,
    }
}

/// A facet's value on a subscription.
fn with_facet(subscription: Subscription, facet: &str, value: &Value) -> Result<Subscription, Error> {
    Ok(match facet {
        "topic" => subscription.set_topic(value.as_str().unwrap_or_default()),
        "attributes" => with_attributes(subscription, value).0,
        "labels" => subscription.set_labels(labels_in(value)),
        "access" => subscription,
        other => return Err(unknown_facet(other)),
    })
}

/// The attributes that a value names, and the fields they are.
fn with_attributes(mut subscription: Subscription, value: &Value) -> (Subscription, Vec<&'static str>) {
    let mut mask = Vec::new();
    if let Some(seconds) = value["ack_deadline_s"].as_i64().and_then(|seconds| i32::try_from(seconds).ok()) {
        subscription = subscription.set_ack_deadline_seconds(seconds);
        mask.push("ack_deadline_seconds");
    }
    if let Some(seconds) = value["retention_s"].as_i64() {
        subscription = subscription.set_message_retention_duration(Duration::clamp(seconds, 0));
        mask.push("message_retention_duration");
    }
    if value["expires"].is_string() {
        subscription = subscription.set_expiration_policy(ExpirationPolicy::new());
        mask.push("expiration_policy");
    }
    if value["delivery"].is_string() {
        subscription = subscription.set_push_config(PushConfig::new());
        mask.push("push_config");
    }
    (subscription, mask)
}

async fn existing(writer: &Writer, name: &str) -> Result<Subscription, Error> {
    let found = writer.reader().get_subscription(name).await?;
    found.ok_or_else(|| gone("subscription", short(name)))
}

/// Write one facet; `null` takes the server's roles.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    name: &str,
    facet: &str,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    match facet {
        "labels" => merge_labels(writer, name, &labels_in(value)).await,
        "topic" => attach_again(writer, name, value.as_str().unwrap_or_default()).await,
        "attributes" => {
            let (subscription, mask) = with_attributes(Subscription::new().set_name(name), value);
            writer.update_subscription(&subscription, &mask).await
        }
        "access" if value.is_null() => take_access(writer, settings, name).await,
        "access" => give_access(writer, settings, name, fresh).await,
        other => Err(unknown_facet(other)),
    }
}

async fn give_access(writer: &Writer, settings: &Settings, name: &str, fresh: bool) -> Result<(), Error> {
    let Some(email) = settings.service_account() else { return Ok(()) };
    let holder = Holder::Subscription(name.to_owned());
    let given = grant(writer, &holder, &member_of(email), &SERVER_SUBSCRIPTION_ROLES, fresh).await;
    given.map_err(|error| explain(error, email))?;
    if fresh { Ok(()) } else { take_former_access(writer, name, email).await }
}

async fn take_access(writer: &Writer, settings: &Settings, name: &str) -> Result<(), Error> {
    let Some(email) = settings.service_account() else { return Ok(()) };
    take_former_access(writer, name, email).await?;
    revoke(writer, &Holder::Subscription(name.to_owned()), &member_of(email), &SERVER_SUBSCRIPTION_ROLES).await
}

async fn take_former_access(writer: &Writer, name: &str, email: &str) -> Result<(), Error> {
    let holder = Holder::Subscription(name.to_owned());
    let (policy, labels) = futures::join!(holder.policy(writer.reader()), labels(writer.reader(), name));
    let (Some(policy), mark) = (policy?, Mark::from_tags(&labels?)) else { return Ok(()) };
    let mark = mark.filter(|mark| mark.wrote(ACCESS.key));
    match former_server(&policy, mark.as_ref(), email) {
        Some(former) => revoke(writer, &holder, &member_of(&former), &SERVER_SUBSCRIPTION_ROLES).await,
        None => Ok(()),
    }
}

/// Make a subscription of a deleted topic again, with the same settings, labels and policy: a subscription cannot be
/// attached to another topic. What still waits in it is lost; nothing new would ever have come.
async fn attach_again(writer: &Writer, name: &str, topic: &str) -> Result<(), Error> {
    let found = existing(writer, name).await?;
    if found.topic != DELETED_TOPIC {
        return Ok(());
    }
    let policy = writer.reader().get_subscription_policy(name).await?;
    writer.delete_subscription(name).await?;
    writer.create_subscription(&made_again(found, topic)).await?;
    if policy.bindings.is_empty() {
        return Ok(());
    }
    // The new one has a policy, and an etag, of its own.
    writer.set_subscription_policy(name, &Policy::new().set_version(policy.version).set_bindings(policy.bindings)).await
}

/// The settings of a subscription without what only the service says.
fn made_again(found: Subscription, topic: &str) -> Subscription {
    let mut again = found.set_topic(topic).set_detached(false);
    again.topic_message_retention_duration = None;
    again.analytics_hub_subscription_info = None;
    again.state = Subscription::new().state;
    again
}

/// Put labels beside those there are.
pub(crate) async fn merge_labels(writer: &Writer, name: &str, ours: &Labels) -> Result<(), Error> {
    let found = labels_of(&existing(writer, name).await?.labels);
    put_merged(writer, name, found, ours).await
}

async fn put_merged(writer: &Writer, name: &str, found: Labels, ours: &Labels) -> Result<(), Error> {
    let mut merged = found.clone();
    merged.extend(ours.clone());
    if merged == found { Ok(()) } else { put_labels(writer, name, &merged).await }
}

async fn put_labels(writer: &Writer, name: &str, labels: &Labels) -> Result<(), Error> {
    let subscription = Subscription::new().set_name(name).set_labels(labels.clone());
    writer.update_subscription(&subscription, &["labels"]).await
}

/// The labels there are.
pub(crate) async fn labels(reader: &Reader, name: &str) -> Result<Labels, Error> {
    Ok(reader.get_subscription(name).await?.map(|found| labels_of(&found.labels)).unwrap_or_default())
}

/// Write the mark; stops if somebody else's hand is on it.
pub(crate) async fn record(
    writer: &Writer,
    name: &str,
    read: Option<Labels>,
    before: Option<&Mark>,
    mark: &Mark,
) -> Result<(), Error> {
    let found = match read {
        Some(found) => found,
        None => labels_of(&existing(writer, name).await?.labels),
    };
    may_be_written("gcp", &format!("subscription `{}`", short(name)), Mark::from_tags(&found).as_ref(), before, mark)?;
    put_merged(writer, name, found, &mark.to_tags()).await
}

/// Take the server's roles and our mark off, and leave everything else.
pub(crate) async fn unmark(writer: &Writer, settings: &Settings, name: &str) -> Result<(), Error> {
    let Some(found) = writer.reader().get_subscription(name).await? else { return Ok(()) };
    let mut labels = labels_of(&found.labels);
    if Mark::from_tags(&labels).is_some_and(|mark| mark.wrote(ACCESS.key)) {
        take_access(writer, settings, name).await?;
    }
    labels.retain(|key, _| !KEYS.contains(&key.as_str()));
    if labels.len() == found.labels.len() { Ok(()) } else { put_labels(writer, name, &labels).await }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::{full_settings, names, settings};

    const TOPIC_NAME: &str = "projects/acme-ml/topics/acme-wandb-events";

    fn created(settings: &Settings) -> Subscription {
        let wants = want(settings, &names(), Origin::Created);
        wants.iter().fold(Subscription::new().set_name("projects/p/subscriptions/s"), |subscription, want| {
            with_facet(subscription, want.facet.name, &want.value).unwrap()
        })
    }

    #[test]
    fn what_is_created_is_seen_as_wanted() {
        for settings in [settings(), full_settings()] {
            let present = present(&created(&settings), &names());
            let wants = want(&settings, &names(), Origin::Created);
            for want in wants.into_iter().filter(|want| want.facet.name != ACCESS.name) {
                let seen = present.seen.iter().find(|(name, _)| *name == want.facet.name).map(|(_, seen)| seen);
                assert!(matches!(seen, Some(Seen::Value(seen)) if *seen == want.value), "{}", want.facet.name);
            }
            assert!(present.obstacles.is_empty());
        }
    }

    #[test]
    fn adopted_subscriptions_keep_what_the_plan_file_does_not_set() {
        let facets = |settings: &Settings| -> Vec<_> {
            want(settings, &names(), Origin::Adopted).into_iter().map(|want| (want.facet.name, want.value)).collect()
        };
        assert_eq!(facets(&settings()), [("topic", json!(TOPIC_NAME))]);
        let mut given = settings();
        given.gcp.subscription.ack_deadline_s = Some(60);
        assert_eq!(facets(&given)[1], ("attributes", json!({"ack_deadline_s": 60})));
    }

    #[test]
    fn a_subscription_without_an_expiration_policy_expires() {
        let seen = seen_attributes(&Subscription::new());
        let expected = json!({"ack_deadline_s": 10, "retention_s": 604_800, "expires": "after 31 days without use",
            "delivery": "pull"});
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_servers_roles_are_seen_as_wanted() {
        let (settings, member) = (full_settings(), "serviceAccount:wandb-full@acme-ml.iam.gserviceaccount.com");
        let binding = |role: &str| crate::client::Binding::new().set_role(role).set_members([member, "user:a@b.c"]);
        let policy = Policy::new().set_bindings(SERVER_SUBSCRIPTION_ROLES.map(binding));
        let mut present = Present::default();
        look_at_policy(&mut present, settings.service_account().unwrap(), Ok(policy));
        let want = want(&settings, &names(), Origin::Adopted).pop().unwrap();
        assert!(
            matches!(&present.seen[0], (name, Seen::Value(seen)) if *name == want.facet.name && *seen == want.value)
        );
        assert_eq!(present.kept.len(), 2);
    }

    #[test]
    fn only_ours_whose_topic_is_gone_is_made_again() {
        let of = |topic: &str| Subscription::new().set_name("projects/p/subscriptions/s").set_topic(topic);
        assert_eq!(fixed(&of(TOPIC_NAME), TOPIC_NAME, false), None);
        assert_eq!(fixed(&of(DELETED_TOPIC), TOPIC_NAME, true), None);
        assert!(fixed(&of(DELETED_TOPIC), TOPIC_NAME, false).unwrap().reason.contains("was deleted"));
        assert!(fixed(&of("projects/p/topics/other"), TOPIC_NAME, true).unwrap().reason.contains("`other`"));
    }

    #[test]
    fn a_subscription_made_again_is_the_same_on_another_topic() {
        let mut found = created(&settings()).set_topic(DELETED_TOPIC).set_filter("attributes:a");
        found.topic_message_retention_duration = Some(Duration::clamp(60, 0));
        let again = made_again(found, TOPIC_NAME);
        assert_eq!(again, created(&settings()).set_filter("attributes:a"));
    }
}
