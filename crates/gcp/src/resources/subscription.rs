//! `gcp.subscription`: where the server hears of new files; pulled, never expiring.

use std::time::Duration as Time;

use provision_core::facet::{Creation, Entries, Extent, Facet, Seen, Sharing, Want};
use provision_core::mark::{Mark, Origin, TagChanges, Tags, with_changes, without_mark};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::{Map, Value, json};

use crate::claims::Claims;
use crate::client::{
    Duration, ExpirationPolicy, Policy, PushConfig, Read as _, Reader, Subscription, Writer, labels_of, short,
};
use crate::config::{SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::error::settling;
use crate::policy::{self, Holder, email_of, entries, granted, grants};
use crate::provider::Names;
use crate::resources::access::explain;
use crate::resources::bucket::unknown_facet;

const fn facet(name: &'static str, key: char, extent: Extent) -> Facet {
    Facet { name, key, extent, sharing: Sharing::Exclusive, creation: Creation::SameCall }
}

static TOPIC: Facet = facet("topic", 't', Extent::Whole);
static ATTRIBUTES: Facet = facet("attributes", 'q', Extent::NamedKeys);
static ACCESS: Facet = Facet {
    name: "access",
    key: 'a',
    extent: Extent::NamedKeys,
    sharing: Sharing::Anonymous,
    creation: Creation::OwnCall,
};
static LABELS: Facet = facet("labels", 'g', Extent::Tags);

/// Every facet of a subscription.
pub(crate) static FACETS: [&Facet; 4] = [&TOPIC, &ATTRIBUTES, &ACCESS, &LABELS];

/// What the service shows where the topic was deleted; the subscription never hears of anything again
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription.FIELDS.topic>).
const DELETED_TOPIC: &str = "_deleted-topic_";

/// How the server gets its messages: all of them, when it asks.
const PULL: &str = "pull";

/// When it goes of itself.
const NEVER: &str = "never";

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
        ("expires", created.then(|| json!(NEVER))),
        // Without it the server hears of nothing.
        ("delivery", Some(json!(PULL))),
    ];
    set.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The subscription and its policy, at once.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    subscription: &str,
    shared: bool,
    claims: &Claims,
) -> Result<Observation, Error> {
    let name = names.subscription_name(subscription);
    let (found, policy) = futures::join!(reader.get_subscription(&name), reader.get_subscription_policy(&name));
    let Some(found) = found? else { return Ok(Observation::Absent) };
    // It may have been deleted, or made, since the other read.
    if policy.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(Observation::Absent);
    }
    let mut present = present(&found, names);
    // One that we made gets what is wanted.
    let made = present.mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    expires(&found).filter(|_| !made).into_iter().for_each(|note| claims.note(note));
    present
        .seen
        .extend(seen_access(policy, shared || has_access(present.mark.as_ref())).map(|seen| (ACCESS.name, seen)));
    Ok(Observation::Present(Box::new(present)))
}

fn has_access(mark: Option<&Mark>) -> bool {
    mark.is_some_and(|mark| !mark.is_written() || mark.own.has_ours(ACCESS.key))
}

/// Whoever may not read the policy needs it only where something of ours is in it, or is to be.
fn seen_access(policy: Result<Policy, Error>, needed: bool) -> Option<Seen> {
    match policy {
        Ok(policy) => {
            let list = entries(&policy, &SERVER_SUBSCRIPTION_ROLES);
            Some(Seen::Entries(Entries { list, limit: None }))
        }
        Err(error) => needed.then_some(Seen::Unknown(error)),
    }
}

fn present(found: &Subscription, names: &Names) -> Present {
    let labels = labels_of(&found.labels);
    let mark = Mark::from_tags(&labels);
    let seen = vec![
        (TOPIC.name, Seen::Value(json!(found.topic))),
        (ATTRIBUTES.name, Seen::Value(seen_attributes(found))),
        (LABELS.name, Seen::Value(json!(without_mark(&labels)))),
    ];
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let wanted = names.topic.as_ref().map(|topic| names.topic_name(topic)).unwrap_or_default();
    let fixed = fixed(found, &wanted, created).map(|refusal| (TOPIC.name, refusal));
    let unusable = unusable(found, created).map(|refusal| (ATTRIBUTES.name, refusal));
    let obstacles = fixed.into_iter().chain(unusable).collect();
    Present { mark, seen, obstacles, ..Present::default() }
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

/// How a subscription delivers is not ours to change, but for one of ours that pushes; a filter stays for good
/// (<https://cloud.google.com/pubsub/docs/subscription-message-filter>), and so does being detached
/// (<https://cloud.google.com/pubsub/docs/detach-subscriptions>).
fn unusable(found: &Subscription, created: bool) -> Option<Refusal> {
    let delivery = delivery(found);
    if delivery == PULL || (created && delivery.starts_with(PUSHED)) {
        return None;
    }
    Some(Refusal {
        reason: format!(
            "subscription `{}` is {delivery}: the server, which pulls every message, would not hear of new files",
            short(&found.name)
        ),
        hint: "choose another `name` under [gcp.subscription]".to_owned(),
    })
}

/// What people should know of a subscription that somebody else made.
fn expires(found: &Subscription) -> Option<String> {
    let expiration = seen_expiration(found.expiration_policy.as_ref());
    let expiration = expiration.as_str().filter(|expiration| *expiration != NEVER)?;
    let name = short(&found.name);
    Some(format!(
        "subscription `{name}` expires {expiration}: `gcloud pubsub subscriptions update {name} --expiration-period=never` keeps it"
    ))
}

fn seen_attributes(found: &Subscription) -> Value {
    let ack_deadline_s =
        if found.ack_deadline_seconds == 0 { DEFAULT_ACK_DEADLINE_S } else { found.ack_deadline_seconds };
    let retention_s = found.message_retention_duration.as_ref().map_or(DEFAULT_RETENTION_S, Duration::seconds);
    json!({
        "ack_deadline_s": ack_deadline_s,
        "retention_s": retention_s,
        "expires": seen_expiration(found.expiration_policy.as_ref()),
        "delivery": delivery(found),
    })
}

/// "If `ttl` is not set, the associated resource never expires"; without a policy, 31 days
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#ExpirationPolicy>).
fn seen_expiration(policy: Option<&ExpirationPolicy>) -> Value {
    match policy.map(|policy| policy.ttl.as_ref().map_or(0, Duration::seconds)) {
        None => json!("after 31 days without use"),
        Some(0) => json!(NEVER),
        Some(seconds) => json!(format!("after {seconds} s without use")),
    }
}

/// What stands before the address that messages are pushed to.
const PUSHED: &str = "pushed to ";

fn delivery(found: &Subscription) -> String {
    let push = found.push_config.as_ref().map(|push| push.push_endpoint.as_str()).filter(|url| !url.is_empty());
    match push {
        _ if found.detached => "detached".to_owned(),
        _ if !found.filter.is_empty() => format!("filtered by `{}`", found.filter),
        Some(endpoint) => format!("{PUSHED}{endpoint}"),
        None if found.bigquery_config.is_some() => "written to BigQuery".to_owned(),
        None if found.cloud_storage_config.is_some() => "written to Cloud Storage".to_owned(),
        None if found.bigtable_config.is_some() => "written to Bigtable".to_owned(),
        None => PULL.to_owned(),
    }
}

/// Create the subscription with everything in one call.
pub(crate) async fn create(
    writer: &Writer,
    names: &Names,
    subscription: &str,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let mut wanted = Subscription::new().set_name(names.subscription_name(subscription)).set_labels(tags.clone());
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        wanted = with_facet(wanted, facet, value)?;
    }
    match writer.create_subscription(&wanted).await {
        Ok(()) => Ok(Created::Made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Created::Existed),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error.retry(TOPIC_NOT_SEEN)),
        Err(error) => Err(error),
    }
}

/// A facet's value on a subscription.
fn with_facet(subscription: Subscription, facet: &str, value: &Value) -> Result<Subscription, Error> {
    Ok(match facet {
        "topic" => subscription.set_topic(value.as_str().unwrap_or_default()),
        "attributes" => with_attributes(subscription, value).0,
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

/// Put `value` in place of `before` in one facet. `fresh` is a subscription that this run made.
pub(crate) async fn write(
    writer: &Writer,
    name: &str,
    facet: &str,
    before: &Value,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    match facet {
        "attributes" => {
            let (subscription, mask) = with_attributes(Subscription::new().set_name(name), value);
            settling(writer.update_subscription(&subscription, &mask).await, fresh)
        }
        "access" => {
            let holder = Holder::Subscription(name.to_owned());
            let written = policy::write(writer, &holder, before, value, fresh).await;
            let email = grants(value).map(|(_, member)| email_of(member)).next();
            written.map_err(|error| explain(error, email))
        }
        other => Err(unknown_facet(other)),
    }
}

/// A subscription of a deleted topic, while it is made again: everything of it, until it is written back.
#[derive(Debug)]
pub(crate) struct Held {
    subscription: Subscription,
    policy: Policy,
}

/// Make a subscription of a deleted topic again, with the same settings, labels and policy: a subscription cannot be
/// attached to another topic. What still waits in it is lost; nothing new would ever have come. `held` keeps what was read over
/// the repetitions of this write.
pub(crate) async fn attach_again(
    writer: &Writer,
    name: &str,
    topic: &str,
    held: &mut Option<Held>,
) -> Result<(), Error> {
    if held.is_none() {
        *held = take_down(writer, name, topic).await?;
    }
    let Some(kept) = held else { return Ok(()) };
    put_back(writer, kept, topic).await.map_err(|error| with_what_is_lost(error, kept))?;
    *held = None;
    Ok(())
}

/// Read the subscription and delete it; `None` where its topic is there. Nothing is deleted before the new topic is seen.
async fn take_down(writer: &Writer, name: &str, topic: &str) -> Result<Option<Held>, Error> {
    let reader = writer.reader();
    let (found, policy, new) =
        futures::join!(reader.get_subscription(name), reader.get_subscription_policy(name), reader.get_topic(topic));
    let subscription = found?.ok_or_else(|| gone(name))?;
    if subscription.topic != DELETED_TOPIC {
        return Ok(None);
    }
    let policy = policy?;
    if new?.is_none() {
        let error = Error::new(ErrorKind::NotFound, format!("topic `{}` is not there", short(topic)));
        return Err(error.retry(TOPIC_NOT_SEEN));
    }
    writer.delete_subscription(name).await?;
    Ok(Some(Held { subscription, policy }))
}

/// Each step finds done what an earlier attempt did.
async fn put_back(writer: &Writer, held: &Held, topic: &str) -> Result<(), Error> {
    match writer.create_subscription(&made_again(held.subscription.clone(), topic)).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error.retry(TOPIC_NOT_SEEN)),
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    if held.policy.bindings.is_empty() {
        return Ok(());
    }
    // The new one has a policy, and an etag, of its own.
    let policy = Policy::new().set_version(held.policy.version).set_bindings(held.policy.bindings.clone());
    settling(writer.set_subscription_policy(&held.subscription.name, &policy).await, true)
}

/// What nobody knows any more when this run ends without having written it back.
fn with_what_is_lost(error: Error, held: &Held) -> Error {
    let labels = without_mark(&labels_of(&held.subscription.labels));
    let labels = labels.iter().map(|(key, value)| format!("label {key}={value}"));
    let member = |role: &str, member: &String| format!("{role} for {member}");
    let bindings = held.policy.bindings.iter();
    let members = bindings.flat_map(|binding| binding.members.iter().map(move |one| member(&binding.role, one)));
    let lost: Vec<_> = labels.chain(members).collect();
    if lost.is_empty() {
        return error;
    }
    error.hint(format!(
        "subscription `{}` had these, which the next run does not know of: {}",
        short(&held.subscription.name),
        lost.join(", ")
    ))
}

fn gone(name: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, format!("subscription `{}` is gone", short(name)));
    error.hint("run `provision gcp plan` to see what is there now")
}

/// The settings of a subscription without what only the service says.
fn made_again(found: Subscription, topic: &str) -> Subscription {
    let mut again = found.set_topic(topic).set_detached(false);
    again.topic_message_retention_duration = None;
    again.analytics_hub_subscription_info = None;
    again.state = Subscription::new().state;
    again
}

/// The labels there are; `None` where there is no subscription.
pub(crate) async fn tags(reader: &Reader, name: &str) -> Result<Option<Tags>, Error> {
    Ok(reader.get_subscription(name).await?.map(|found| labels_of(&found.labels)))
}

/// Pub/Sub takes all labels at once, without a precondition.
pub(crate) async fn update_tags(writer: &Writer, name: &str, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
    let subscription = Subscription::new().set_name(name).set_labels(with_changes(found, changes));
    writer.update_subscription(&subscription, &["labels"]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::tests::{full_settings, names, settings};

    const TOPIC_NAME: &str = "projects/acme-ml/topics/acme-wandb-events";

    fn created(settings: &Settings) -> Subscription {
        let wants = want(settings, &names(), Origin::Created);
        let wants = wants.iter().filter(|want| want.facet.extent != Extent::Tags);
        let named = Subscription::new().set_name("projects/p/subscriptions/s").set_labels(settings.labels().clone());
        wants.fold(named, |subscription, want| with_facet(subscription, want.facet.name, &want.value).unwrap())
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
        let delivery = ("attributes", json!({"delivery": "pull"}));
        assert_eq!(facets(&settings()), [("topic", json!(TOPIC_NAME)), delivery]);
        let mut given = settings();
        given.gcp.subscription.ack_deadline_s = Some(60);
        assert_eq!(facets(&given)[1], ("attributes", json!({"ack_deadline_s": 60, "delivery": "pull"})));
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
        let Some(Seen::Entries(entries)) = seen_access(Ok(policy), true) else { panic!("the policy is not seen") };
        let want = want(&settings, &names(), Origin::Adopted).pop().unwrap();
        for role in SERVER_SUBSCRIPTION_ROLES {
            let of_role = entries.list.iter().filter(|entry| entry.member.as_deref() == Some(role));
            assert_eq!(of_role.filter(|entry| entry.value == want.value[role]).count(), 1);
        }
        assert_eq!(entries.list.len(), 4);
    }

    #[test]
    fn a_policy_that_nobody_needs_may_be_closed() {
        let denied = || Err(Error::new(ErrorKind::PermissionDenied, "read"));
        assert!(seen_access(denied(), false).is_none());
        assert!(matches!(seen_access(denied(), true), Some(Seen::Unknown(_))));
    }

    #[test]
    fn what_is_held_is_told_where_it_cannot_be_written_back() {
        let binding = crate::client::Binding::new().set_role("roles/viewer").set_members(["user:a@b.c"]);
        let labels = [("theirs", "x"), ("provision-deployment", "ab")];
        let subscription = Subscription::new().set_name("projects/p/subscriptions/s").set_labels(labels);
        let held = Held { subscription, policy: Policy::new().set_bindings([binding]) };
        let error = with_what_is_lost(Error::new(ErrorKind::NotFound, "create"), &held);
        let advice = error.advice().unwrap();
        assert!(advice.contains("label theirs=x, roles/viewer for user:a@b.c") && !advice.contains("provision-"));
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
    fn a_subscription_that_the_server_cannot_pull_from_is_refused() {
        let plain = Subscription::new().set_name("projects/p/subscriptions/s");
        let pushed = plain.clone().set_push_config(PushConfig::new().set_push_endpoint("https://a.example"));
        for unusable_one in [plain.clone().set_filter("attributes:a"), plain.clone().set_detached(true), pushed.clone()]
        {
            assert!(unusable(&unusable_one, false).unwrap().reason.contains("would not hear"));
        }
        assert_eq!((unusable(&plain, false), unusable(&pushed, true)), (None, None));
        assert!(unusable(&plain.set_filter("attributes:a"), true).is_some());
    }

    #[test]
    fn a_subscription_of_others_that_expires_is_told() {
        let plain = Subscription::new().set_name("projects/p/subscriptions/s");
        assert!(expires(&plain).unwrap().contains("expires after 31 days"));
        assert_eq!(expires(&plain.set_expiration_policy(ExpirationPolicy::new())), None);
    }

    #[test]
    fn a_subscription_made_again_is_the_same_on_another_topic() {
        let mut found = created(&settings()).set_topic(DELETED_TOPIC).set_filter("attributes:a");
        found.topic_message_retention_duration = Some(Duration::clamp(60, 0));
        let again = made_again(found, TOPIC_NAME);
        assert_eq!(again, created(&settings()).set_filter("attributes:a"));
    }
}
