//! What AWS is late with, and what goes on being shown: of new things, of those that were deleted, of indexes.

use std::time::Duration;

use provision_sandbox::fault::{Nth, What};
use provision_tests::answers::sqs;

use crate::clouds::aws::hand::{boto, python};
use crate::clouds::{AWS, fault};

/// Every kind of thing is seen late: the run waits, and what it made is whole.
#[test]
fn what_is_new_is_waited_for() {
    let mut stage = AWS.planned();
    stage.late(Duration::from_secs(2));
    for name in ["sqs.attributes", "sqs.tags", "s3.tags"] {
        stage.faults().set_propagation(name, Duration::from_secs(2));
    }
    AWS.succeed(&stage, &["apply", "--yes"]);
    AWS.is_in_sync(&stage);
    assert_eq!((AWS.ours)(&stage.hand()), AWS.applied);
}

/// A queue that was deleted answers for a while: destroy ends when it does not any more, so that the next apply makes one.
#[test]
fn queue_that_is_still_shown_is_waited_for() {
    let stage = AWS.applied();
    stage.faults().set_propagation("sqs.gone", Duration::from_secs(3));
    AWS.succeed(&stage, &["destroy", "--yes"]);
    assert!(AWS.ends(&stage, 0, &["plan"]).contains("+ queue"));
    stage.hastened(|| AWS.succeed(&stage, &["apply", "--yes"]));
    AWS.is_in_sync(&stage);
    assert_eq!((AWS.ours)(&stage.hand()), AWS.applied);
}

/// The index goes on listing what is gone: what the plan file does not name counts only if it is there.
#[test]
fn ghosts_of_the_index_are_nobodys() {
    let stage = AWS.applied();
    stage.faults().set_propagation("tags.gone", Duration::from_secs(60));
    AWS.succeed(&stage, &["destroy", "--yes"]);
    AWS.change(&stage, &[("name = \"acme-{s}\"\n", "name = \"acme-{s}-new\"\n"), ("-events\"", "-others\"")]);
    let plan = AWS.ends(&stage, 0, &["plan"]);
    assert!(!plan.contains("orphan") && plan.contains("+ bucket"), "{plan}");
    stage.hastened(|| AWS.succeed(&stage, &["apply", "--yes"]));
    AWS.succeed(&stage, &["destroy", "--yes", "--orphans"]);
}

/// The index shows an older mark than the orphan has: it is read itself.
#[test]
fn mark_of_an_orphan_is_its_own_and_not_the_indexs() {
    let stage = AWS.applied();
    AWS.change(&stage, &[("-events\"", "-others\"")]);
    stage.faults().set_propagation("tags", Duration::from_secs(60));
    AWS.succeed(&stage, &["apply", "--yes"]);
    AWS.succeed(&stage, &["destroy", "--yes", "--orphans"]);
    assert_eq!((AWS.ours)(&stage.hand()), Vec::<String>::new());
}

/// A 404 on a status alone does not outweigh the document that comes beside it.
#[test]
fn bucket_that_has_tags_is_there() {
    let stage = AWS.applied();
    fault(&stage, "s3:HeadBucket", Nth::Every, What::Answer { status: 404, headers: Vec::new(), body: String::new() });
    AWS.is_in_sync(&stage);
}

/// What this run made is not seen by one of the calls; what somebody deleted is not waited for.
#[test]
fn queue_that_is_not_seen_yet_is_told_from_one_that_is_gone() {
    let unseen = || sqs(400, "NonExistentQueue", "The specified queue does not exist.");
    let stage = AWS.planned();
    fault(&stage, "sqs:ListQueueTags", Nth::Number(1), unseen());
    AWS.succeed(&stage, &["apply", "--yes"]);
    AWS.is_in_sync(&stage);
    boto(&stage.hand(), "attribute(VisibilityTimeout='7')");
    fault(&stage, "sqs:SetQueueAttributes", Nth::Every, unseen());
    let started = std::time::Instant::now();
    AWS.ends(&stage, 1, &["apply", "--yes"]);
    assert!(started.elapsed() < Duration::from_secs(30));
    stage.faults().clear();
    AWS.apply(&stage);
    assert_eq!(
        python(
            &stage.hand(),
            "print(sqs.get_queue_attributes(QueueUrl=u(), AttributeNames=['All'])['Attributes']['VisibilityTimeout'])"
        ),
        "30"
    );
}
