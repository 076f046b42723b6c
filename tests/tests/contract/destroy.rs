//! Destroy: protection, content, `--delete-data`.

use provision_sandbox::fault::When;

use crate::clouds::{Place, wrote_nothing};

contract! {
    everywhere: [
        destroy_refuses_content_with_counts_and_deletes_it_on_request,
        destroy_refuses_an_object_that_arrives_at_the_last_moment,
        destroy_twice_succeeds,
        two_destroys_at_once_leave_nothing,
        apply_that_a_destroy_crosses_leaves_nothing_unmarked,
        data_of_who_took_the_bucket_meanwhile_is_not_deleted,
    ],
    sandboxes: [
        destroy_refuses_a_protected_deployment = "The plan file says it, and no server is asked to change anything.",
    ],
}

fn destroy_refuses_a_protected_deployment(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, &[cloud.plans.protect]);
    for command in [&["destroy", "--yes"][..], &["destroy", "--yes", "--orphans", "--delete-data", cloud.bucket]] {
        let ran = cloud.ends(&stage, 6, command);
        assert!(ran.contains("protect = false"), "{ran}");
    }
    wrote_nothing(&stage);
}

fn destroy_refuses_content_with_counts_and_deletes_it_on_request(cloud: &Place) {
    let stage = cloud.applied();
    for name in ["a", "b", "c"] {
        (cloud.upload)(&stage.hand(), name);
    }
    stage.faults().clear();
    let refused = cloud.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("3 objects and versions"), "{refused}");
    wrote_nothing(&stage);
    cloud.ends(&stage, 64, &["destroy", "--yes", "--delete-data", "another"]);
    let gone = cloud.succeed(&stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    assert!(gone.contains("and everything in it:") && gone.contains("    3 objects and versions, "), "{gone}");
    assert!(gone.contains(" bytes"), "{gone}");
    let writes = stage.writes();
    let place =
        |name: &str| writes.iter().position(|write| write == name).unwrap_or_else(|| panic!("{name}: {writes:?}"));
    let (access, emptying) = cloud.faults.emptying;
    assert!(place(access) < place(emptying), "the writers' access goes first: {writes:?}");
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
}

fn destroy_refuses_an_object_that_arrives_at_the_last_moment(cloud: &Place) {
    let stage = cloud.applied();
    let (operation, nth, at) = cloud.faults.last_look;
    let upload = cloud.upload;
    stage.hook(operation, nth, at, move |hand| upload(hand, "late"));
    let refused = cloud.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("1 object or version"), "{refused}");
    stage.faults().clear();
    cloud.is_in_sync(&stage);
}

fn destroy_twice_succeeds(cloud: &Place) {
    let stage = cloud.applied();
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    stage.faults().clear();
    cloud.succeed(&stage, &["destroy", "--yes"]);
    cloud.succeed(&stage, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    wrote_nothing(&stage);
}

/// The second run begins and ends while the first is about to delete the bucket.
fn two_destroys_at_once_leave_nothing(cloud: &Place) {
    let stage = std::sync::Arc::new(cloud.applied());
    let (other, place) = (std::sync::Arc::downgrade(&stage), *cloud);
    stage.hook(cloud.faults.finishes, 1, When::Before, move |_| {
        place.succeed(&other.upgrade().unwrap(), &["destroy", "--yes"]);
    });
    let first = cloud.run(&stage, &["destroy", "--yes"]);
    assert!([0, 3].contains(&first.code), "{}{}", first.stdout, first.stderr);
    assert!(stage.faults().count(cloud.faults.finishes) >= 2, "they did not cross: {:?}", stage.writes());
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
    cloud.succeed(&stage, &["destroy", "--yes"]);
}

/// The deployment is destroyed whole while an apply is about to write. Whoever is last: it can be made whole again, and taken
/// down.
fn apply_that_a_destroy_crosses_leaves_nothing_unmarked(cloud: &Place) {
    let stage = std::sync::Arc::new(cloud.applied());
    let (other, place) = (std::sync::Arc::downgrade(&stage), *cloud);
    let (operation, nth) = cloud.faults.update_begins;
    stage.hook(operation, nth, When::Before, move |_| {
        place.succeed(&other.upgrade().unwrap(), &["destroy", "--yes"]);
    });
    cloud.change(&stage, cloud.plans.update);
    let crossed = stage.hastened(|| cloud.run(&stage, &["apply", "--yes", "--timeout", "20"]));
    assert!([0, 1, 3, 5].contains(&crossed.code), "{}{}", crossed.stdout, crossed.stderr);
    stage.faults().clear();
    cloud.change(&stage, &[]);
    stage.hastened(|| cloud.apply(&stage));
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
    cloud.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!((cloud.ours)(&stage.hand()), Vec::<String>::new());
}

/// Another deployment has the bucket by the time that it would be emptied.
fn data_of_who_took_the_bucket_meanwhile_is_not_deleted(cloud: &Place) {
    let stage = cloud.applied();
    let hand = stage.hand();
    (cloud.upload)(&hand, "theirs");
    let mut theirs = (cloud.mark)(&hand, cloud.bucket);
    let key = theirs.as_object().unwrap().keys().find(|key| key.ends_with("deployment")).unwrap().clone();
    theirs[&key] = "wandb-theirs".into();
    stage.faults().clear();
    let (set_mark, bucket, written) = (cloud.set_mark, cloud.bucket, theirs.clone());
    stage.hook(cloud.faults.emptying.0, 1, When::Before, move |hand| set_mark(hand, bucket, &written));
    cloud.ends(&stage, 3, &["destroy", "--yes", "--delete-data", cloud.bucket]);
    assert_eq!(stage.faults().begun(cloud.faults.emptying.1), 0, "{:?}", stage.writes());
    assert_eq!((cloud.mark)(&hand, cloud.bucket), theirs);
}
