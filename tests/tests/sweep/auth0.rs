//! Auth0 on the sandbox: what is disturbed. Names are not unique there, so that every point asks whether there is one application.

use std::process::Child;
use std::sync::atomic::AtomicUsize;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::layer::FaultLayer;
use provision_tests::stage::Stage;
use serde_json::json;

use super::{Sweep, World, ways};
use crate::auth0::{self, ADOPTING, PLAN_FILE};

/// A run that is disturbed.
struct Scenario {
    /// What was there before.
    prepare: fn(&Stage),
    /// The plan file of the run.
    plan_file: fn() -> String,
    verb: &'static str,
    /// How many applications carry our mark afterwards.
    leaves: usize,
}

const APPLY: Scenario = Scenario { prepare: |_| {}, plan_file: || PLAN_FILE.to_owned(), verb: "apply", leaves: 1 };

const UPDATE: Scenario = Scenario {
    prepare: |stage| auth0::apply(stage, PLAN_FILE),
    plan_file: || auth0::changed(PLAN_FILE),
    verb: "apply",
    leaves: 1,
};

const ADOPT: Scenario = Scenario {
    prepare: |stage| drop(auth0::foreign(&stage.hand())),
    plan_file: || ADOPTING.to_owned(),
    verb: "apply",
    leaves: 1,
};

const DESTROY: Scenario = Scenario {
    prepare: |stage| auth0::apply(stage, PLAN_FILE),
    plan_file: || PLAN_FILE.to_owned(),
    verb: "destroy",
    leaves: 0,
};

const RELEASE: Scenario = Scenario {
    prepare: |stage| {
        auth0::foreign(&stage.hand());
        auth0::apply(stage, ADOPTING);
    },
    plan_file: || ADOPTING.to_owned(),
    verb: "destroy",
    leaves: 0,
};

struct Prepared {
    scenario: &'static Scenario,
    stage: Stage,
}

impl World for Prepared {
    fn layer(&self) -> &FaultLayer {
        self.stage.faults()
    }

    fn start(&self) -> Child {
        self.stage.spawn(&["auth0", self.scenario.verb, "--yes"], |_| {})
    }

    fn check(&self, printed: &str) {
        let hand = self.stage.hand();
        assert_eq!(auth0::ours(&hand).len(), self.scenario.leaves, "{printed}");
        let others: Vec<_> = auth0::all(&hand).into_iter().filter(|found| found["name"] == auth0::FOREIGN).collect();
        if others.is_empty() {
            return;
        }
        // Whatever became of ours, what others have is as it was.
        let kept = |list: &str| others[0][list].as_array().is_some_and(|urls| urls.contains(&auth0::foreign_url(list)));
        assert!(others.len() == 1 && ["callbacks", "web_origins", "allowed_logout_urls"].iter().all(|list| kept(list)));
        assert_eq!(others[0]["client_metadata"]["team"], "theirs");
        if self.scenario.verb == "destroy" {
            assert_eq!(others[0]["callbacks"], json!([auth0::foreign_url("callbacks")]));
        }
    }
}

fn sweep(scenario: &'static Scenario) -> Sweep<Prepared> {
    let prepare = move || {
        let stage = auth0::stage();
        (scenario.prepare)(&stage);
        stage.write("provision.toml", &(scenario.plan_file)());
        Prepared { scenario, stage }
    };
    let error = |status, code: &str| What::Error { status, code: code.to_owned(), message: "as told".to_owned() };
    Sweep {
        prepare: Box::new(prepare),
        ways: ways(error(500, ""), error(403, "insufficient_scope")),
        // Nothing crosses but aliases, of which there are none.
        uncrossed: &["auth0:clients.create", "auth0:clients.update", "auth0:clients.delete"],
        says: |operation| operation.trim_start_matches("auth0:").to_owned(),
        at_once: 8,
        dropped: AtomicUsize::new(0),
    }
}

/// Each scenario as two tests of its own.
macro_rules! sweeps {
    ($($killed:ident, $failing:ident: $scenario:ident,)*) => {
        $(#[test]
        fn $killed() {
            sweep(&$scenario).kill_at_every_write();
        }

        #[test]
        fn $failing() {
            sweep(&$scenario).fail_at_every_write();
        })*
    };
}

sweeps! {
    apply_killed_at_every_write, apply_failing_at_every_write: APPLY,
    update_killed_at_every_write, update_failing_at_every_write: UPDATE,
    adopt_killed_at_every_write, adopt_failing_at_every_write: ADOPT,
    destroy_killed_at_every_write, destroy_failing_at_every_write: DESTROY,
    release_killed_at_every_write, release_failing_at_every_write: RELEASE,
}

/// What is read may be cut off, or an answer to something else: then nothing is known, and nothing made a second time.
#[test]
fn reads_that_cannot_be_read_make_nothing() {
    for (body, status) in
        [("{\"clients\": [", 200), ("{\"start\": 0, \"total\": 0}", 200), ("<html>sign in</html>", 404)]
    {
        let stage = auth0::stage();
        auth0::apply(&stage, PLAN_FILE);
        let what = What::Answer { status, headers: Vec::new(), body: body.to_owned() };
        let fault = Fault { operation: "auth0:clients.list".to_owned(), nth: Nth::Every, at: When::Before, what };
        stage.faults().fault(fault);
        let ran = stage.run(&["auth0", "apply", "--yes"]);
        assert_eq!((ran.code, stage.writes()), (1, Vec::<String>::new()), "{}", ran.stderr);
        assert!(ran.stderr.contains("cannot be read"), "{}", ran.stderr);
        stage.faults().clear();
        assert_eq!(auth0::ours(&stage.hand()).len(), 1);
    }
}
