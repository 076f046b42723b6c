//! Runs that are killed, or whose requests fail: never a second app, and what to do is on the screen.

use std::process::Child;
use std::time::Duration;

use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::layer::FaultLayer;
use provision_tests::run::Ran;
use provision_tests::stage::Stage;
use serde_json::json;

use super::{PLAN, applied, apply, apps, call, edit, ends, is_in_sync, manifest, planned, run};
use crate::sweep::{World, signalled};

const APPLY: [&str; 5] = ["slack", "apply", "--yes", "--out", "slack.env"];

/// A deployment and the command that is disturbed.
struct Disturbed {
    stage: Stage,
    command: &'static [&'static str],
}

impl World for Disturbed {
    fn layer(&self) -> &FaultLayer {
        self.stage.faults()
    }

    fn start(&self) -> Child {
        self.stage.spawn(self.command, |_| {})
    }

    fn check(&self, _printed: &str) {
        is_in_sync(&self.stage);
    }
}

/// The requests of a run without a fault: which, and how many of its kind.
fn requests(prepared: impl Fn() -> Stage, command: &[&str]) -> Vec<(String, usize)> {
    let stage = prepared();
    stage.faults().clear();
    let ran = stage.run(command);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let all: Vec<_> = stage.faults().records().into_iter().map(|record| record.operation).collect();
    let nth = |(place, operation): (usize, &String)| {
        (operation.clone(), all[..=place].iter().filter(|other| *other == operation).count())
    };
    all.iter().enumerate().map(nth).collect()
}

/// Kill the command at a request.
fn killed(stage: Stage, command: &'static [&'static str], point: &(String, usize), at: When) -> (Stage, Ran) {
    stage.faults().clear();
    let world = Disturbed { stage, command };
    if at == When::Before {
        world.layer().fault(Fault { operation: point.0.clone(), nth: Nth::Number(point.1), at, what: What::Drop });
    }
    let (_, ran) = signalled(&world, point, at, &["KILL"], Duration::ZERO);
    world.stage.faults().clear();
    (world.stage, ran)
}

/// What somebody does who reads that an app may have been made.
fn resolve(stage: &Stage) {
    let refused = ends(stage, 64, &["plan"]);
    assert!(refused.contains("the app may have been made already"), "{refused}");
    assert!(refused.contains("api.slack.com/apps") && refused.contains("provision.toml:"), "{refused}");
    match apps(stage).first() {
        Some(app) => edit(stage, "\"pending\"", &format!("\"{app}\"")),
        None => edit(stage, "app_id = \"pending\"\n", ""),
    }
}

#[test]
fn apply_killed_at_every_request_makes_one_app_or_says_what_to_do() {
    let points = requests(|| planned(PLAN), &APPLY);
    println!("{points:?}");
    for (point, at) in points.iter().flat_map(|point| [When::Before, When::After].map(|at| (point, at))) {
        let (stage, ran) = killed(planned(PLAN), &APPLY, point, at);
        let (made, plan) = (apps(&stage), stage.read("provision.toml"));
        assert!(made.len() <= 1, "{point:?} {at:?}: {made:?}");
        if let Some(app) = made.first() {
            // It is in the plan file, or that it may be there is.
            assert!(plan.contains(app) || plan.contains("\"pending\""), "{point:?} {at:?}: {plan}{}", ran.stderr);
        }
        if plan.contains("\"pending\"") {
            resolve(&stage);
        }
        apply(&stage);
        assert_eq!(apps(&stage).len(), 1, "{point:?} {at:?}");
        // It says whose the app is where its description does not, also of one whose id was written by hand.
        let plan = stage.read("provision.toml");
        assert!(plan.contains("team_id = \"T0SANDBOX\""), "{point:?} {at:?}: {plan}");
        is_in_sync(&stage);
    }
}

#[test]
fn destroy_and_change_killed_at_every_request_go_on_when_run_again() {
    const DESTROY: [&str; 3] = ["slack", "destroy", "--yes"];
    for point in requests(|| applied(PLAN), &DESTROY) {
        for at in [When::Before, When::After] {
            let (stage, _) = killed(applied(PLAN), &DESTROY, &point, at);
            ends(&stage, 0, &["destroy", "--yes"]);
            assert_eq!(apps(&stage), Vec::<String>::new(), "{point:?} {at:?}");
        }
    }
    let changed = || {
        let stage = applied(PLAN);
        edit(&stage, "wandb.example.com", "alerts.example.com");
        stage
    };
    for point in requests(changed, &APPLY) {
        for at in [When::Before, When::After] {
            let (stage, _) = killed(changed(), &APPLY, &point, at);
            apply(&stage);
            is_in_sync(&stage);
            let urls = json!(["https://alerts.example.com"]);
            assert_eq!(manifest(&stage)["oauth_config"]["redirect_urls"], urls, "{point:?} {at:?}");
        }
    }
}

/// In a plan file that cannot be written to any more by the time, the id is on the screen.
#[test]
fn id_is_on_the_screen_before_it_is_in_the_plan_file() {
    let stage = planned(PLAN);
    let path = stage.path().join("provision.toml");
    stage.hook("slack:apps.manifest.create", 1, When::After, move |_| {
        let plan = std::fs::read_to_string(&path).unwrap();
        assert!(plan.contains("app_id = \"pending\""), "{plan}");
        std::fs::write(&path, plan.replace("wandb-prod", "wandb-new")).unwrap();
    });
    let ran = run(&stage, &["apply", "--yes", "--out", "slack.env"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("Slack app `A0SANDBOX1` is made"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`app_id = \"A0SANDBOX1\"`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("it does not say any more what was read"), "{}", ran.stderr);
    assert!(stage.read("slack.env").contains("SLACK_SECRET=client-hunter2-1"));
    assert!(stage.read("provision.toml").contains("wandb-new"));
    edit(&stage, "wandb-new", "wandb-prod");
    resolve(&stage);
    apply(&stage);
    assert_eq!(apps(&stage).len(), 1);
}

/// The second of two applies at once stops before it makes anything.
#[test]
fn two_applies_at_once_make_one_app() {
    let stage = planned(PLAN);
    let children = [(); 3].map(|()| stage.spawn(&APPLY, |_| {}));
    let codes = children.map(|child| stage.finished(child).code);
    assert_eq!(apps(&stage).len(), 1, "{codes:?}");
    assert!(codes.contains(&0), "{codes:?}");
    is_in_sync(&stage);
}

/// The secret is in the file before the ids are in the plan file: whoever writes the id there has it all.
#[test]
fn secret_that_was_saved_before_a_kill_is_found_again() {
    let stage = planned(PLAN);
    ends(&stage, 0, &["apply", "--yes", "--out", "slack.env"]);
    let ids = "client_id = \"1000000000.0000000001\"\nteam_id = \"T0SANDBOX\"\n";
    edit(&stage, ids, "");
    assert!(stage.read("provision.toml").contains("secret_file = \"slack.env\""));
    let shown = ends(&stage, 0, &["output", "--reveal"]);
    assert!(shown.contains("SLACK_CLIENT_ID=1000000000.0000000001\nSLACK_SECRET=client-hunter2-1\n"), "{shown}");
    let stage = planned(PLAN);
    let path = stage.path().join("provision.toml");
    stage.hook("slack:apps.manifest.create", 1, When::After, move |_| {
        let plan = std::fs::read_to_string(&path).unwrap();
        assert!(plan.contains("app_id = \"pending\"\nsecret_file = \"slack.env\""), "{plan}");
    });
    let printed = apply(&stage);
    assert!(printed.contains("`secret_file = \"slack.env\"`"), "{printed}");
}

fn error(operation: &str, at: When, what: What) -> Fault {
    Fault { operation: operation.to_owned(), nth: Nth::Number(1), at, what }
}

fn code(code: &str) -> What {
    What::Error { status: 200, code: code.to_owned(), message: String::new() }
}

#[test]
fn creation_that_ended_without_a_sure_answer_is_never_repeated() {
    let bad_gateway = || What::Error { status: 502, code: "bad".to_owned(), message: "gateway".to_owned() };
    let page = || What::Answer { status: 200, headers: Vec::new(), body: "<html>sign in</html>".to_owned() };
    for (at, what) in [
        (When::After, code("internal_error")),
        (When::Before, code("internal_error")),
        (When::After, code("fatal_error")),
        (When::After, What::Drop),
        (When::After, What::Truncate),
        (When::After, bad_gateway()),
        (When::After, page()),
    ] {
        let stage = planned(PLAN);
        stage.faults().fault(error("slack:apps.manifest.create", at, what.clone()));
        let ran = run(&stage, &["apply", "--yes", "--out", "slack.env"]);
        assert!([1, 5].contains(&ran.code), "{what:?}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains("before you run it again"), "{what:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("it goes on where this run ended"), "{what:?}: {}", ran.stderr);
        assert_eq!(stage.faults().begun("slack:apps.manifest.create"), 1);
        assert_eq!(apps(&stage).len(), usize::from(at == When::After), "{what:?}");
        resolve(&stage);
        apply(&stage);
        assert_eq!(apps(&stage).len(), 1, "{what:?}");
    }
}

#[test]
fn creation_that_surely_made_nothing_leaves_the_plan_file_as_it_was() {
    let stage = planned(PLAN);
    stage.faults().fault(error("slack:apps.manifest.create", When::Before, code("failed_creating_app")));
    let printed = run(&stage, &["apply", "--yes", "--out", "slack.env"]);
    assert!(printed.code != 0 && printed.stderr.contains("failed_creating_app"), "{}", printed.stderr);
    assert_eq!(stage.read("provision.toml"), PLAN);
    // Slack asked to wait: nothing was made, and it is asked again.
    stage.faults().clear();
    stage.faults().fault(error("slack:apps.manifest.create", When::Before, What::Throttle));
    apply(&stage);
    assert_eq!(apps(&stage).len(), 1);
}

#[test]
fn every_request_but_the_creation_is_repeated_after_a_passing_fault() {
    for (operation, nth) in requests(|| planned(PLAN), &APPLY) {
        if operation.ends_with("create") {
            continue;
        }
        for what in [code("internal_error"), What::Throttle, What::Drop] {
            let stage = planned(PLAN);
            let fault =
                Fault { operation: operation.clone(), nth: Nth::Number(nth), at: When::After, what: what.clone() };
            stage.faults().fault(fault);
            apply(&stage);
            assert_eq!(apps(&stage).len(), 1, "{operation} {nth} {what:?}");
        }
    }
}

#[test]
fn app_that_is_gone_is_never_replaced_by_another() {
    let stage = applied(PLAN);
    call(&stage, "delete", json!({"app_id": apps(&stage)[0]}));
    for command in [&["plan"][..], &["apply", "--yes"], &["drift"]] {
        let refused = ends(&stage, 6, command);
        assert!(refused.contains("was deleted: its workspace `T0SANDBOX` has none"), "{refused}");
        assert!(refused.contains("take `app_id`, `client_id` and `team_id` out"), "{refused}");
    }
    let destroyed = ends(&stage, 0, &["destroy", "--yes"]);
    assert!(destroyed.contains("there is nothing to remove"), "{destroyed}");
    // Of an app that may be another workspace's nobody says that it is gone.
    edit(&stage, "T0SANDBOX", "T0OTHER");
    let refused = ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("is of workspace `T0OTHER`, and the token is of `T0SANDBOX`"), "{refused}");
    edit(&stage, "team_id = \"T0OTHER\"\n", "");
    let refused = ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("it was deleted, or is another workspace's"), "{refused}");
    assert_eq!(apps(&stage), Vec::<String>::new());
}
