//! A bucket for a server that is somebody else's: whom the plan file names is let in, and nobody else is touched.

use crate::clouds::{Byob, Place};

contract! {
    everywhere: [
        others_are_let_in_exchanged_and_taken_out,
        who_others_let_in_stays_in,
        whom_somebody_shut_out_is_drift_and_let_in_again,
        data_is_deleted_after_others_are_shut_out,
        imports_say_whom_the_plan_file_lets_in,
    ],
    sandboxes: [
        example_for_a_server_of_others_is_applied = "it names what only a sandbox makes beforehand",
    ],
}

/// The plan file of a stage, with changes.
fn plan(byob: &Byob, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(byob.plan.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    })
}

fn others_are_let_in_exchanged_and_taken_out(cloud: &Place) {
    let (stage, byob) = (cloud.planned(), cloud.byob);
    let hand = stage.hand();
    stage.write("provision.toml", &plan(byob, &[]));
    cloud.apply(&stage);
    assert_eq!((byob.let_in)(&hand), byob.granted);
    cloud.is_in_sync(&stage);
    let (join, joined) = byob.joins;
    join(&hand);
    let beside = |ours: &[&'static str]| {
        let mut all = [ours, &[joined]].concat();
        all.sort_unstable();
        all
    };
    stage.write("provision.toml", &plan(byob, &[byob.exchanged.pair()]));
    let planned = cloud.succeed(&stage, &["plan"]);
    assert!(planned.contains(byob.exchanged.shows), "{planned}");
    cloud.apply(&stage);
    assert_eq!((byob.let_in)(&hand), beside(byob.granted_then));
    cloud.is_in_sync(&stage);
    stage.write("provision.toml", &plan(byob, &[byob.without]));
    cloud.apply(&stage);
    assert_eq!((byob.let_in)(&hand), [joined]);
    cloud.is_in_sync(&stage);
}

/// Others let somebody in, just as we would: that is theirs, with ours beside it and without.
fn who_others_let_in_stays_in(cloud: &Place) {
    let (stage, byob) = (cloud.planned(), cloud.byob);
    let hand = stage.hand();
    stage.write("provision.toml", &plan(byob, byob.adopting));
    (byob.let_in_by_others)(&hand);
    let before = (byob.let_in)(&hand);
    assert!(!before.is_empty());
    cloud.apply(&stage);
    assert_eq!((byob.let_in)(&hand), byob.granted_beside);
    cloud.is_in_sync(&stage);
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((byob.let_in)(&hand), before);
}

fn whom_somebody_shut_out_is_drift_and_let_in_again(cloud: &Place) {
    let (stage, byob) = (cloud.planned(), cloud.byob);
    stage.write("provision.toml", &plan(byob, &[]));
    cloud.apply(&stage);
    cloud.edit(&stage, byob.shut_out.make);
    let drift = cloud.ends(&stage, 2, &["drift"]);
    assert!(drift.contains(byob.shut_out.shows), "{drift}");
    cloud.apply(&stage);
    assert_eq!((byob.let_in)(&stage.hand()), byob.granted);
    cloud.is_in_sync(&stage);
}

/// Whoever may write could go on doing so while everything is deleted.
fn data_is_deleted_after_others_are_shut_out(cloud: &Place) {
    let (stage, byob) = (cloud.planned(), cloud.byob);
    stage.write("provision.toml", &plan(byob, &[]));
    cloud.apply(&stage);
    (cloud.upload)(&stage.hand(), "a");
    stage.faults().clear();
    cloud.ends(&stage, 6, &["destroy", "--yes"]);
    assert_eq!((byob.let_in)(&stage.hand()), byob.granted);
    stage.faults().clear();
    cloud.succeed(&stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    let writes = stage.writes();
    let position = |part: &str| writes.iter().position(|write| write.contains(part));
    let (shut_out, emptied) = (position(byob.emptying.0), position(byob.emptying.1));
    assert!(shut_out.is_some() && shut_out < emptied, "{writes:?}");
}

/// Everything of ours has a block, and whom we let in is in what the blocks say: Terraform would take out whoever is not.
fn imports_say_whom_the_plan_file_lets_in(cloud: &Place) {
    let (stage, byob) = (cloud.planned(), cloud.byob);
    stage.write("provision.toml", &plan(byob, &[]));
    cloud.apply(&stage);
    let imports = cloud.succeed(&stage, &["output", "--format", "tf-import"]);
    let addresses = imports.lines().filter_map(|line| line.trim_start().strip_prefix("to = "));
    let (mut addresses, mut expected): (Vec<_>, Vec<_>) = (addresses.collect(), byob.imported.to_vec());
    addresses.sort_unstable();
    expected.sort_unstable();
    assert_eq!(addresses, expected, "{imports}");
    for who in byob.granted {
        let who = who.split_once(' ').map_or(*who, |(digit, _)| digit);
        let who = if who.len() == 1 { who.repeat(8) } else { who.to_owned() };
        let (_, resources) = imports.split_once("resource \"").unwrap();
        assert!(resources.contains(&who), "{who}: {imports}");
    }
}

fn example_for_a_server_of_others_is_applied(cloud: &Place) {
    let stage = cloud.planned();
    stage.write("provision.toml", &stage.run(&["init", cloud.name, "--byob"]).stdout);
    let run = |arguments: &[&str]| stage.run(&[&[cloud.name], arguments, &["--sandbox"]].concat());
    let applied = run(&["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(run(&["drift"]).code, 0);
    let outputs = run(&["output", "--format", "env"]).stdout;
    assert!(outputs.contains("BUCKET=") && !outputs.contains("HOST=") && !outputs.contains("QUEUE="), "{outputs}");
}
