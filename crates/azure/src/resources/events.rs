//! `azure.events`: the event subscription that sends created blobs of our container to our queue.

pub(crate) mod registration;
mod subscription;
mod spare;
mod place;

use std::collections::BTreeSet;
use std::time::Duration;

use provision_core::context::OperationContext;
use provision_core::facet::{Desired, Entries, Words, duration_in_words};
use provision_core::resource::{MarkHolder, Observation, OnRecord, Present, Resource};
use provision_core::{Error, ErrorKind, RetryClass};
use serde_json::Value;

pub(crate) use self::place::Place;
use self::registration::Registration;
pub(crate) use self::spare::LeftSpare;
use self::spare::make_again;
use self::subscription::{CREATED, DONE, Delivery, Found, Others, SCHEMA, body, name_taken};
use crate::blockers::{is_source, not_there};
use crate::client::models::SystemTopic;
use crate::client::{Reader, Writer};
use crate::config::Settings;
use crate::marks::{Looking, Marks};
use crate::names::{Names, Part, identity_of, last};
use crate::resources::shared_account::FoundAccount;
use crate::resources::{ACCOUNT_LANE, Facets, Write, typed};

provision_core::facets! {
    /// Facets of the event subscription.
    pub(crate) enum EventsFacet {
        Delivery = ("delivery", 'e', Whole, Named, OwnCall),
    }
}

/// A subscription takes some seconds to be made, changed or deleted
/// (<https://learn.microsoft.com/rest/api/eventgrid/controlplane/event-subscriptions/get#eventsubscriptionprovisioningstate>).
const BUSY: RetryClass = RetryClass::Settling {
    reason: "the service is still at work on the event subscription",
    budget: Duration::from_secs(120),
};

/// The event subscription.
pub(crate) fn resource(names: &Names) -> Resource {
    Resource {
        mark_holder: MarkHolder::On(Part::Container.address()),
        on_record: OnRecord::EveryMark,
        needs: [Part::Container, Part::Queue].map(Part::address).into(),
        deleted_after: vec![Part::Container.address()],
        lane: Some(ACCOUNT_LANE),
        ..Part::Events.resource(&names.events, EventsFacet::ALL)
    }
}

/// The desired facets; without a queue nothing.
pub(crate) fn desired(settings: &Settings, names: &Names) -> Vec<Desired> {
    EventsFacet::all_desired(|facet| match facet {
        EventsFacet::Delivery => Some(facet.desired(desired_delivery(settings, names), "azure.events")),
    })
}

fn desired_delivery(settings: &Settings, names: &Names) -> Option<Delivery> {
    let queue = names.queue.as_ref()?;
    Some(Delivery {
        name: names.events.clone(),
        queue: Some(format!("{}/{queue}", names.account)),
        events: [CREATED.to_owned()].into(),
        prefix: Some(prefix(names)),
        schema: SCHEMA.to_owned(),
        message_ttl_s: settings.azure.events.message_ttl_s.map_or(-1, i64::from),
        suffix: None,
        filters: None,
        ends: None,
        state: None,
        id: None,
    })
}

/// A facet in words: what goes where, and how long it is kept.
pub(crate) fn in_words(facet: EventsFacet, value: &Value) -> Vec<Words> {
    match facet {
        EventsFacet::Delivery => typed::<Delivery>(value).map_or_else(|_| Vec::new(), delivery_in_words),
    }
}

fn delivery_in_words(delivery: Delivery) -> Vec<Words> {
    let events: Vec<_> = delivery.events.into_iter().collect();
    let queue = delivery.queue.unwrap_or_default();
    let kept = u64::try_from(delivery.message_ttl_s).map_or("until they are read".to_owned(), duration_in_words);
    vec![("events", format!("{} to queue {}", events.join(", "), last(&queue))), ("kept", kept)]
}

/// The slash at the end keeps `files` from matching `files2`.
fn prefix(names: &Names) -> String {
    format!("/blobServices/default/containers/{}/blobs/", names.container)
}

/// The states of one that is being worked on.
const UNDER_WAY: [&str; 3] = ["Creating", "Updating", "Deleting"];

pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    looking: &Looking,
    registration: &Registration,
    account: &FoundAccount,
    (left, place): (&LeftSpare, &Place),
) -> Result<Observation, Error> {
    let (look, marks, wrong_kind, registered) = futures::join!(
        look(reader, names),
        looking.marks(reader, names),
        account.look(reader, names),
        registration.look(reader, names)
    );
    registered?;
    // A list of what is not there may be empty.
    let is_gone = marks.as_ref().is_ok_and(|marks| !marks.is_there);
    let Some(look) = look?.filter(|_| !is_gone) else { return Ok(Observation::Absent) };
    left.note(look.found.iter().find(|found| found.is_spare(names)));
    place.note(&look.collection, look.found.iter().filter(|found| found.is_ours(names)).map(Found::id));
    if let Some(busy) = look.found.iter().find(|found| found.is_ours(names) && UNDER_WAY.contains(&found.state())) {
        return Err(under_way(busy));
    }
    let desired = desired_delivery(settings, names);
    let others = marks.map(|marks| others(&marks, names)).unwrap_or_default();
    let observed = EventsFacet::all_observed(|facet| match facet {
        EventsFacet::Delivery => {
            let list = look.found.iter().map(|found| found.entry(names, desired.as_ref(), &others)).collect();
            facet.entries(Ok(Entries { list, limit: None }))
        }
    });
    let blockers = wrong_kind?.map(|refusal| (EventsFacet::Delivery.name(), refusal)).into_iter().collect();
    Ok(Observation::Present(Box::new(Present { observed, blockers, ..Present::default() })))
}

fn others(marks: &Marks, names: &Names) -> Others {
    Others { deployments: marks.other_deployments(names), owner: marks.other_owner(names) }
}

fn under_way(found: &Found) -> Error {
    let error = Error::new(ErrorKind::Conflict, format!("use event subscription `{}`", found.name()));
    error
        .with_message(format!("its state is {}", found.state()))
        .with_hint("run the same command again")
        .with_retry(BUSY)
}

/// The id of the subscription of the plan file's name.
pub(crate) async fn id(reader: &Reader, names: &Names) -> Result<Option<String>, Error> {
    let found = look(reader, names).await?.map(|look| look.found).unwrap_or_default();
    Ok(found.iter().find(|found| found.name() == names.events).map(Found::id))
}

/// The subscriptions on the account, for people, and whether each is ours.
pub(crate) async fn on_account(reader: &Reader, names: &Names) -> Result<Vec<(String, bool)>, Error> {
    let found = look(reader, names).await?.map(|look| look.found).unwrap_or_default();
    let told = |found: &Found| (format!("event subscription `{}`", found.name()), found.is_ours(names));
    Ok(found.iter().map(told).collect())
}

/// Create or update our subscription, once the service knows of event subscriptions at all, and delete our other ones.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    registration: &Registration,
    write: &Write<'_>,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    if !write.value.is_null() {
        registration.ensure(writer, names).await?;
    }
    replace(writer, names, write, context).await
}

/// The account's turn is waited for after the look: a subscription is a thing of its own, which nobody else of this run
/// writes.
async fn replace(
    writer: &Writer,
    names: &Names,
    write: &Write<'_>,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    let (EventsFacet::Delivery, Write { before, value, .. }) = (EventsFacet::of(write.facet)?, *write);
    let (before, desired): (Option<Delivery>, Option<Delivery>) = (typed(before)?, typed(value)?);
    let Some(look) = look(writer.reader(), names).await? else { return not_there(names, value) };
    let is_ours = |found: &&Found| found.is_ours(names) || before.as_ref() == Some(&found.delivery);
    let ours: Vec<&Found> = look.found.iter().filter(is_ours).collect();
    let named = look.found.iter().find(|found| found.name() == names.events && desired.is_some());
    let current = named.filter(|named| ours.iter().any(|own| own.id() == named.id()));
    let _lane = context.acquire_lane().await;
    let mut surplus: BTreeSet<_> = ours.iter().map(|found| found.id()).collect();
    if let Some(desired) = &desired {
        match (current, named) {
            (None, Some(others)) if others.delivery != *desired => return Err(taken_since(others, desired)),
            (None, Some(_)) => {}
            _ => surplus.extend(put(writer, names, &look.collection, (current, &ours), desired).await?),
        }
    }
    for id in surplus.iter().filter(|id| current.is_none_or(|current| current.id() != **id)) {
        writer.delete_event_subscription(id).await?;
    }
    Ok(())
}

fn taken_since(others: &Found, desired: &Delivery) -> Error {
    let refusal = name_taken(others, desired);
    let error = Error::new(ErrorKind::Refused, format!("refused to write event subscription `{}`", others.name()));
    error.with_message(refusal.reason).with_hint(refusal.hint)
}

/// Write ours over the one that is there, or make it with what others put on the one in whose place it comes: one of ours of
/// another name, or a spare. One that failed stays failed until it is made again, and one that ends has its end until then, since
/// a write keeps what it leaves out. Gives the id of a spare that is to go.
async fn put(
    writer: &Writer,
    names: &Names,
    collection: &str,
    (current, ours): (Option<&Found>, &[&Found]),
    desired: &Delivery,
) -> Result<Option<String>, Error> {
    let before = current.or_else(|| ours.iter().copied().min_by_key(|found| found.is_spare(names)));
    let body = || body(names, before.map(|found| &found.item), desired);
    match current {
        Some(found) if found.state() != DONE || found.delivery.ends.is_some() => {
            let spare = ours.iter().copied().find(|found| found.is_spare(names));
            make_again(writer, names, found, spare, desired).await.map(Some)
        }
        Some(found) => writer.put_event_subscription(&found.id(), &body()).await.map(|()| None),
        None => {
            let id = format!("{collection}/{}", names.events);
            writer.put_event_subscription(&id, &body()).await.map(|()| None)
        }
    }
}

/// Delete all of ours on an account that goes.
pub(crate) async fn remove(writer: &Writer, names: &Names, context: &OperationContext<'_>) -> Result<(), Error> {
    let nothing =
        Write { facet: EventsFacet::Delivery.name(), before: &Value::Null, value: &Value::Null, just_created: false };
    replace(writer, names, &nothing, context).await
}

/// What a look found.
struct Look {
    /// Where a new one goes.
    collection: String,
    found: Vec<Found>,
}

/// The subscriptions on the account, and on its system topic: a source has one
/// (<https://learn.microsoft.com/azure/event-grid/system-topics>), which is used, not fought. What is listed on the account
/// is written there.
async fn look(reader: &Reader, names: &Names) -> Result<Option<Look>, Error> {
    let own = names.event_subscriptions();
    let (direct, topics) = futures::join!(reader.list_event_subscriptions(&own), system_topics(reader, names));
    let topics = topics?;
    // Before its provider is registered, the service knows of no event subscriptions at all.
    let direct = match direct {
        Err(error) if error.kind() == ErrorKind::Refused => Some(Vec::new()),
        direct => direct?,
    };
    let Some(direct) = direct else { return Ok(None) };
    let mut found: Vec<_> = direct.into_iter().map(|item| Found::new(&own, item)).collect();
    let account = identity_of(&names.account_id());
    let topic = topics.iter().find(|topic| is_source(topic, &account) && !topic.id.is_empty());
    let Some(topic) = topic else { return Ok(Some(Look { collection: own, found })) };
    let nested_in = format!("{}/eventSubscriptions", topic.id);
    // The topic that the service made for what is on the account goes with the last of that.
    let collection = if found.is_empty() { nested_in.clone() } else { own };
    let nested = reader.list_event_subscriptions(&nested_in).await?.unwrap_or_default();
    for item in nested.into_iter().map(|item| Found::new(&nested_in, item)) {
        if found.iter().all(|direct| direct.name() != item.name()) {
            found.push(item);
        }
    }
    Ok(Some(Look { collection, found }))
}

/// The system topics of the subscription, since an account's may be in any group; who may not list them all sees those of
/// the account's group.
async fn system_topics(reader: &Reader, names: &Names) -> Result<Vec<SystemTopic>, Error> {
    let denied = |error: &Error| error.kind() == ErrorKind::PermissionDenied;
    let found = match reader.list_system_topics(&names.subscription).await {
        Err(error) if denied(&error) => reader.list_system_topics(&names.group_id()).await,
        found => found,
    };
    match found {
        Err(error) if denied(&error) || error.kind() == ErrorKind::Refused => Ok(Vec::new()),
        found => Ok(found?.unwrap_or_default()),
    }
}
