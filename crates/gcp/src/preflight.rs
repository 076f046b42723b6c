//! Before the first write: which permissions an operation is sure to need, on what, and which of them the caller has
//! (<https://cloud.google.com/iam/docs/testing-permissions>); and what the organization would refuse whatever the permissions.

mod policies;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use provision_core::change_set::ChangeSet;
use provision_core::facet::Facets;
use provision_core::operation::{Operation, Verb};
use provision_core::permissions::Task;
use provision_core::refusal::Refusal;
use provision_core::rights::{Answer, Right};
use provision_core::{Error, ErrorKind};

use self::policies::Policies;
use crate::client::Reader;
use crate::config::Settings;
use crate::names::{Names, Part, account_name, bucket_name, short};
use crate::permissions::{self, On};
use crate::resources::access::{AccessFacet, emails};
use crate::resources::bucket::BucketFacet;
use crate::resources::delivery;
use crate::resources::subscription::SubscriptionFacet;
use crate::resources::topic::TopicFacet;

/// The permission that the project alone gives: a bucket that is not there yet has no conditions
/// (<https://cloud.google.com/iam/docs/conditions-resource-attributes>).
const CREATE_BUCKET: &str = "storage.buckets.create";

/// The permissions that an operation is sure to need.
pub(crate) fn rights(names: &Names, operation: &Operation, set: &ChangeSet) -> Vec<Right> {
    let Ok(part) = Part::of(&operation.address) else { return Vec::new() };
    let places = Places { names, set, of_orphan: operation.holder.is_none() };
    match part {
        Part::Bucket if matches!(operation.verb, Verb::Create { .. }) => places.on_project(&[CREATE_BUCKET]),
        Part::Bucket => places.on_bucket(&operation.name, of_bucket(operation, set)),
        Part::Topic => places.on_topic(&operation.name, of_topic(operation)),
        Part::Subscription => of_subscription(&places, operation),
        Part::Notification => places.on_bucket(&names.bucket, of_notification(operation)),
        Part::Access => of_access(&places, operation),
    }
}

/// Those without which a probe would stay.
pub(crate) fn rights_to_remove(names: &Names) -> Vec<Right> {
    let bucket = bucket_name(&names.bucket);
    at(&bucket, &bucket, permissions::of("storage.objects.delete"))
}

/// Where permissions are asked about: of what is not there yet, on the project that it will be in.
struct Places<'a> {
    names: &'a Names,
    set: &'a ChangeSet,
    of_orphan: bool,
}

impl Places<'_> {
    fn project(&self) -> String {
        format!("projects/{}", self.names.project)
    }

    fn on_project(&self, permissions: &[&'static str]) -> Vec<Right> {
        at(&self.project(), &self.project(), permissions)
    }

    fn on(&self, part: Part, name: &str, permissions: &[&'static str]) -> Vec<Right> {
        let is_new = !self.of_orphan && self.set.creates(&part.address());
        let asked_of = if is_new { self.project() } else { name.to_owned() };
        at(name, &asked_of, permissions)
    }

    fn on_bucket(&self, bucket: &str, permissions: &[&'static str]) -> Vec<Right> {
        self.on(Part::Bucket, &bucket_name(bucket), permissions)
    }

    fn on_topic(&self, topic: &str, permissions: &[&'static str]) -> Vec<Right> {
        self.on(Part::Topic, &self.names.topic_name(topic), permissions)
    }

    fn on_subscription(&self, subscription: &str, permissions: &[&'static str]) -> Vec<Right> {
        self.on(Part::Subscription, &self.names.subscription_name(subscription), permissions)
    }
}

fn at(on: &str, asked_of: &str, permissions: &[&'static str]) -> Vec<Right> {
    let right = |name: &&'static str| Right { name, on: on.to_owned(), asked_of: asked_of.to_owned(), unless: None };
    permissions.iter().map(right).collect()
}

fn of_bucket(operation: &Operation, set: &ChangeSet) -> &'static [&'static str] {
    let update = permissions::of("storage.buckets.update");
    match &operation.verb {
        Verb::Write { facet, .. } => match BucketFacet::of(facet) {
            Ok(BucketFacet::Delivery) if is_filtered(set) => permissions::of("storage.buckets.update.ipFilter"),
            // It takes the policy's permission beside:
            // <https://cloud.google.com/storage/docs/using-public-access-prevention#required-roles>.
            Ok(BucketFacet::PublicAccess) => &["storage.buckets.update", "storage.buckets.setIamPolicy"],
            Ok(BucketFacet::Members) => permissions::of("storage.buckets.setIamPolicy"),
            Ok(_) => update,
            Err(_) => &[],
        },
        Verb::Adopt { .. } | Verb::WriteMark { .. } | Verb::Update { .. } | Verb::RemoveMark { .. } => update,
        Verb::Empty { .. } => permissions::of("storage.objects.delete"),
        Verb::Delete { .. } => permissions::of("storage.buckets.delete"),
        Verb::Create { .. } | Verb::ReadMark { .. } | Verb::CheckMark { .. } => &[],
    }
}

/// Whether an IP filter is to be taken out.
fn is_filtered(set: &ChangeSet) -> bool {
    let (bucket, delivery) = (Part::Bucket.address(), BucketFacet::Delivery.spec().name);
    let changes = set.changes.iter().filter(|change| change.address == bucket);
    let mut facets = changes.flat_map(|change| &change.facets).filter(|facet| facet.facet == delivery);
    facets.any(|facet| delivery::has_filter(&facet.before))
}

fn of_notification(operation: &Operation) -> &'static [&'static str] {
    match &operation.verb {
        Verb::Write { .. } => permissions::of("storage.notificationConfigs.insert"),
        _ => &[],
    }
}

fn of_topic(operation: &Operation) -> &'static [&'static str] {
    let update = permissions::of("pubsub.topics.update");
    match &operation.verb {
        Verb::Create { .. } => permissions::of("pubsub.topics.create"),
        Verb::Write { facet, .. } => match TopicFacet::of(facet) {
            Ok(TopicFacet::Publisher) => permissions::of("pubsub.topics.setIamPolicy"),
            Ok(TopicFacet::Delivery | TopicFacet::Labels) => update,
            Err(_) => &[],
        },
        Verb::Adopt { .. } | Verb::WriteMark { .. } | Verb::Update { .. } | Verb::RemoveMark { .. } => update,
        Verb::Delete { .. } => permissions::of("pubsub.topics.delete"),
        Verb::Empty { .. } | Verb::ReadMark { .. } | Verb::CheckMark { .. } => &[],
    }
}

fn of_subscription(places: &Places<'_>, operation: &Operation) -> Vec<Right> {
    let (name, update) = (&operation.name, permissions::of("pubsub.subscriptions.update"));
    let topic = || places.names.topic.clone().unwrap_or_default();
    let made = |permissions| {
        let attached = places.on_topic(&topic(), &["pubsub.topics.attachSubscription"]);
        [places.on_subscription(name, permissions), attached].concat()
    };
    match &operation.verb {
        Verb::Create { .. } => made(&["pubsub.subscriptions.create"]),
        Verb::Write { facet, .. } => match SubscriptionFacet::of(facet) {
            // It is made again.
            Ok(SubscriptionFacet::Topic) => made(&["pubsub.subscriptions.delete"]),
            Ok(SubscriptionFacet::Access) => {
                places.on_subscription(name, permissions::of("pubsub.subscriptions.setIamPolicy"))
            }
            Ok(SubscriptionFacet::Attributes | SubscriptionFacet::Labels) => places.on_subscription(name, update),
            Ok(SubscriptionFacet::Spare) | Err(_) => Vec::new(),
        },
        Verb::Adopt { .. } | Verb::WriteMark { .. } | Verb::Update { .. } | Verb::RemoveMark { .. } => {
            places.on_subscription(name, update)
        }
        Verb::Delete { .. } => places.on_subscription(name, permissions::of("pubsub.subscriptions.delete")),
        Verb::Empty { .. } | Verb::ReadMark { .. } | Verb::CheckMark { .. } => Vec::new(),
    }
}

fn of_access(places: &Places<'_>, operation: &Operation) -> Vec<Right> {
    let Verb::Write { facet, before, value } = &operation.verb else { return Vec::new() };
    match AccessFacet::of(facet) {
        Ok(AccessFacet::OnBucket) => {
            places.on_bucket(&places.names.bucket, permissions::of("storage.buckets.setIamPolicy"))
        }
        Ok(AccessFacet::OnAccount) => {
            let mut accounts = [emails(before), emails(value)].concat();
            accounts.sort_unstable();
            accounts.dedup();
            let right = |email: &str| {
                let name = account_name(email);
                at(&name, &name, permissions::of("iam.serviceAccounts.setIamPolicy"))
            };
            accounts.into_iter().flat_map(right).collect()
        }
        Err(_) => Vec::new(),
    }
}

/// What the caller may do, thing by thing; and what the organization would refuse.
#[derive(Debug, Default)]
pub(crate) struct Inquiry {
    asked: Mutex<Vec<Asked>>,
    policies: Policies,
}

/// What was asked about a thing, and what of it the caller has.
#[derive(Debug)]
struct Asked {
    thing: String,
    permissions: Vec<&'static str>,
    held: Result<Vec<String>, Error>,
}

impl Inquiry {
    /// Ask about all that a task may need, at each place where it may be given.
    pub(crate) async fn make(&self, reader: &Reader, settings: &Settings, names: &Names, task: Task) {
        let of_applying = async {
            if task == Task::Apply {
                self.policies.ask(reader, settings).await;
            }
        };
        futures::join!(self.ask(reader, wanted(settings, names, task)), of_applying);
    }

    /// Ask about these.
    pub(crate) async fn make_more(&self, reader: &Reader, rights: &[Right]) {
        let mut wanted = Wanted::new();
        for right in rights {
            wanted.entry(right.asked_of.clone()).or_default().insert(right.name);
        }
        self.ask(reader, wanted).await;
    }

    async fn ask(&self, reader: &Reader, wanted: Wanted) {
        let asks = wanted.into_iter().map(|(thing, permissions)| ask(reader, thing, permissions.into_iter().collect()));
        let found = join_all(asks).await;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
    }

    /// What was said of a permission.
    pub(crate) fn held(&self, right: &Right) -> Answer {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.iter().find(|asked| asked.thing == right.asked_of && asked.permissions.contains(&right.name));
        asked.map_or(Answer::Unasked, |asked| judged(right, &asked.held))
    }

    /// What would refuse a set.
    pub(crate) fn refusals(&self, settings: &Settings, set: &ChangeSet) -> Vec<Refusal> {
        self.policies.refusals(settings, set)
    }
}

/// The permissions that are asked about of each thing.
type Wanted = BTreeMap<String, BTreeSet<&'static str>>;

/// Ask about a thing. One permission that is none there ("Permission ... is not valid for this resource") keeps all from being tested, and
/// is left out.
async fn ask(reader: &Reader, thing: String, mut permissions: Vec<&'static str>) -> Asked {
    let mut held = check(reader, &thing, &permissions).await;
    if let Err(error) = &held
        && error.kind() == ErrorKind::InvalidInput
    {
        let rest = valid(&permissions, error.message().unwrap_or_default());
        if !rest.is_empty() && rest.len() < permissions.len() {
            held = check(reader, &thing, &rest).await;
            permissions = rest;
        }
    }
    Asked { thing, permissions, held }
}

/// Those that a refusal does not name.
fn valid(permissions: &[&'static str], refusal: &str) -> Vec<&'static str> {
    let named = |permission: &str| {
        refusal.split_whitespace().any(|word| word.trim_matches(['\'', '`', '"', '.']) == permission)
    };
    permissions.iter().copied().filter(|permission| !named(permission)).collect()
}

/// The permissions that a task may need of each thing, and of the project, where it may not be there yet. What only looks is not asked
/// about.
fn wanted(settings: &Settings, names: &Names, task: Task) -> Wanted {
    let (project, bucket) = (format!("projects/{}", names.project), bucket_name(&names.bucket));
    let topic = names.topic.as_ref().map(|topic| names.topic_name(topic));
    let subscription = names.subscription.as_ref().map(|name| names.subscription_name(name));
    let account = settings.service_account().map(account_name);
    let looks: BTreeSet<_> = permissions::needed(settings, Task::Drift).map(|(_, permission)| permission).collect();
    let mut wanted = Wanted::new();
    for (on, permission) in permissions::needed(settings, task).filter(|(_, permission)| !looks.contains(permission)) {
        let places = match on {
            On::Bucket => [Some(project.clone()), Some(bucket.clone())],
            // Of what is there nobody asks whether it may be made.
            On::Project if permission.ends_with(".create") => [Some(project.clone()), None],
            On::Project if permission.starts_with("pubsub.topics.") => [Some(project.clone()), topic.clone()],
            On::Project if permission.starts_with("pubsub.") => [Some(project.clone()), subscription.clone()],
            On::Project => [Some(project.clone()), None],
            On::Account => [account.clone(), None],
        };
        for place in places.into_iter().flatten() {
            wanted.entry(place).or_default().insert(permission);
        }
    }
    wanted
}

/// Ask about a thing by its full name.
async fn check(reader: &Reader, name: &str, asked: &[&str]) -> Result<Vec<String>, Error> {
    match name.split('/').nth(2) {
        Some("buckets") => reader.check_bucket_permissions(short(name), asked).await,
        Some("topics") => reader.check_topic_permissions(name, asked).await,
        Some("subscriptions") => reader.check_subscription_permissions(name, asked).await,
        Some("serviceAccounts") => reader.check_account_permissions(name, asked).await,
        _ => reader.check_project_permissions(name, asked).await,
    }
}

/// A condition may give on a bucket what the project does not; Pub/Sub takes none.
fn judged(right: &Right, answer: &Result<Vec<String>, Error>) -> Answer {
    match answer {
        Ok(held) if held.iter().any(|held| held == right.name) => Answer::Held,
        Ok(_) if right.on != right.asked_of && right.name.starts_with("storage.") => {
            Answer::Unknown("a bucket that is not there yet cannot be asked about".to_owned())
        }
        Ok(_) => Answer::Missing(None),
        Err(error) => Answer::Unknown(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_project_does_not_give_a_bucket_may() {
        let (bucket, project) = ("projects/_/buckets/acme", "projects/p");
        let judged_as = |on, asked_of, name, held: &[&str]| {
            let right = at(on, asked_of, &[name]).swap_remove(0);
            judged(&right, &Ok(held.iter().map(|name| (*name).to_owned()).collect()))
        };
        let update = "storage.buckets.update";
        assert_eq!(judged_as(bucket, project, update, &[update]), Answer::Held);
        assert_eq!(judged_as(bucket, bucket, update, &["storage.buckets.get"]), Answer::Missing(None));
        assert!(matches!(judged_as(bucket, project, update, &[]), Answer::Unknown(_)));
        assert_eq!(judged_as(project, project, CREATE_BUCKET, &[]), Answer::Missing(None));
        let topic = "projects/p/topics/t";
        assert_eq!(judged_as(topic, project, "pubsub.topics.setIamPolicy", &[]), Answer::Missing(None));
        let failed = Err(Error::new(ErrorKind::Unavailable, "ask"));
        assert!(matches!(judged(&at(bucket, bucket, &[update])[0], &failed), Answer::Unknown(_)));
    }

    #[test]
    fn permission_that_a_refusal_names_is_left_out() {
        let asked = ["storage.buckets.update", "storage.buckets.setIamPolicy"];
        let refusal = "Permission storage.buckets.setIamPolicy is not valid for this resource.";
        assert_eq!(valid(&asked, refusal), ["storage.buckets.update"]);
        assert_eq!(valid(&asked, "Request contains an invalid argument."), asked);
    }
}
