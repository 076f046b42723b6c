//! The clouds on the sandbox: what is disturbed. Each point begins with a copy of one prepared state.

use std::path::Path;
use std::process::Child;
use std::sync::atomic::AtomicUsize;

use provision_sandbox::layer::FaultLayer;
use provision_tests::stage::Stage;
use serde_json::Value;

use super::{Sweep, World};
use crate::clouds::CloudFixture;

/// A run that is disturbed.
pub(crate) struct Scenario {
    /// Makes the world before the run, of a stage with the plan file.
    pub(crate) prepare: fn(&CloudFixture, &Stage),
    /// The command after the cloud's name; `{bucket}` stands for the bucket that holds data.
    pub(crate) arguments: &'static [&'static str],
    /// Whether others have something there, to be looked at afterwards.
    pub(crate) with_others: bool,
    /// What there is of ours afterwards.
    pub(crate) leaves: fn(&CloudFixture) -> &'static [&'static str],
    /// Whether each write fails in every way, as in one scenario of each cloud: in the others it fails with and without its
    /// effect and for good.
    pub(crate) every_way: bool,
    /// Whether nothing may be written.
    pub(crate) only_looks: bool,
}

const APPLYING: &[&str] = &["apply", "--yes"];
const DESTROYING: &[&str] = &["destroy", "--yes"];

pub(crate) const APPLY: Scenario = Scenario {
    prepare: |_, _| {},
    arguments: APPLYING,
    with_others: false,
    leaves: |cloud| cloud.applied,
    every_way: true,
    only_looks: false,
};

pub(crate) const UPDATE: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        cloud.change(stage, cloud.plans.update);
    },
    arguments: APPLYING,
    with_others: false,
    leaves: |cloud| cloud.applied,
    every_way: false,
    only_looks: false,
};

pub(crate) const ADOPT: Scenario = Scenario {
    prepare: |cloud, stage| {
        (cloud.foreign.unmarked)(&stage.hand());
        (cloud.foreign.put)(&stage.hand());
        cloud.change(stage, cloud.plans.adopting);
    },
    arguments: APPLYING,
    with_others: true,
    leaves: |cloud| cloud.adopted,
    every_way: false,
    only_looks: false,
};

pub(crate) const RENAME: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        cloud.change(stage, &[("\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\"")]);
    },
    arguments: APPLYING,
    with_others: false,
    leaves: |cloud| cloud.applied,
    every_way: false,
    only_looks: false,
};

pub(crate) const DESTROY: Scenario = Scenario {
    prepare: |cloud, stage| cloud.apply(stage),
    arguments: DESTROYING,
    with_others: false,
    leaves: |_| &[],
    every_way: false,
    only_looks: false,
};

pub(crate) const RELEASE: Scenario = Scenario {
    prepare: |cloud, stage| {
        (ADOPT.prepare)(cloud, stage);
        cloud.apply(stage);
    },
    arguments: DESTROYING,
    with_others: true,
    leaves: |_| &[],
    every_way: false,
    only_looks: false,
};

pub(crate) const DELETE_DATA: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        (cloud.fill)(&stage.hand());
    },
    arguments: &["destroy", "--yes", "--delete-data", "{bucket}"],
    with_others: false,
    leaves: |_| &[],
    every_way: false,
    only_looks: false,
};

/// A bucket for a server that is somebody else's.
pub(crate) const BYOB: Scenario = Scenario {
    prepare: |cloud, stage| stage.write("provision.toml", cloud.byob.plan),
    leaves: |cloud| cloud.byob.applied,
    every_way: false,
    ..APPLY
};

/// One who is let in makes way for another.
pub(crate) const BYOB_EXCHANGE: Scenario = Scenario {
    prepare: |cloud, stage| {
        (BYOB.prepare)(cloud, stage);
        cloud.apply(stage);
        let (old, new) = cloud.byob.exchanged.pair();
        stage.write("provision.toml", &cloud.byob.plan.replace(old, new));
    },
    ..BYOB
};

/// The same, taken over, with others who are let in.
pub(crate) const BYOB_RELEASE: Scenario = Scenario {
    prepare: |cloud, stage| {
        let adopting = |text: String, (old, new): &(&str, &str)| text.replace(old, new);
        stage.write("provision.toml", &cloud.byob.adopting.iter().fold(cloud.byob.plan.to_owned(), adopting));
        (cloud.byob.let_in_by_others)(&stage.hand());
        cloud.apply(stage);
    },
    ..DESTROY
};

/// The same, with data.
pub(crate) const BYOB_DELETE_DATA: Scenario = Scenario {
    prepare: |cloud, stage| {
        (BYOB.prepare)(cloud, stage);
        cloud.apply(stage);
        (cloud.fill)(&stage.hand());
    },
    ..DELETE_DATA
};

pub(crate) const PLAN: Scenario = Scenario {
    prepare: |cloud, stage| cloud.apply(stage),
    arguments: &["plan"],
    with_others: false,
    leaves: |cloud| cloud.applied,
    every_way: false,
    only_looks: true,
};

pub(crate) const DRIFT: Scenario = Scenario { arguments: &["drift"], ..PLAN };

/// What has to be made again, with what others put on it.
pub(crate) const MAKE_AGAIN: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        (cloud.foreign.put)(&stage.hand());
        crate::clouds::azure::hand::end_events(&stage.hand());
    },
    arguments: APPLYING,
    with_others: true,
    leaves: |cloud| cloud.applied,
    every_way: false,
    only_looks: false,
};

/// A prepared state, of which every point gets a copy.
pub(crate) struct Original {
    state: tempfile::TempDir,
    plan_file: String,
    others: Option<Value>,
}

impl Original {
    pub(crate) fn make(cloud: &CloudFixture, scenario: &Scenario) -> Self {
        let state = tempfile::tempdir().unwrap();
        let stage = cloud.set(Stage::start_in(cloud.sandbox, state.path()));
        (scenario.prepare)(cloud, &stage);
        let others = scenario.with_others.then(|| (cloud.foreign.all)(&stage.hand()));
        let plan_file = stage.read("provision.toml");
        drop(stage);
        Self { state, plan_file, others }
    }
}

/// A copy.
pub(crate) struct Prepared {
    cloud: &'static CloudFixture,
    scenario: &'static Scenario,
    original: &'static Original,
    pub(crate) stage: Stage,
    _state: tempfile::TempDir,
}

impl Prepared {
    pub(crate) fn of(cloud: &'static CloudFixture, scenario: &'static Scenario, original: &'static Original) -> Self {
        let state = tempfile::tempdir().unwrap();
        copy(original.state.path(), state.path());
        let stage = cloud.set(Stage::start_in(cloud.sandbox, state.path()));
        // What is not shown at once is asked for again, and a run is to send the same each time.
        for what in ["pubsub.topics", "pubsub.subscriptions"] {
            stage.faults().set_propagation(what, std::time::Duration::ZERO);
        }
        stage.write("provision.toml", &original.plan_file);
        Self { cloud, scenario, original, stage, _state: state }
    }
}

fn copy(from: &Path, to: &Path) {
    for name in ["snapshot", "journal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

impl Prepared {
    /// Start the command with more arguments.
    pub(crate) fn start_with(&self, more: &[&'static str]) -> Child {
        let of = |argument: &&'static str| if *argument == "{bucket}" { self.cloud.bucket } else { argument };
        let arguments = self.scenario.arguments.iter().chain(more).map(of);
        self.stage.spawn(&std::iter::once(self.cloud.name).chain(arguments).collect::<Vec<_>>(), |_| {})
    }

    /// Look at what others have, after a run that printed this.
    pub(crate) fn keeps_others(&self, printed: &str) -> Result<(), String> {
        let before = self.original.others.as_ref();
        match before.map(|before| (before, (self.cloud.foreign.all)(&self.stage.hand()))) {
            Some((before, now)) if now != *before => Err(format!("others had {before}, have {now} after {printed}")),
            _ => Ok(()),
        }
    }
}

impl World for Prepared {
    fn layer(&self) -> &FaultLayer {
        self.stage.faults()
    }

    fn start(&self) -> Child {
        self.start_with(&[])
    }

    /// An apply that succeeds has looked itself that there is nothing left to change.
    fn check(&self, printed: &str) {
        let hand = self.stage.hand();
        assert!(!printed.contains("orphan"), "{printed}");
        assert_eq!((self.cloud.ours)(&hand), (self.scenario.leaves)(self.cloud));
        if let Some(others) = &self.original.others {
            assert_eq!((self.cloud.foreign.all)(&hand), *others);
        }
    }
}

/// A scenario on a cloud. A run mostly waits, so that several go on at the same time.
pub(crate) fn sweep(cloud: &'static CloudFixture, scenario: &'static Scenario) -> Sweep<Prepared> {
    let mut ways = super::ways((cloud.faults.internal)(), (cloud.faults.refusal)());
    if !scenario.every_way {
        ways.drain(..1);
        ways.drain(3..);
    }
    let original: &'static Original = Box::leak(Box::new(Original::make(cloud, scenario)));
    Sweep {
        prepare: Box::new(move || Prepared::of(cloud, scenario, original)),
        ways,
        uncrossed: cloud.faults.uncrossed,
        says: cloud.faults.says,
        at_once: 8,
        dropped: AtomicUsize::new(0),
    }
}
