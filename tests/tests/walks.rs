//! Random walks on the three clouds: the plan file edited at random (settings, queue's name, access, the deployment's name with
//! `was`), things edited and deleted by hand, or entries of others beside ours, applied in between and destroyed at the end.
//! Every apply is clean right after, drift is never false and never silent, nothing of ours is left, nothing of others is lost.
//! The core's own walks are a thousand on a cloud in memory; `PROVISION_WALKS` says how many are made here.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use provision_tests::stage::{Hand, Stage};
use serde_json::Value;

use crate::clouds::{AWS, AZURE, CloudFixture, Edit, GCP};
use crate::crossing::entries;

/// How many walks are made of each kind.
const WALKS: usize = 2;

/// One step; numbers pick among what the cloud has.
#[derive(Clone, Debug)]
enum Step {
    /// A setting comes into the plan file, or leaves it.
    Setting(usize),
    /// The queue gets its other name, or its first one back.
    Queue,
    /// The section of access leaves the plan file, or comes back.
    Access,
    /// The deployment gets another name.
    Rename,
    /// Somebody edits a facet.
    Edit(usize),
    /// Somebody deletes a thing.
    Gone(usize),
    Apply,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<usize>().prop_map(Step::Setting),
        1 => Just(Step::Queue),
        1 => Just(Step::Access),
        1 => Just(Step::Rename),
        2 => any::<usize>().prop_map(Step::Edit),
        2 => any::<usize>().prop_map(Step::Gone),
        4 => Just(Step::Apply),
    ]
}

struct Walk {
    cloud: &'static CloudFixture,
    stage: Stage,
    /// Everything of others, where the deployment took over what they made.
    others: Option<Value>,
    settings: Vec<bool>,
    queue_renamed: bool,
    without_access: bool,
    renames: usize,
    /// The name that was applied, while the plan file has another one.
    was: Option<String>,
    /// Whether the cloud and the plan file are as the last apply left them.
    applied: bool,
}

impl Walk {
    fn begin(cloud: &'static CloudFixture, adopting: bool) -> Self {
        let stage = cloud.planned();
        let others = adopting.then(|| {
            (cloud.foreign.unmarked)(&stage.hand());
            (cloud.foreign.put)(&stage.hand());
            others(cloud, &stage.hand())
        });
        let settings = vec![false; cloud.plans.settings.len()];
        let mut walk = Self {
            cloud,
            stage,
            others,
            settings,
            queue_renamed: false,
            without_access: false,
            renames: 0,
            was: None,
            applied: false,
        };
        walk.apply();
        walk
    }

    fn name(&self) -> String {
        if self.renames == 0 { "wandb-prod".to_owned() } else { format!("wandb-{}", self.renames) }
    }

    /// The plan file as it is now.
    fn plan_file(&self) -> String {
        let adopting = if self.others.is_some() { self.cloud.plans.adopting } else { &[] };
        let settings =
            self.cloud.plans.settings.iter().zip(&self.settings).filter(|(_, on)| **on).map(|(it, _)| it.pair());
        let queue = if self.queue_renamed { self.cloud.plans.queue_renamed.0 } else { &[] };
        let changes: Vec<_> = adopting.iter().copied().chain(settings).chain(queue.iter().copied()).collect();
        let was = self.was.as_ref().map(|was| format!("\nwas = \"{was}\"")).unwrap_or_default();
        let text = self.cloud.plan_with(&changes).replace("\"wandb-prod\"", &format!("\"{}\"{was}", self.name()));
        let access = text.find(&format!("[{}.access]", self.cloud.name)).filter(|_| self.without_access);
        text[..access.unwrap_or(text.len())].to_owned()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Setting(index) => {
                let index = index % self.settings.len();
                self.settings[index] ^= true;
                self.edited();
            }
            Step::Queue => {
                self.queue_renamed ^= true;
                self.edited();
            }
            Step::Access => {
                self.without_access ^= true;
                self.edited();
            }
            // A name that was never applied is nobody's former name.
            Step::Rename if self.was.is_none() => {
                self.was = Some(self.name());
                self.renames += 1;
                self.edited();
            }
            Step::Edit(index) => self.by_hand(self.cloud.edits.facets[index % self.cloud.edits.facets.len()]),
            Step::Gone(index) => self.by_hand(self.cloud.edits.gone[index % self.cloud.edits.gone.len()]),
            Step::Apply => self.apply(),
            Step::Rename => {}
        }
    }

    /// The plan file was edited; nobody touched the cloud.
    fn edited(&mut self) {
        self.applied = false;
        self.stage.write("provision.toml", &self.plan_file());
        self.cloud.succeed(&self.stage, &["drift"]);
    }

    /// Somebody touches what is ours, where it is as the first plan file says.
    fn by_hand(&mut self, edit: Edit) {
        let as_planned = self.applied && !self.queue_renamed && !self.without_access;
        if self.others.is_some() || !as_planned || self.settings.contains(&true) {
            return;
        }
        self.cloud.edit(&self.stage, edit.make);
        let drift = self.cloud.ends(&self.stage, 2, &["drift", "--format", "markdown"]);
        assert!(drift.contains(edit.shows), "{} is not in\n{drift}", edit.shows);
        self.apply();
    }

    fn apply(&mut self) {
        self.stage.write("provision.toml", &self.plan_file());
        self.cloud.succeed(&self.stage, &["apply", "--yes", "--orphans"]);
        // Taken over everywhere: the former name may leave the plan file.
        self.was = None;
        self.stage.write("provision.toml", &self.plan_file());
        let plan = self.cloud.succeed(&self.stage, &["plan"]);
        assert!(plan.contains("No changes:"), "{plan}");
        self.cloud.succeed(&self.stage, &["drift"]);
        self.others_are_there();
        self.applied = true;
    }

    fn others_are_there(&self) {
        let Some(before) = &self.others else { return };
        assert_eq!(others(self.cloud, &self.stage.hand()), *before);
    }

    fn end(self) {
        self.cloud.succeed(&self.stage, &["destroy", "--yes", "--orphans"]);
        assert_eq!((self.cloud.ours)(&self.stage.hand()), Vec::<String>::new());
        self.others_are_there();
    }
}

/// What others have, but for the values for everybody that the plan file may set.
fn others(cloud: &CloudFixture, hand: &Hand) -> Value {
    let mut others = entries((cloud.foreign.all)(hand));
    others.as_object_mut().map(|others| others.remove("wait"));
    others
}

fn walks(cloud: &'static CloudFixture, adopting: bool) {
    let count = std::env::var("PROVISION_WALKS").ok().and_then(|text| text.parse().ok()).unwrap_or(WALKS);
    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step(), 6..16);
    for number in 0..count {
        let steps = steps.new_tree(&mut runner).unwrap().current();
        println!("walk {number}: {steps:?}");
        let mut walk = Walk::begin(cloud, adopting);
        steps.iter().for_each(|step| walk.step(step));
        walk.end();
    }
}

macro_rules! walks {
    ($($module:ident: $cloud:ident,)*) => {
        $(mod $module {
            #[test]
            fn over_what_it_made() {
                super::walks(&super::$cloud, false);
            }

            #[test]
            fn over_what_others_made_and_use() {
                super::walks(&super::$cloud, true);
            }
        })*
    };
}

walks! {
    aws: AWS,
    gcp: GCP,
    azure: AZURE,
}
