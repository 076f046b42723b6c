//! Random walks: a plan edited at random, applied, cut off, with entries of others put in between and things deleted by hand,
//! then destroyed. Every apply is clean right after, drift is never false and never silent, nothing of ours is left, nothing
//! of others is lost.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::change_set::Purpose;
use crate::mark::{DEPLOYMENT_KEY, Mark, ORIGIN_KEY, Origin, PARTS_KEY, is_key};
use crate::model::{Model, Plan, Thing, World};

/// How many walks are made.
const WALKS: usize = 1000;

/// One step of a walk; numbers pick among names.
#[derive(Clone, Debug)]
enum Step {
    /// The plan file is edited, and nothing else happens before the next apply.
    Edit(Vec<Edit>),
    /// Others put something beside ours.
    Others(Foreign),
    /// Somebody deletes a thing of ours, or one that was adopted.
    Delete(bool),
    /// Somebody takes our tags off a thing that we made.
    Untag(bool),
    /// Somebody takes an entry of ours away.
    Take(usize),
    /// An apply that is cut off after so many writes.
    CutApply(usize),
    Apply,
}

#[derive(Clone, Debug)]
enum Edit {
    Host(usize),
    Queue(Option<usize>),
    Principal(Option<usize>),
    Tag(usize, Option<usize>),
    Private(bool),
    Versioning(Option<bool>),
    Wait(u64),
    Rename,
}

#[derive(Clone, Debug)]
enum Foreign {
    Rule(usize),
    Notification(usize),
    Sender(usize),
    Grant(usize, usize),
    Tag(usize, usize),
    Statement,
}

const HOSTS: [&str; 3] = ["host", "host-2", "theirs"];
const QUEUES: [&str; 3] = ["events", "events-2", "their-queue"];
const MEMBERS: [&str; 4] = ["node", "other", "theirs", "agent"];
const ROLES: [&str; 3] = ["read", "write", "own"];
const TAGS: [&str; 3] = ["team", "cost", "stage"];
const VALUES: [&str; 2] = ["1", "2"];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..2_usize).prop_map(Edit::Host),
        prop::option::weighted(0.8, 0..2_usize).prop_map(Edit::Queue),
        prop::option::weighted(0.7, 0..2_usize).prop_map(Edit::Principal),
        (0..3_usize, prop::option::weighted(0.6, 0..2_usize)).prop_map(|(key, value)| Edit::Tag(key, value)),
        any::<bool>().prop_map(Edit::Private),
        prop::option::of(any::<bool>()).prop_map(Edit::Versioning),
        (1..4_u64).prop_map(Edit::Wait),
        Just(Edit::Rename),
    ]
}

fn foreign() -> impl Strategy<Value = Foreign> {
    prop_oneof![
        (0..3_usize).prop_map(Foreign::Rule),
        (0..3_usize).prop_map(Foreign::Notification),
        (0..4_usize).prop_map(Foreign::Sender),
        (0..3_usize, 0..4_usize).prop_map(|(role, member)| Foreign::Grant(role, member)),
        (0..3_usize, 0..2_usize).prop_map(|(key, value)| Foreign::Tag(key, value)),
        Just(Foreign::Statement),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(edit(), 1..4).prop_map(Step::Edit),
        3 => foreign().prop_map(Step::Others),
        1 => any::<bool>().prop_map(Step::Delete),
        1 => any::<bool>().prop_map(Step::Untag),
        1 => (0..3_usize).prop_map(Step::Take),
        2 => (0..9_usize).prop_map(Step::CutApply),
        3 => Just(Step::Apply),
    ]
}

/// A walk, and what there is of others.
struct Walk {
    model: Model,
    others: World,
    renames: usize,
    /// Whether the cloud is as the last apply left it.
    settled: bool,
    /// Whether the last run was cut off: what others add then just as we were about to is told apart by nobody.
    cut: bool,
}

const FILES: &str = "bucket/files";

impl Walk {
    /// Begin on nothing, or on things that others made.
    fn begin(bucket: bool, queue: bool) -> Self {
        let mut others = World::default();
        if bucket {
            others.thing(FILES);
        }
        if queue {
            others.thing("queue/events").wait = Some(7);
        }
        let model = Model::new(Plan { adopt: true, ..Plan::new() }, others.clone());
        Self { model, others, renames: 0, settled: false, cut: false }
    }

    fn edit(&mut self, edit: &Edit) {
        let plan = &mut self.model.plan;
        let pick = |names: &[&str], index: usize| names[index].to_owned();
        match edit {
            Edit::Host(index) => plan.host = pick(&HOSTS, *index),
            Edit::Queue(index) => plan.queue = index.map(|index| pick(&QUEUES, index)),
            Edit::Principal(index) => plan.principal = index.map(|index| pick(&MEMBERS, index)),
            Edit::Tag(key, Some(value)) => drop(plan.tags.insert(pick(&TAGS, *key), pick(&VALUES, *value))),
            Edit::Tag(key, None) => drop(plan.tags.remove(TAGS[*key])),
            Edit::Private(private) => plan.private = *private,
            Edit::Versioning(versioning) => plan.versioning = *versioning,
            Edit::Wait(wait) => plan.wait = *wait,
            // A name that was never applied is nobody's former name.
            Edit::Rename if plan.was.is_none() => {
                self.renames += 1;
                plan.was = Some(plan.deployment.clone());
                plan.deployment = format!("wandb-{}", self.renames);
            }
            Edit::Rename => {}
        }
        let (plan, world) = (self.model.plan.clone(), self.model.world().clone());
        self.model = Model::new(plan, world);
    }

    /// Others put something where it is not yet; lists take the same twice, sets do not.
    fn put(&mut self, foreign: &Foreign) {
        let queue = format!("queue/{}", self.model.plan.queue.as_deref().unwrap_or("events"));
        let mut world = self.model.world();
        let others = &mut self.others;
        let adopted = |world: &World, name: &str| {
            world
                .things
                .get(name)
                .is_some_and(|thing| Mark::from_tags(&thing.tags).is_none_or(|mark| mark.origin == Origin::Adopted))
        };
        let pair = |role: &str, member: usize| (role.to_owned(), MEMBERS[member].to_owned());
        match foreign {
            Foreign::Grant(role, member) => {
                let grant = pair(ROLES[*role], *member);
                if !world.grants.contains(&grant) {
                    world.grants.push(grant.clone());
                    others.grants.push(grant);
                }
            }
            Foreign::Sender(member) if world.things.contains_key(&queue) => {
                let sender = pair("send", *member);
                if !world.thing(&queue).senders.contains(&sender) {
                    world.thing(&queue).senders.push(sender.clone());
                    if adopted(&world, &queue) {
                        others.thing(&queue).senders.push(sender);
                    }
                }
            }
            _ if !world.things.contains_key(FILES) => {}
            Foreign::Tag(key, value) => {
                let (key, value) = (TAGS[*key].to_owned(), VALUES[*value].to_owned());
                if !world.thing(FILES).tags.contains_key(&key) {
                    world.thing(FILES).tags.insert(key.clone(), value.clone());
                    if adopted(&world, FILES) {
                        others.thing(FILES).tags.insert(key, value);
                    }
                }
            }
            Foreign::Statement => {
                world.thing(FILES).policy.push(("theirs".to_owned(), "deny".to_owned()));
                if adopted(&world, FILES) {
                    others.thing(FILES).policy.push(("theirs".to_owned(), "deny".to_owned()));
                }
            }
            Foreign::Rule(index) | Foreign::Notification(index) => {
                let rule = matches!(foreign, Foreign::Rule(_));
                let of = |thing: &mut Thing| match rule {
                    true => thing.rules.push(HOSTS[*index].to_owned()),
                    false => thing.notifications.push(QUEUES[*index].to_owned()),
                };
                of(world.thing(FILES));
                if adopted(&world, FILES) {
                    of(others.thing(FILES));
                }
            }
            Foreign::Sender(_) => {}
        }
    }

    /// A thing that carries our mark, if it may be touched: the bucket, or the queue of the plan.
    fn marked(&self, bucket: bool) -> Option<(String, Mark)> {
        let name = match (bucket, &self.model.plan.queue) {
            (true, _) => FILES.to_owned(),
            (false, Some(queue)) => format!("queue/{queue}"),
            (false, None) => return None,
        };
        let mark = Mark::from_tags(&self.model.world().things.get(&name)?.tags)?;
        (mark.is_written() && mark.deployment == self.model.plan.deployment).then_some((name, mark))
    }

    async fn drifts(&self) -> bool {
        let set = self.model.plan().await;
        assert!(set.blockers().is_empty(), "{:?}", set.blockers());
        set.has_drift() || set.nothing_exists()
    }

    async fn apply(&mut self) {
        self.model.apply().await;
        // Taken over everywhere: the former name may leave the plan file.
        self.model.plan.was = None;
        let set = self.model.plan().await;
        assert!(!set.has_changes() && !set.has_drift(), "{:#?}", set.changes);
        (self.settled, self.cut) = (true, false);
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Edit(edits) => {
                edits.iter().for_each(|edit| self.edit(edit));
                // Nobody touched the cloud.
                assert!(!self.settled || !self.drifts().await, "{:#?}", self.model.plan().await.changes);
            }
            // What others add may hide ours or be what is desired: it is no drift that something goes unseen for.
            Step::Others(_) if self.cut => {}
            Step::Others(foreign) => {
                self.put(foreign);
                self.settled = false;
            }
            Step::Delete(bucket) if self.settled => {
                // With the last mark goes all that tells our rights from those of others.
                let (Some((name, _)), Some(_)) = (self.marked(*bucket), self.marked(!*bucket)) else { return };
                self.model.world().things.remove(&name);
                self.others.things.remove(&name);
                assert!(self.drifts().await, "{name} is gone");
                self.settled = false;
            }
            Step::Untag(bucket) if self.settled => self.untag(*bucket).await,
            Step::Take(index) if self.settled => self.take(*index).await,
            Step::CutApply(writes) => {
                let set = self.model.plan().await;
                assert!(set.blockers().is_empty(), "{:?}", set.blockers());
                *self.model.writes_left.lock().unwrap() = *writes;
                let _ = self.model.execute(&set).await;
                *self.model.writes_left.lock().unwrap() = usize::MAX;
                (self.settled, self.cut) = (false, true);
            }
            Step::Apply => self.apply().await,
            Step::Delete(_) | Step::Untag(_) | Step::Take(_) => {}
        }
    }

    async fn untag(&mut self, bucket: bool) {
        let (Some((name, mark)), Some((_, other))) = (self.marked(bucket), self.marked(!bucket)) else { return };
        if !other.is_written() {
            return;
        }
        let lost: [&dyn Fn(&str) -> bool; 3] = [&|key| key == ORIGIN_KEY, &|key| key == PARTS_KEY, &is_key];
        // Without any mark it is only known of what we made that everything in it is ours.
        for lost in lost.into_iter().take(if mark.origin == Origin::Created { 3 } else { 2 }) {
            self.model.world().thing(&name).tags.retain(|key, _| !lost(key));
            assert!(self.drifts().await, "{name} lost its tags");
            self.apply().await;
            assert_eq!(self.marked(bucket).map(|(_, mark)| mark.origin), Some(mark.origin));
        }
    }

    /// An entry of ours goes, is missed, and comes back at once.
    async fn take(&mut self, index: usize) {
        let plan = self.model.plan.clone();
        let gone = {
            let mut world = self.model.world();
            match (index, &plan.principal) {
                (0, Some(principal)) => {
                    let grant = ("read".to_owned(), principal.clone());
                    let ours = !self.others.grants.contains(&grant);
                    let count = world.grants.len();
                    world.grants.retain(|other| *other != grant || !ours);
                    count != world.grants.len()
                }
                (1, _) => {
                    let theirs = self.others.things.get(FILES).is_some_and(|thing| thing.rules.contains(&plan.host));
                    let rules = &mut world.thing(FILES).rules;
                    let count = rules.len();
                    rules.retain(|rule| theirs || *rule != plan.host);
                    count != rules.len()
                }
                _ => false,
            }
        };
        if gone {
            assert!(self.drifts().await, "an entry of ours is gone");
            self.apply().await;
        }
    }

    /// Take everything down; what is left is what others have, values for everybody as they are.
    async fn end(mut self) {
        self.model.destroy().await;
        let world = self.model.world().clone();
        for (name, thing) in &mut self.others.things {
            let left = &world.things[name];
            (thing.versioning, thing.wait) = (left.versioning, left.wait);
        }
        assert!(world.things.values().all(|thing| !thing.tags.contains_key(DEPLOYMENT_KEY)));
        assert_eq!(world, self.others);
        let again = self.model.change_set(Purpose::Destroy { delete_data: None }, true).await;
        assert!(!again.has_changes(), "{again:#?}");
    }
}

#[tokio::test]
async fn random_walks_lose_nothing_and_leave_nothing() {
    let mut runner = TestRunner::deterministic();
    let walks = (any::<bool>(), any::<bool>(), prop::collection::vec(step(), 3..14));
    for number in 0..WALKS {
        let (bucket, queue, steps) = walks.new_tree(&mut runner).unwrap().current();
        println!("walk {number}: bucket {bucket}, queue {queue}, {steps:?}");
        let mut walk = Walk::begin(bucket, queue);
        for step in &steps {
            walk.step(step).await;
        }
        walk.end().await;
    }
}
