//! A cloud in memory, small and complete: one marked thing that holds data, one that does not, entries with our name and
//! without, inside and outside. The tests of the engine run on it from the survey to the last write.

mod world;

use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::address::Address;
use crate::assess::Intent;
use crate::change_set::{ChangeSet, PlanFileSource, Purpose};
use crate::contents::Contents;
use crate::context::{Cancellation, OperationContext};
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, EventSink};
use crate::executor::Outcome;
use crate::facet::{Creation, Desired, Entries, Entry, EntryId, Extent, Facet, Observed, Sharing};
use crate::identity::Identity;
use crate::mark::{Mark, Origin, TagChanges, Tags, with_changes, without_mark};
use crate::operation::Operation;
use crate::output::{Output, OutputSource};
use crate::provider::{Created, Observer, Provisioner, Write};
use crate::refusal::Refusal;
use crate::resource::{MarkHolder, Observation, OnRecord, Orphan, Present, Resource};
pub(crate) use world::{Plan, Thing, World};

pub(crate) const BUCKET: Address = Address::new("model.bucket");
pub(crate) const QUEUE: Address = Address::new("model.queue");
pub(crate) const NOTIFICATION: Address = Address::new("model.notification");
pub(crate) const ACCESS: Address = Address::new("model.access");

const fn facet(name: &'static str, key: char, extent: Extent, sharing: Sharing, creation: Creation) -> Facet {
    Facet { name, key, extent, sharing, creation }
}

static VERSIONING: Facet = facet("versioning", 'v', Extent::Whole, Sharing::Exclusive, Creation::OwnCall);
static POLICY: Facet = facet("policy", 'p', Extent::Whole, Sharing::Named, Creation::OwnCall);
static RULE: Facet = facet("rule", 'c', Extent::Whole, Sharing::Anonymous, Creation::OwnCall);
static TAGS: Facet = facet("tags", 'g', Extent::Tags, Sharing::Exclusive, Creation::SameCall);
static ATTRIBUTES: Facet = facet("attributes", 'q', Extent::NamedKeys, Sharing::Exclusive, Creation::SameCall);
static SENDERS: Facet = facet("senders", 's', Extent::NamedKeys, Sharing::Anonymous, Creation::OwnCall);
static ENTRY: Facet = facet("entry", 'n', Extent::Whole, Sharing::Anonymous, Creation::OwnCall);
static GRANTS: Facet = facet("grants", 'a', Extent::NamedKeys, Sharing::Anonymous, Creation::OwnCall);

static BUCKET_FACETS: [&Facet; 4] = [&VERSIONING, &POLICY, &RULE, &TAGS];
static QUEUE_FACETS: [&Facet; 3] = [&ATTRIBUTES, &SENDERS, &TAGS];
static NOTIFICATION_FACETS: [&Facet; 1] = [&ENTRY];
static ACCESS_FACETS: [&Facet; 1] = [&GRANTS];

/// The cloud with a plan.
pub(crate) struct Model {
    pub(crate) plan: Plan,
    pub(crate) world: Mutex<World>,
    recalled: Mutex<Option<String>>,
    /// Writes that are still done before the run is cut off.
    pub(crate) writes_left: Mutex<usize>,
}

struct Silent;

impl EventSink for Silent {
    fn emit(&self, _: Event) {}
}

impl Model {
    pub(crate) fn new(plan: Plan, world: World) -> Self {
        Self { plan, world: Mutex::new(world), recalled: Mutex::default(), writes_left: Mutex::new(usize::MAX) }
    }

    pub(crate) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Look and compare.
    pub(crate) async fn change_set(&self, purpose: Purpose, with_orphans: bool) -> ChangeSet {
        let intent = Intent {
            purpose,
            with_orphans,
            deployment: self.plan.deployment.clone(),
            was: self.plan.was.clone(),
            protect: self.plan.protect,
            plan_file: PlanFileSource { name: "plan".to_owned(), digest: String::new() },
            settings: Value::Null,
        };
        engine::plan(self, &intent, &|_| None, &Silent).await.unwrap()
    }

    pub(crate) async fn plan(&self) -> ChangeSet {
        self.change_set(Purpose::Apply, false).await
    }

    /// Execute a set.
    pub(crate) async fn execute(&self, set: &ChangeSet) -> Outcome {
        engine::apply(self, set, &Cancellation::default(), &Silent).await
    }

    /// Apply, and see that nothing is left to do.
    pub(crate) async fn apply(&self) {
        let set = self.plan().await;
        assert!(set.blockers().is_empty(), "{:?}", set.blockers());
        let outcome = self.execute(&set).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        let after = self.plan().await;
        assert!(!after.has_changes(), "{:#?}\n{:#?}", after.changes, self.world());
        assert!(!after.has_drift());
    }

    /// Destroy with orphans.
    pub(crate) async fn destroy(&self) -> ChangeSet {
        let set = self.change_set(Purpose::Destroy { delete_data: None }, true).await;
        assert!(set.blockers().is_empty(), "{:?}", set.blockers());
        let outcome = self.execute(&set).await;
        assert!(outcome.is_complete(), "{outcome:?}");
        set
    }

    fn ids(&self) -> Vec<String> {
        std::iter::once(&self.plan.deployment).chain(&self.plan.was).map(|name| format!("id-{name}")).collect()
    }

    fn named(&self, id: &str) -> EntryId {
        if self.ids().iter().any(|ours| ours == id) { EntryId::Ours } else { EntryId::Others }
    }

    /// Whether the run is cut off before this write.
    fn write_one(&self) -> Result<(), Error> {
        let mut left = self.writes_left.lock().unwrap();
        if *left == 0 {
            return Err(Error::new(ErrorKind::Interrupted, "go on"));
        }
        *left -= 1;
        Ok(())
    }

    fn principal(&self) -> Option<String> {
        self.plan.principal.clone().or_else(|| self.recalled.lock().unwrap().clone())
    }

    fn statement(&self) -> Value {
        json!({"id": self.ids()[0], "text": "tls"})
    }
}

fn members(entries: &[(String, String)]) -> Vec<Entry> {
    let entry = |(role, member): &(String, String)| Entry {
        member: Some(role.clone()),
        ..Entry::new(json!(member), format!("{member} as {role}"))
    };
    entries.iter().map(entry).collect()
}

fn list(values: &[String]) -> Observed {
    let list = values.iter().map(|value| Entry::new(json!(value), value.clone())).collect();
    Observed::Entries(Entries { list, limit: None })
}

fn identity(address: &Address, name: &str) -> String {
    format!("{}/{name}", address.part())
}

#[async_trait]
impl Observer for Model {
    fn cloud(&self) -> &'static str {
        "model"
    }

    fn recall(&self, access: &[String]) -> Vec<Address> {
        let former: Vec<_> =
            access.iter().filter(|former| Some(*former) != self.plan.principal.as_ref()).cloned().collect();
        *self.recalled.lock().unwrap() = former.first().cloned();
        if former.is_empty() { Vec::new() } else { vec![ACCESS] }
    }

    fn resources(&self) -> Vec<Resource> {
        let mut resources = vec![Resource {
            identity: identity(&BUCKET, &self.plan.bucket),
            adopt: self.plan.adopt,
            holds_data: true,
            deleted_after: vec![ACCESS],
            ..Resource::new(BUCKET, "bucket", &self.plan.bucket, &BUCKET_FACETS)
        }];
        if let Some(queue) = &self.plan.queue {
            resources.push(Resource {
                identity: identity(&QUEUE, queue),
                adopt: self.plan.adopt,
                deleted_after: vec![BUCKET, NOTIFICATION],
                ..Resource::new(QUEUE, "queue", queue, &QUEUE_FACETS)
            });
        }
        resources.push(Resource {
            mark_holder: MarkHolder::On(BUCKET),
            deleted_with_holder: true,
            needs: vec![BUCKET, QUEUE],
            ..Resource::new(NOTIFICATION, "notification", "notification", &NOTIFICATION_FACETS)
        });
        if let Some(principal) = self.principal() {
            resources.push(Resource {
                mark_holder: MarkHolder::On(BUCKET),
                on_record: OnRecord::EveryMark,
                references: vec![principal.clone()],
                grants_access: true,
                needs: vec![BUCKET],
                ..Resource::new(ACCESS, "access", &principal, &ACCESS_FACETS)
            });
        }
        resources
    }

    fn desired(&self, address: &Address, origin: Origin) -> Vec<Desired> {
        let created = origin == Origin::Created;
        let plan = &self.plan;
        let asked = |facet, value| Desired { facet, value, path: String::new(), decided_elsewhere: None };
        let tags = (!plan.tags.is_empty()).then(|| asked(&TAGS, json!(plan.tags)));
        let mut desired = Vec::new();
        match address.part() {
            "bucket" => {
                if created || plan.versioning.is_some() {
                    desired.push(asked(&VERSIONING, json!(plan.versioning.unwrap_or_default())));
                }
                if created || plan.private {
                    desired.push(asked(&POLICY, self.statement()));
                }
                desired.push(asked(&RULE, json!(plan.host)));
                desired.extend(tags);
            }
            "queue" => {
                desired.push(asked(&ATTRIBUTES, json!({"wait": plan.wait})));
                desired.push(asked(&SENDERS, json!({"send": "agent"})));
                desired.extend(tags);
            }
            "notification" => {
                desired.push(asked(&ENTRY, plan.queue.as_ref().map_or(Value::Null, |queue| json!(queue))));
            }
            _ => desired
                .extend(plan.principal.as_ref().map(|member| asked(&GRANTS, json!({"read": member, "write": member})))),
        }
        desired
    }

    fn outputs(&self) -> Vec<Output> {
        let queue = self.plan.queue.as_deref().unwrap_or("internal");
        vec![
            Output::new("HOST", &self.plan.host),
            Output::new("BUCKET", &self.plan.bucket),
            Output::new("QUEUE", queue),
        ]
    }

    fn output_sources(&self) -> Vec<(&'static str, OutputSource)> {
        let host = OutputSource::Field { address: BUCKET, facet: RULE.name, field: "" };
        vec![("HOST", host), ("BUCKET", OutputSource::Part(BUCKET)), ("QUEUE", OutputSource::Part(QUEUE))]
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    fn next_steps(&self) -> Option<String> {
        None
    }

    async fn identity(&self) -> Result<Identity, Error> {
        let (account, principal, region) = ("1".to_owned(), "me".to_owned(), "here".to_owned());
        Ok(Identity { account, principal, region, endpoints: Vec::new() })
    }

    async fn observe(&self, address: &Address) -> Result<Observation, Error> {
        let name = if *address == QUEUE { self.plan.queue.as_deref().unwrap_or_default() } else { &self.plan.bucket };
        self.look(address, name)
    }

    async fn observe_orphan(&self, orphan: &Orphan) -> Option<(Resource, Result<Observation, Error>)> {
        let (kind, facets): (_, &'static [&'static Facet]) = match orphan.address.part() {
            "queue" => ("queue", &QUEUE_FACETS),
            _ => ("bucket", &BUCKET_FACETS),
        };
        let resource = Resource {
            identity: orphan.identity.clone(),
            ..Resource::new(orphan.address.clone(), kind, &orphan.name, facets)
        };
        Some((resource, self.look(&orphan.address, &orphan.name)))
    }

    async fn marked(&self, deployments: &[String]) -> Result<Vec<Orphan>, Error> {
        let world = self.world();
        let orphan = |(identity, thing): (&String, &Thing)| {
            let mark = Mark::from_tags(&thing.tags).filter(|mark| deployments.contains(&mark.deployment))?;
            let (kind, name) = identity.split_once('/')?;
            let address = if kind == "bucket" { BUCKET } else { QUEUE };
            let holds_data = kind == "bucket";
            Some(Orphan { holds_data, ..Orphan::new(address, kind, name, identity.clone(), mark) })
        };
        Ok(world.things.iter().filter_map(orphan).collect())
    }

    async fn contents(&self, _: &Address) -> Result<Contents, Error> {
        let objects = self.world().things.get(&identity(&BUCKET, &self.plan.bucket)).map_or(0, |thing| thing.objects);
        Ok(Contents { objects, ..Contents::default() })
    }

    async fn deletion_blockers(&self, _: &Address) -> Result<Option<Refusal>, Error> {
        Ok(None)
    }
}

impl Model {
    fn look(&self, address: &Address, name: &str) -> Result<Observation, Error> {
        let world = self.world();
        let present = |mark: Option<Mark>, observed: Vec<(&'static str, Observed)>| {
            Ok(Observation::Present(Box::new(Present { mark, observed, ..Present::default() })))
        };
        let name = if *address == QUEUE { identity(&QUEUE, name) } else { identity(&BUCKET, name) };
        if *address == ACCESS {
            return present(
                None,
                vec![(GRANTS.name, Observed::Entries(Entries { list: members(&world.grants), limit: None }))],
            );
        }
        if world.elsewhere.contains(&name) {
            return Ok(Observation::TakenElsewhere { detail: "403".to_owned() });
        }
        let Some(thing) = world.things.get(&name) else { return Ok(Observation::Absent) };
        let mark = Mark::from_tags(&thing.tags);
        let tags = (TAGS.name, Observed::Value(json!(without_mark(&thing.tags))));
        match address.part() {
            "bucket" => {
                let ours = thing.policy.iter().find(|(id, _)| self.named(id) == EntryId::Ours);
                let policy = ours.map_or(Value::Null, |(id, text)| json!({"id": id, "text": text}));
                let versioning = (VERSIONING.name, Observed::Value(json!(thing.versioning)));
                present(
                    mark,
                    vec![versioning, (POLICY.name, Observed::Value(policy)), (RULE.name, list(&thing.rules)), tags],
                )
            }
            "queue" => {
                let senders = Observed::Entries(Entries { list: members(&thing.senders), limit: None });
                let attributes = Observed::Value(json!({"wait": thing.wait}));
                present(mark, vec![(ATTRIBUTES.name, attributes), (SENDERS.name, senders), tags])
            }
            _ => present(None, vec![(ENTRY.name, list(&thing.notifications))]),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Take `before` out of a list once, and put `value` into it where it is not there.
fn replace<T: PartialEq>(entries: &mut Vec<T>, before: Option<T>, value: Option<T>) {
    if let Some(index) = before.and_then(|before| entries.iter().position(|entry| *entry == before)) {
        entries.remove(index);
    }
    if let Some(value) = value.filter(|value| !entries.contains(value)) {
        entries.push(value);
    }
}

fn replace_members(entries: &mut Vec<(String, String)>, before: &Value, value: &Value) {
    let pairs = |value: &Value| {
        let members = value.as_object().cloned().unwrap_or_default();
        members.into_iter().map(|(role, member)| (role, text(&member))).collect::<Vec<_>>()
    };
    let wanted = pairs(value);
    for gone in pairs(before).into_iter().filter(|old| !wanted.contains(old)) {
        replace(entries, Some(gone), None);
    }
    wanted.into_iter().for_each(|new| replace(entries, None, Some(new)));
}

#[async_trait]
impl Provisioner for Model {
    async fn tags(&self, operation: &Operation) -> Result<Option<Tags>, Error> {
        let name = identity(&operation.address, &operation.name);
        Ok(self.world().things.get(&name).map(|thing| thing.tags.clone()))
    }

    async fn update_tags(&self, operation: &Operation, found: &Tags, changes: &TagChanges) -> Result<(), Error> {
        self.write_one()?;
        let name = identity(&operation.address, &operation.name);
        self.world().thing(&name).tags = with_changes(found, changes);
        Ok(())
    }

    async fn create(
        &self,
        operation: &Operation,
        tags: &Tags,
        facets: &Map<String, Value>,
        _: &OperationContext<'_>,
    ) -> Result<Created, Error> {
        self.write_one()?;
        let name = identity(&operation.address, &operation.name);
        let mut world = self.world();
        if world.things.contains_key(&name) {
            return Ok(Created::Existed);
        }
        let wait = facets.get(ATTRIBUTES.name).and_then(|attributes| attributes["wait"].as_u64());
        world.things.insert(name, Thing { tags: tags.clone(), wait, ..Thing::default() });
        Ok(Created::Made)
    }

    async fn write(&self, operation: &Operation, write: &Write<'_>, _: &OperationContext<'_>) -> Result<(), Error> {
        self.write_one()?;
        let Write { facet, before, value, just_created } = *write;
        let some = |value: &Value| (!value.is_null()).then(|| text(value));
        let mut world = self.world();
        if facet == GRANTS.name {
            replace_members(&mut world.grants, before, value);
            return Ok(());
        }
        let holder = if operation.address == QUEUE { QUEUE } else { BUCKET };
        let name = if operation.address == NOTIFICATION { &self.plan.bucket } else { &operation.name };
        let ids = self.ids();
        let Some(thing) = world.things.get_mut(&identity(&holder, name)) else {
            let gone = Error::new(ErrorKind::Stale, "write to what is gone");
            return if value.is_null() { Ok(()) } else { Err(gone) };
        };
        // What was just made is written unread.
        if just_created && facet == SENDERS.name {
            thing.senders.clear();
        }
        match facet {
            "versioning" => thing.versioning = value == &json!(true),
            "policy" => {
                thing.policy.retain(|(id, _)| !ids.contains(id));
                if !value.is_null() {
                    thing.policy.push((text(&value["id"]), text(&value["text"])));
                }
            }
            "rule" => replace(&mut thing.rules, some(before), some(value)),
            "entry" => replace(&mut thing.notifications, some(before), some(value)),
            "attributes" => thing.wait = value["wait"].as_u64(),
            _ => replace_members(&mut thing.senders, before, value),
        }
        Ok(())
    }

    async fn empty(&self, operation: &Operation, _: &OperationContext<'_>) -> Result<(), Error> {
        self.world().thing(&identity(&BUCKET, &operation.name)).objects = 0;
        Ok(())
    }

    async fn delete(&self, operation: &Operation, context: &OperationContext<'_>) -> Result<(), Error> {
        context.still_ours().await?;
        self.write_one()?;
        self.world().things.remove(&identity(&operation.address, &operation.name));
        Ok(())
    }
}
