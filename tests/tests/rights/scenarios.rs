//! What each command is tried on, on every cloud.

use provision_tests::stage::Stage;

use crate::clouds::CloudFixture;
use crate::sweep::clouds::{self, Scenario};

/// A command of which rights are printed.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) scenarios: &'static [&'static Scenario],
}

pub(crate) const COMMANDS: [Command; 5] = [
    Command {
        name: "plan",
        scenarios: &[&clouds::PLAN, &PLAN_DESTROY, &PLAN_OF_NOTHING, &PLAN_ORPHANS, &PLAN_ADOPTING],
    },
    Command {
        name: "apply",
        scenarios: &[
            &clouds::APPLY,
            &clouds::ADOPT,
            &clouds::RENAME,
            &clouds::UPDATE,
            &TAKEN_BACK,
            &REPAIR,
            &MADE_AGAIN,
            &APPLY_ORPHANS,
            &clouds::BYOB,
        ],
    },
    Command { name: "drift", scenarios: &[&clouds::DRIFT, &DRIFT_OF_ADOPTED] },
    Command {
        name: "destroy",
        scenarios: &[
            &clouds::DELETE_DATA,
            &clouds::RELEASE,
            &RELEASE_ALONE,
            &DESTROY_ORPHANS,
            &clouds::BYOB_RELEASE,
            &clouds::BYOB_DELETE_DATA,
        ],
    },
    Command { name: VERIFY_NAME, scenarios: &[&VERIFY] },
];

/// The command that only some clouds have.
pub(crate) const VERIFY_NAME: &str = "verify";

const VERIFY: Scenario = Scenario { arguments: &["verify", "--strict"], ..clouds::DRIFT };
const PLAN_DESTROY: Scenario = Scenario { arguments: &["plan", "--destroy"], ..clouds::PLAN };
const PLAN_OF_NOTHING: Scenario = Scenario { prepare: |_, _| {}, ..clouds::PLAN };
const PLAN_ORPHANS: Scenario = Scenario { prepare: renamed_queue, arguments: &["plan", "--orphans"], ..clouds::PLAN };
const PLAN_ADOPTING: Scenario = Scenario { prepare: clouds::ADOPT.prepare, ..clouds::PLAN };

const TAKEN_BACK: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.change(stage, cloud.plans.update);
        cloud.apply(stage);
        cloud.change(stage, &[]);
    },
    ..clouds::APPLY
};

/// Each facet was edited.
const REPAIR: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        cloud.edits.facets.iter().for_each(|edit| cloud.edit(stage, edit.make));
    },
    ..clouds::APPLY
};

/// The last of what others may take away is gone.
const MADE_AGAIN: Scenario = Scenario {
    prepare: |cloud, stage| {
        cloud.apply(stage);
        cloud.edit(stage, cloud.edits.gone[0].make);
    },
    ..clouds::APPLY
};

const APPLY_ORPHANS: Scenario =
    Scenario { prepare: renamed_queue, arguments: &["apply", "--yes", "--orphans"], ..clouds::APPLY };

const DRIFT_OF_ADOPTED: Scenario = Scenario { prepare: clouds::RELEASE.prepare, ..clouds::DRIFT };

/// Nobody else has anything on what was adopted.
const RELEASE_ALONE: Scenario = Scenario {
    prepare: |cloud, stage| {
        (cloud.foreign.unmarked)(&stage.hand());
        cloud.change(stage, cloud.plans.adopting);
        cloud.apply(stage);
    },
    ..clouds::DESTROY
};

const DESTROY_ORPHANS: Scenario =
    Scenario { prepare: renamed_queue, arguments: &["destroy", "--yes", "--orphans"], ..clouds::DESTROY };

/// The queue has another name in the plan file, and is left over.
fn renamed_queue(cloud: &CloudFixture, stage: &Stage) {
    cloud.apply(stage);
    cloud.change(stage, cloud.plans.queue_renamed.0);
}
