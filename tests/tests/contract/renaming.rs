//! Other names for the bucket, the queue and the deployment.

use crate::clouds::{Place, wrote_nothing};

contract! {
    everywhere: [
        renaming_the_queue_moves_the_notification_and_leaves_an_orphan,
        destroy_deletes_orphans_on_request_only,
        renaming_the_deployment_takes_its_marks_over,
    ],
    sandboxes: [
        renaming_the_bucket_is_refused = "Nothing is asked of a server but what is there.",
        plan_says_what_orphans_would_be_deleted = "Nothing is asked of a server but what is there.",
    ],
}

fn renaming_the_bucket_is_refused(cloud: &Place) {
    let stage = cloud.applied();
    for renamed in cloud.plans.bucket_renamed {
        cloud.change(&stage, &[renamed.pair()]);
        for command in [&["plan"][..], &["apply", "--yes"], &["drift"], &["destroy", "--yes", "--orphans"]] {
            let ran = cloud.ends(&stage, 6, command);
            assert!(ran.contains(renamed.shows) && ran.contains("data is never moved"), "{command:?} {ran}");
            assert!(!ran.contains("gone") && !ran.contains("is not this deployment's"), "{command:?} {ran}");
        }
        wrote_nothing(&stage);
    }
    cloud.change(&stage, &[]);
    cloud.is_in_sync(&stage);
}

fn renaming_the_queue_moves_the_notification_and_leaves_an_orphan(cloud: &Place) {
    let stage = cloud.applied();
    let (changes, orphans) = cloud.plans.queue_renamed;
    cloud.change(&stage, changes);
    cloud.ends(&stage, 0, &["drift"]);
    let plan = cloud.succeed(&stage, &["plan"]);
    assert!(plan.contains("Settings that change: BUCKET_QUEUE"), "{plan}");
    let document: serde_json::Value = serde_json::from_str(&cloud.succeed(&stage, &["plan", "--json"])).unwrap();
    assert_eq!(document["output_changes"][0]["name"], "BUCKET_QUEUE", "{document}");
    cloud.apply(&stage);
    let plan = cloud.succeed(&stage, &["plan"]);
    assert!(!plan.contains("Settings"), "{plan}");
    for orphan in orphans {
        assert!(plan.contains(orphan), "{plan}");
    }
    let entries: Vec<_> = (cloud.ours)(&stage.hand()).into_iter().filter(|found| found.starts_with("entry ")).collect();
    assert!(entries.len() == 1 && entries[0].ends_with("renamed"), "{entries:?}");
    // The apply that has `was` gives them the deployment's other name too: they are found without it.
    let renamed = ("\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\"");
    cloud.change(&stage, &[changes, &[renamed]].concat());
    cloud.apply(&stage);
    cloud.change(&stage, &[changes, &[("\"wandb-prod\"", "\"wandb-new\"")]].concat());
    let plan = cloud.succeed(&stage, &["plan"]);
    for orphan in orphans {
        assert!(plan.contains(&format!("? {orphan}")), "{plan}");
    }
    cloud.succeed(&stage, &["apply", "--yes", "--orphans"]);
    let plan = cloud.succeed(&stage, &["plan"]);
    assert!(!plan.contains("left over") && plan.contains("No changes:"), "{plan}");
}

fn plan_says_what_orphans_would_be_deleted(cloud: &Place) {
    let stage = cloud.applied();
    let (changes, orphans) = cloud.plans.queue_renamed;
    cloud.change(&stage, changes);
    cloud.apply(&stage);
    let (kept, deleted) = (cloud.succeed(&stage, &["plan"]), cloud.succeed(&stage, &["plan", "--orphans"]));
    for orphan in orphans {
        assert!(kept.contains(&format!("? {orphan}")), "{kept}");
        assert!(deleted.contains(&format!("- delete {orphan}")), "{deleted}");
    }
    wrote_nothing(&stage);
}

fn destroy_deletes_orphans_on_request_only(cloud: &Place) {
    let stage = cloud.applied();
    let (changes, orphans) = cloud.plans.queue_renamed;
    cloud.change(&stage, changes);
    cloud.apply(&stage);
    let queue = orphans[0].trim_start_matches("left over: ").replace('`', "");
    let left = || (cloud.ours)(&stage.hand());
    assert!(left().contains(&queue), "{:?}", left());
    // What holds an orphan is not deleted either.
    let kept = cloud.run(&stage, &["destroy", "--yes"]);
    assert!([0, 6].contains(&kept.code), "{}{}", kept.stdout, kept.stderr);
    assert!(left().contains(&queue), "{:?}", left());
    cloud.succeed(&stage, &["destroy", "--yes", "--orphans"]);
    assert_eq!(left(), Vec::<String>::new());
}

fn renaming_the_deployment_takes_its_marks_over(cloud: &Place) {
    let stage = cloud.applied();
    cloud.change(&stage, &[("\"wandb-prod\"", "\"wandb-new\"\nwas = \"wandb-prod\"")]);
    cloud.apply(&stage);
    cloud.change(&stage, &[("\"wandb-prod\"", "\"wandb-new\"")]);
    assert_eq!(cloud.succeed(&stage, &["drift"]), "wandb-new: in sync\n");
    assert_eq!((cloud.ours)(&stage.hand()), cloud.applied);
}
