//! `gcp.subscription`: where the server hears of new files; pulled, never expiring.

use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Observed, Words, duration_in_words, tags_in_words};
use provision_core::mark::{Mark, Origin, State, Tags, without_mark};
use provision_core::mark::{TagChanges, with_changes};
use provision_core::provider::Created;
use provision_core::refusal::Refusal;
use provision_core::resource::{Lane, LaneMode, Observation, Orphan, Present, Resource};
use provision_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::claims::Claims;
use crate::client::iam::Policy;
use crate::client::json::Duration;
use crate::client::pubsub::{ExpirationPolicy, PushConfig, Subscription};
use crate::client::{Reader, Writer};
use crate::config::{SERVER_SUBSCRIPTION_ROLES, Settings};
use crate::names::{Names, Part, pubsub_identity, short};
use crate::policy::{self, PolicyTarget, email_of, entries, explain, granted, grants, looked_again, members, opened};
use crate::resources::reattachment::{
    DELETED_TOPIC, TOPIC_NOT_SEEN, attach_again, attach_detached, finish, give_back, kept_labels, spare_of,
};
use crate::resources::{Facets, MOST_LABELS, Write, typed};
use crate::tags::unmoved;

provision_core::facets! {
    /// Facets of the subscription.
    pub(crate) enum SubscriptionFacet {
        Topic = ("topic", 't', Whole, Exclusive, SameCall),
        Attributes = ("attributes", 'q', NamedKeys, Exclusive, SameCall),
        Spare = ("spare", 's', Whole, Exclusive, SameCall),
        Access = ("access", 'a', NamedKeys, Anonymous, OwnCall),
        Labels = ("labels", 'g', Tags, Exclusive, SameCall),
    }
}

/// The attributes that are managed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack_deadline_s: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_s: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<String>,
}

/// How the server gets its messages: all of them, when it asks.
const PULL: &str = "pull";

/// When it goes of itself.
const NEVER: &str = "never";

/// What a subscription has that says nothing of it
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#Subscription>).
const DEFAULT_ACK_DEADLINE_S: i32 = 10;
const DEFAULT_RETENTION_S: i64 = 604_800;

/// Writes to one subscription take turns: one that lost its topic is made again first.
const LANE: Lane = Lane { name: "subscription", mode: LaneMode::Always };

/// The subscription, where there is one. Its mark goes after what is on record in every mark.
pub(crate) fn resource(settings: &Settings, names: &Names) -> Option<Resource> {
    let subscription = names.subscription.as_ref()?;
    Some(Resource {
        identity: pubsub_identity(&names.subscription_name(subscription)),
        adopt: settings.gcp.subscription.adopt,
        needs: vec![Part::Topic.address()],
        deleted_after: [Part::Bucket, Part::Notification, Part::Access].map(Part::address).to_vec(),
        most_tags: MOST_LABELS,
        lane: Some(LANE),
        ..Part::Subscription.resource(subscription, SubscriptionFacet::ALL)
    })
}

/// A subscription that the plan file no longer names.
pub(crate) fn left_behind(orphan: &Orphan) -> Resource {
    Resource::new(orphan.address.clone(), Part::Subscription.kind(), &orphan.name, SubscriptionFacet::ALL)
}

/// The desired facets. On an adopted subscription, values for everybody only where the plan file sets them.
pub(crate) fn desired(settings: &Settings, names: &Names, origin: Origin) -> Vec<Desired> {
    let topic = names.topic.as_ref().map(|topic| names.topic_name(topic));
    SubscriptionFacet::all_desired(|facet| match facet {
        SubscriptionFacet::Topic => Some(facet.desired(&topic, "gcp.topic.name")),
        SubscriptionFacet::Attributes => Some(facet.desired(Attributes::desired(settings, origin), "gcp.subscription")),
        // None is to be left of one that was made again.
        SubscriptionFacet::Spare => (origin == Origin::Created).then(|| facet.desired(json!({}), "gcp.subscription")),
        SubscriptionFacet::Access => {
            let granted = |email| facet.desired(granted(email, &SERVER_SUBSCRIPTION_ROLES), "gcp.access");
            settings.service_account().map(granted)
        }
        SubscriptionFacet::Labels => {
            (!settings.labels().is_empty()).then(|| facet.desired(settings.labels(), "deployment.tags"))
        }
    })
}

/// A facet in words.
pub(crate) fn in_words(facet: SubscriptionFacet, value: &Value) -> Option<Words> {
    match facet {
        SubscriptionFacet::Topic => Some(("topic", short(value.as_str()?).to_owned())),
        SubscriptionFacet::Attributes => Some(("delivery", typed::<Attributes>(value).ok()?.in_words())),
        SubscriptionFacet::Spare => None,
        SubscriptionFacet::Access => Some(("access", policy::in_words(value))),
        SubscriptionFacet::Labels => Some(("labels", tags_in_words(value))),
    }
}

impl Attributes {
    fn in_words(self) -> String {
        let deadline = self.ack_deadline_s.map(|seconds| format!("ack deadline {seconds} s"));
        let kept = self.retention_s.and_then(|seconds| u64::try_from(seconds).ok());
        let kept = kept.map(|seconds| format!("keeps messages {}", duration_in_words(seconds)));
        let expires =
            self.expires.map(|when| if when == NEVER { "never expires".to_owned() } else { format!("expires {when}") });
        [self.delivery, deadline, kept, expires].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The subscription and its policy, at once.
pub(crate) async fn observe(
    reader: &Reader,
    names: &Names,
    subscription: &str,
    with_access: bool,
    claims: &Claims,
) -> Result<Observation, Error> {
    let name = names.subscription_name(subscription);
    let look = || futures::future::join(reader.get_subscription(&name), reader.get_subscription_policy(&name));
    let (Some(found), policy) = looked_again(look().await, look).await? else { return Ok(Observation::Absent) };
    let mut present = present(&found, names);
    // One that we made gets what is desired.
    let made = present.mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    expires(&found).filter(|_| !made).into_iter().for_each(|note| claims.note(note));
    policy.iter().for_each(|policy| claims.note_all(opened(&PolicyTarget::Subscription(name.clone()), policy)));
    present.observed.extend(observed_access(policy, with_access || has_access(present.mark.as_ref())));
    Ok(Observation::Present(Box::new(present)))
}

/// With what the list of all subscriptions shows to be left of its being made again.
pub(crate) fn with_spare(found: Observation, spare: Option<&str>) -> Observation {
    let Observation::Present(mut present) = found else { return found };
    let left = spare.map_or(json!({}), |spare| json!({"left": spare}));
    present.observed.push(SubscriptionFacet::Spare.observed(Ok(left)));
    Observation::Present(present)
}

fn has_access(mark: Option<&Mark>) -> bool {
    mark.is_some_and(|mark| mark.state == State::Unfinished || mark.own.has_ours(SubscriptionFacet::Access.spec().key))
}

/// Whoever may not read the policy needs it only where something of ours is in it, or is to be.
fn observed_access(policy: Result<Policy, Error>, needed: bool) -> Option<(&'static str, Observed)> {
    let access = policy.map(|policy| members(&policy, entries(&policy, &SERVER_SUBSCRIPTION_ROLES)));
    (access.is_ok() || needed).then(|| SubscriptionFacet::Access.entries(access))
}

fn present(found: &Subscription, names: &Names) -> Present {
    let labels = &found.labels;
    let mark = Mark::from_tags(labels);
    let observed = |facet: &SubscriptionFacet| match facet {
        SubscriptionFacet::Topic => Some(facet.observed(Ok(&found.topic))),
        SubscriptionFacet::Attributes => Some(facet.observed(Ok(Attributes::observed(found)))),
        // Stands in its policy, and beside it.
        SubscriptionFacet::Access | SubscriptionFacet::Spare => None,
        SubscriptionFacet::Labels => Some(facet.observed(Ok(without_mark(labels)))),
    };
    let observed = SubscriptionFacet::EACH.iter().filter_map(observed).collect();
    let created = mark.as_ref().is_some_and(|mark| mark.origin == Origin::Created);
    let desired = names.topic.as_ref().map(|topic| names.topic_name(topic)).unwrap_or_default();
    let fixed = topic_refusal(found, &desired, created).map(|refusal| (SubscriptionFacet::Topic.spec().name, refusal));
    let unusable = unusable(found, created).map(|refusal| (SubscriptionFacet::Attributes.spec().name, refusal));
    let blockers = fixed.into_iter().chain(unusable).collect();
    Present { mark, observed, blockers, ..Present::default() }
}

/// A subscription stays with its topic. One of ours whose topic is gone has nothing more to hear of, and is made again.
fn topic_refusal(found: &Subscription, desired: &str, created: bool) -> Option<Refusal> {
    if found.topic == desired || (found.topic == DELETED_TOPIC && created) {
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
/// (<https://cloud.google.com/pubsub/docs/detach-subscriptions>), for which ours is made again: it has nothing left to lose.
fn unusable(found: &Subscription, created: bool) -> Option<Refusal> {
    let delivery = delivery(found);
    if delivery == PULL || (created && (delivery == DETACHED || delivery.starts_with(PUSHED))) {
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

/// Why the server would not hear of a message to this topic.
pub(crate) fn deaf(found: &Subscription, topic: &str) -> Option<String> {
    let (name, delivery) = (short(&found.name), delivery(found));
    match short(&found.topic) {
        DELETED_TOPIC => Some(format!("the topic of subscription `{name}` was deleted")),
        other if found.topic != topic => Some(format!("subscription `{name}` hears from topic `{other}`")),
        _ if delivery != PULL => {
            Some(format!("subscription `{name}` is {delivery}: the server does not hear of new files"))
        }
        _ => None,
    }
}

/// What people should know of a subscription that somebody else made.
fn expires(found: &Subscription) -> Option<String> {
    let expiration = Some(expiration(found.expiration_policy.as_ref())).filter(|expiration| expiration != NEVER)?;
    let name = short(&found.name);
    Some(format!(
        "subscription `{name}` expires {expiration}: `gcloud pubsub subscriptions update {name} --expiration-period=never` keeps it"
    ))
}

/// "If `ttl` is not set, the associated resource never expires"; without a policy, 31 days
/// (<https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#ExpirationPolicy>).
fn expiration(policy: Option<&ExpirationPolicy>) -> String {
    match policy.map(|policy| policy.ttl.as_ref().map_or(0, Duration::seconds)) {
        None => "after 31 days without use".to_owned(),
        Some(0) => NEVER.to_owned(),
        Some(seconds) => format!("after {seconds} s without use"),
    }
}

/// It hears of nothing any more.
const DETACHED: &str = "detached";

/// What stands before the address that messages are pushed to.
const PUSHED: &str = "pushed to ";

fn delivery(found: &Subscription) -> String {
    let push = found.push_config.as_ref().map(|push| push.push_endpoint.as_str()).filter(|url| !url.is_empty());
    match push {
        _ if found.detached => DETACHED.to_owned(),
        _ if !found.filter.is_empty() => format!("filtered by `{}`", found.filter),
        Some(endpoint) => format!("{PUSHED}{endpoint}"),
        None if found.bigquery_config.is_some() => "written to BigQuery".to_owned(),
        None if found.cloud_storage_config.is_some() => "written to Cloud Storage".to_owned(),
        None if found.bigtable_config.is_some() => "written to Bigtable".to_owned(),
        // A transform may drop messages (<https://cloud.google.com/pubsub/docs/smts/smts-overview>).
        None if found.message_transforms.iter().any(|transform| !transform.disabled) => "transformed".to_owned(),
        None => PULL.to_owned(),
    }
}

/// Create the subscription with everything in one call, and with what it had, where a run was stopped while it made it again.
pub(crate) async fn create(
    writer: &Writer,
    name: &str,
    tags: &Tags,
    facets: &Map<String, Value>,
) -> Result<Created, Error> {
    let spare = spare_of(writer.reader(), name).await?;
    let kept = spare.as_ref().map(kept_labels).unwrap_or_default();
    let had = spare.clone().unwrap_or_default();
    let labels = kept.into_iter().chain(tags.clone()).collect();
    let mut desired = Subscription { name: name.to_owned(), labels, ..had };
    for (facet, value) in facets.iter().filter(|(_, value)| !value.is_null()) {
        desired = with_facet(desired, SubscriptionFacet::of(facet)?, value)?;
    }
    let created = match writer.create_subscription(&desired).await {
        Ok(()) => Created::Made,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Created::Existed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(error.with_retry(TOPIC_NOT_SEEN)),
        Err(error) => return Err(error),
    };
    match spare {
        // Its policy is not that of a new one.
        Some(spare) => give_back(writer, name, &spare).await.map(|()| Created::Existed),
        None => Ok(created),
    }
}

/// A facet's value on a subscription.
fn with_facet(subscription: Subscription, facet: SubscriptionFacet, value: &Value) -> Result<Subscription, Error> {
    Ok(match facet {
        SubscriptionFacet::Topic => Subscription { topic: typed(value)?, ..subscription },
        SubscriptionFacet::Attributes => typed::<Attributes>(value)?.on(subscription).0,
        SubscriptionFacet::Access | SubscriptionFacet::Spare => subscription,
        SubscriptionFacet::Labels => return Err(Error::bug("labels are written with the mark")),
    })
}

/// The labels there are; `None` where there is no subscription.
pub(crate) async fn tags(reader: &Reader, name: &str) -> Result<Option<Tags>, Error> {
    Ok(reader.get_subscription(name).await?.map(|found| found.labels))
}

/// Pub/Sub replaces all labels and knows no precondition: what others set since the last look is read once more.
pub(crate) async fn update_tags(writer: &Writer, name: &str, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
    let now = tags(writer.reader(), name).await?.unwrap_or_else(|| found.clone());
    unmoved("subscription", short(name), found, &now, changes)?;
    let labels = with_changes(&now, changes);
    let subscription = Subscription { name: name.to_owned(), labels, ..Subscription::default() };
    writer.update_subscription(&subscription, &["labels"]).await
}

/// Put `value` in place of `before` in one facet.
pub(crate) async fn write(writer: &Writer, name: &str, write: &Write<'_>) -> Result<(), Error> {
    let Write { facet, before, value, just_created } = *write;
    match SubscriptionFacet::of(facet)? {
        SubscriptionFacet::Topic => attach_again(writer, name, &typed::<String>(value)?).await,
        SubscriptionFacet::Attributes => {
            attach_detached(writer, name).await?;
            let named = Subscription { name: name.to_owned(), ..Subscription::default() };
            let (subscription, mask) = typed::<Attributes>(value)?.on(named);
            writer.update_subscription(&subscription, &mask).await
        }
        SubscriptionFacet::Spare => finish(writer, name).await,
        SubscriptionFacet::Access => {
            let target = PolicyTarget::Subscription(name.to_owned());
            let written = policy::write(writer, &target, before, value, just_created).await;
            let email = grants(value).map(|(_, member)| email_of(member)).next();
            written.map_err(|error| explain(error, email))
        }
        SubscriptionFacet::Labels => Err(Error::bug("labels are written with the mark")),
    }
}

/// Delete it, and its spare; one that is gone is deleted. Whose it is is looked at last.
pub(crate) async fn delete(writer: &Writer, name: &str, context: &OperationContext<'_>) -> Result<(), Error> {
    let spare = spare_of(writer.reader(), name).await?;
    context.still_ours().await?;
    let spare = async {
        match spare {
            Some(spare) => writer.delete_subscription(&spare.name).await,
            None => Ok(()),
        }
    };
    let (deleted, spare) = futures::join!(writer.delete_subscription(name), spare);
    deleted.and(spare)
}

impl Attributes {
    fn desired(settings: &Settings, origin: Origin) -> Self {
        let section = &settings.gcp.subscription;
        let created = origin == Origin::Created;
        let seconds = |given: Option<u32>, default: u32| {
            let desired = if created { Some(given.unwrap_or(default)) } else { given };
            desired.map(i64::from)
        };
        let ack_deadline_s = seconds(section.ack_deadline_s, 30).and_then(|seconds| i32::try_from(seconds).ok());
        Self {
            ack_deadline_s,
            retention_s: seconds(section.retention_s, 604_800),
            expires: created.then(|| NEVER.to_owned()),
            // Without it the server hears of nothing.
            delivery: Some(PULL.to_owned()),
        }
    }

    fn observed(found: &Subscription) -> Self {
        let ack_deadline_s =
            found.ack_deadline_seconds.filter(|seconds| *seconds != 0).unwrap_or(DEFAULT_ACK_DEADLINE_S);
        let retention_s = found.message_retention_duration.as_ref().map_or(DEFAULT_RETENTION_S, Duration::seconds);
        Self {
            ack_deadline_s: Some(ack_deadline_s),
            retention_s: Some(retention_s),
            expires: Some(expiration(found.expiration_policy.as_ref())),
            delivery: Some(delivery(found)),
        }
    }

    /// Set on a subscription, with the fields that they are.
    fn on(&self, mut subscription: Subscription) -> (Subscription, Vec<&'static str>) {
        let Self { ack_deadline_s, retention_s, expires, delivery } = self;
        let mut mask = Vec::new();
        if let Some(seconds) = ack_deadline_s {
            subscription.ack_deadline_seconds = Some(*seconds);
            mask.push("ackDeadlineSeconds");
        }
        if let Some(seconds) = retention_s {
            subscription.message_retention_duration = Some(Duration::of_seconds(*seconds));
            mask.push("messageRetentionDuration");
        }
        if expires.is_some() {
            subscription.expiration_policy = Some(ExpirationPolicy::default());
            mask.push("expirationPolicy");
        }
        if delivery.is_some() {
            subscription.push_config = Some(PushConfig::default());
            mask.push("pushConfig");
        }
        (subscription, mask)
    }
}

#[cfg(test)]
mod tests;
