//! Apply: what it makes, how often it asks, and what it does when somebody else is at work.

use std::time::Duration;

use provision_sandbox::fault::{Nth, When};
use provision_sandbox::record::Record;
use provision_tests::stage::Stage;
use serde_json::Value;

use crate::clouds::{Place, fault, wrote_nothing};

contract! {
    everywhere: [
        apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing,
        an_upload_arrives_as_one_message,
        two_applies_at_once_make_one_set_of_resources,
        apply_that_another_one_crosses_is_stopped,
        what_appears_during_the_run_is_not_taken,
        mark_that_somebody_else_wrote_during_the_run_stops_it,
    ],
    sandboxes: [
        waves_are_as_few_as_the_services_allow = "The longest chain of requests is the binary's affair, whoever answers.",
        what_was_written_and_is_not_there_is_told = "The fault layer answers in place of the service.",
    ],
}

fn apply_of_each_example_ends_with_its_settings_and_a_second_one_writes_nothing(cloud: &Place) {
    for (text, bucket) in cloud.plans.examples {
        let stage = cloud.planned();
        stage.write("provision.toml", &cloud.example(text).replace("protect = true", ""));
        let first = cloud.succeed(&stage, &["apply", "--yes"]);
        let outputs = cloud.succeed(&stage, &["output", "--no-secrets"]);
        assert!(first.contains(&outputs) && outputs.contains(bucket), "{first}\n{outputs}");
        stage.faults().clear();
        assert!(cloud.succeed(&stage, &["apply", "--yes"]).contains("No changes:"));
        wrote_nothing(&stage);
        cloud.succeed(&stage, &["destroy", "--yes"]);
        cloud.ends(&stage, 2, &["drift"]);
    }
}

fn an_upload_arrives_as_one_message(cloud: &Place) {
    let stage = cloud.applied();
    (cloud.upload)(&stage.hand(), "run-1.txt");
    let messages = (cloud.messages)(&stage.hand());
    assert!(messages.len() == 1 && messages[0].contains("run-1.txt"), "{messages:?}");
    cloud.is_in_sync(&stage);
}

/// The second run begins and ends while the first is about to make the notification.
fn two_applies_at_once_make_one_set_of_resources(cloud: &Place) {
    let stage = std::sync::Arc::new(cloud.planned());
    let (other, place) = (std::sync::Arc::downgrade(&stage), *cloud);
    stage.hook(cloud.faults.crossed, 1, When::Before, move |_| {
        place.succeed(&other.upgrade().unwrap(), &["apply", "--yes"]);
    });
    let first = cloud.run(&stage, &["apply", "--yes"]);
    assert!([0, 3].contains(&first.code), "{}{}", first.stdout, first.stderr);
    assert!(stage.faults().count(cloud.faults.crossed) >= 2, "they did not cross: {:?}", stage.writes());
    if first.code == 0 {
        assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
    }
    cloud.apply(&stage);
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
    cloud.is_in_sync(&stage);
    (cloud.upload)(&stage.hand(), "run-1.txt");
    assert_eq!((cloud.messages)(&stage.hand()).len(), 1, "each file is heard of once");
}

/// Somebody else makes the bucket between our look and our call.
fn what_appears_during_the_run_is_not_taken(cloud: &Place) {
    let stage = cloud.planned();
    let (make, (operation, nth)) = (cloud.foreign.bucket, cloud.faults.last_free);
    stage.hook(operation, nth, When::Before, make);
    cloud.ends(&stage, 3, &["apply", "--yes"]);
    assert_eq!((cloud.mark)(&stage.hand(), cloud.bucket), Value::Object(serde_json::Map::new()), "it is not ours");
    stage.faults().clear();
    cloud.ends(&stage, 6, &["apply", "--yes"]);
}

/// Another deployment takes the bucket while ours is being changed.
fn mark_that_somebody_else_wrote_during_the_run_stops_it(cloud: &Place) {
    let stage = cloud.applied();
    let theirs = marked(cloud, &stage, "wandb-theirs");
    let (set_mark, bucket, written) = (cloud.set_mark, cloud.bucket, theirs.clone());
    let (operation, nth) = cloud.faults.update_begins;
    stage.hook(operation, nth, When::Before, move |hand| set_mark(hand, bucket, &written));
    cloud.change(&stage, cloud.plans.update);
    cloud.ends(&stage, 3, &["apply", "--yes"]);
    assert_eq!((cloud.mark)(&stage.hand(), cloud.bucket), theirs);
}

/// The mark of the bucket, as of another deployment.
fn marked(cloud: &Place, stage: &Stage, deployment: &str) -> Value {
    let mut mark = (cloud.mark)(&stage.hand(), cloud.bucket);
    let key = mark.as_object().unwrap().keys().find(|key| key.ends_with("deployment")).unwrap().clone();
    mark[&key] = deployment.into();
    stage.faults().clear();
    mark
}

fn what_was_written_and_is_not_there_is_told(cloud: &Place) {
    let stage = cloud.planned();
    let (operation, answer) = (cloud.faults.ignored)();
    fault(&stage, operation, Nth::Every, answer);
    let ran = cloud.run(&stage, &["apply", "--yes"]);
    assert!(stage.faults().count(operation) >= 1, "{operation} never came: {:?}", stage.writes());
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("what was written is not what is seen"), "{}", ran.stderr);
    stage.faults().clear();
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
}

/// A machine that is busy elsewhere makes chains longer, and never shorter: the shortest counts. It does so by starting a request
/// only when another one is over, which is the less likely the longer each of them takes.
fn waves_are_as_few_as_the_services_allow(cloud: &Place) {
    let tries = [300, 900, 1_800].map(Duration::from_millis);
    let longer: Vec<_> = tries.into_iter().map_while(|latency| longer_than_allowed(cloud, latency)).collect();
    assert!(longer.len() < tries.len(), "{}", longer.last().map_or("", String::as_str));
}

/// The first command whose chain of requests is longer than it may be where each takes so long, with the chain.
fn longer_than_allowed(cloud: &Place, latency: Duration) -> Option<String> {
    let mut stage = cloud.planned();
    // What is waited for makes longer chains.
    stage.late(Duration::ZERO);
    stage.faults().set_latency(latency);
    // How often the service is asked for what it does not show yet is the service's affair.
    for what in ["pubsub.topics", "pubsub.subscriptions"] {
        stage.faults().set_propagation(what, Duration::ZERO);
    }
    let commands: [&[&str]; 3] = [&["plan"], &["apply", "--yes"], &["destroy", "--yes"]];
    commands.into_iter().zip(cloud.waves).find_map(|(command, allowed)| {
        stage.faults().clear();
        cloud.succeed(&stage, command);
        (stage.waves() > allowed).then(|| format!("{command:?}: {} {}", stage.waves(), chain(&stage)))
    })
}

/// Every request with the time when it came and was answered, then those that only poll.
fn chain(stage: &Stage) -> String {
    let calls = stage.calls();
    let Some(first) = calls.iter().map(|record| record.start).min() else { return String::new() };
    let line = |record: &Record| {
        let at = |moment: std::time::Instant| moment.duration_since(first).as_millis();
        format!("\n{:>5}-{:<5} {}", at(record.start), at(record.end), record.operation)
    };
    let (polls, calls): (Vec<_>, Vec<_>) = calls.iter().partition(|record| record.poll);
    let lines = |records: Vec<&Record>| records.into_iter().map(line).collect::<String>();
    format!("{}\npolls:{}", lines(calls), lines(polls))
}

/// Another plan file of the deployment is applied whole while this one is about to write.
fn apply_that_another_one_crosses_is_stopped(cloud: &Place) {
    let stage = std::sync::Arc::new(cloud.applied());
    let (other, place) = (std::sync::Arc::downgrade(&stage), *cloud);
    stage.write("two.toml", &cloud.plan_with(&[cloud.plans.settings[0].pair(), cloud.edits.both.1.pair()]));
    let (operation, nth) = cloud.faults.update_begins;
    stage.hook(operation, nth, When::Before, move |_| {
        place.succeed(&other.upgrade().unwrap(), &["apply", "two.toml", "--yes"]);
    });
    cloud.change(&stage, cloud.plans.update);
    cloud.ends(&stage, 3, &["apply", "--yes"]);
    stage.faults().clear();
    cloud.apply(&stage);
    cloud.is_in_sync(&stage);
    cloud.change(&stage, &[]);
    cloud.apply(&stage);
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
}
