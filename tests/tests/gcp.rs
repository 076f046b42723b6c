//! What Google Cloud alone has: bindings that were there before us, and accounts that deployments share.

mod answers;
mod dead;
mod hostile;
mod late;
mod proxied;
mod refused;
mod verify;

use provision_sandbox::fault::When;
use provision_tests::stage::{Hand, Stage};
use serde_json::{Value, json};

use crate::clouds::gcp::hand::{
    ACCOUNT, BUCKET, ENTRIES, POLICY, SERVER, SUBSCRIPTION, TOPIC, policy, set_policy, update_topic,
};
use crate::clouds::{GCP, wrote_nothing};

/// A bucket that the project lists is its own: a right is missing there, and not the bucket.
#[test]
fn own_bucket_that_may_not_be_looked_at_is_not_taken_for_somebody_elses() {
    let stage = GCP.applied();
    let rights = GCP.succeed(&stage, &["permissions", "--for", "destroy"]);
    let (listed, condition) = ("- storage.buckets.get\n", "buckets/acme-files");
    // The right itself, and the right on this bucket.
    for rights in [rights.replace(listed, ""), rights.replace(condition, "buckets/another")] {
        stage.sandbox().attach(&rights).unwrap();
        let printed = GCP.ends(&stage, 1, &["destroy", "--yes"]);
        assert!(printed.contains("grant `storage.buckets.get`") && !printed.contains("somebody else"), "{printed}");
        wrote_nothing(&stage);
    }
}

const PLACES: [&str; 4] = [TOPIC, SUBSCRIPTION, POLICY, ACCOUNT];

fn agent(hand: &Hand) -> String {
    let found = hand.send("GET", "/storage/v1/projects/acme-ml/serviceAccount", Value::Null);
    format!("serviceAccount:{}", found["email_address"].as_str().unwrap())
}

/// Grant by hand what the deployment wants in a place.
fn grant(hand: &Hand, place: &str) {
    let agent = agent(hand);
    let (member, roles) = match place {
        TOPIC => (agent.as_str(), vec!["roles/pubsub.publisher"]),
        SUBSCRIPTION => (SERVER, vec!["roles/pubsub.subscriber", "roles/pubsub.viewer"]),
        POLICY => (SERVER, vec!["roles/storage.objectAdmin"]),
        _ => (SERVER, vec!["roles/iam.serviceAccountTokenCreator"]),
    };
    let bindings: Vec<_> = roles.iter().map(|role| json!({"role": role, "members": [member]})).collect();
    set(hand, place, json!({"bindings": bindings}));
}

fn set(hand: &Hand, place: &str, policy: Value) {
    match place {
        POLICY => drop(hand.send("PUT", POLICY, policy)),
        place => set_policy(hand, place, policy),
    }
}

fn bindings(hand: &Hand) -> Vec<Value> {
    PLACES.iter().map(|place| policy(hand, place)["bindings"].clone()).collect()
}

/// Something that exists in every place and is adopted, with the wanted bindings in some of them.
fn adoptable(granted: &[&str]) -> Stage {
    let stage = GCP.planned();
    let hand = stage.hand();
    (GCP.foreign.unmarked)(&hand);
    granted.iter().for_each(|place| grant(&hand, place));
    GCP.change(&stage, GCP.plans.adopting);
    stage.faults().clear();
    stage
}

fn is_gone(stage: &Stage, plan: &str) {
    let drift = GCP.ends(stage, 2, &["drift", plan]);
    assert!(drift.contains("nothing of it exists"), "{drift}");
}

fn nothing_to_destroy(stage: &Stage, plan: &str) {
    stage.faults().clear();
    let destroyed = GCP.succeed(stage, &["destroy", plan, "--yes"]);
    assert!(destroyed.contains("Nothing to destroy"), "{destroyed}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[test]
fn bindings_that_were_there_before_us_are_used_and_left() {
    let stage = adoptable(&PLACES);
    let hand = stage.hand();
    let before = bindings(&hand);
    stage.faults().clear();
    GCP.succeed(&stage, &["apply", "--yes"]);
    assert!(!stage.writes().iter().any(|write| write.to_lowercase().ends_with("setiampolicy")), "{:?}", stage.writes());
    GCP.is_in_sync(&stage);
    // Who relies on one still hears that it is gone.
    for place in PLACES {
        set(&hand, place, json!({"bindings": []}));
        assert!(GCP.ends(&stage, 2, &["drift"]).contains("drift"));
        grant(&hand, place);
    }
    GCP.is_in_sync(&stage);
    GCP.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(bindings(&hand), before);
}

#[test]
fn binding_that_was_there_before_us_is_told_from_those_we_made() {
    for place in PLACES {
        let stage = adoptable(&[place]);
        let hand = stage.hand();
        let before = bindings(&hand);
        GCP.apply(&stage);
        GCP.is_in_sync(&stage);
        GCP.succeed(&stage, &["destroy", "--yes"]);
        assert_eq!(bindings(&hand), before, "{place}");
    }
}

#[test]
fn orphan_that_was_adopted_keeps_the_bindings_it_had() {
    let stage = adoptable(&[TOPIC, SUBSCRIPTION]);
    let hand = stage.hand();
    let before = bindings(&hand);
    GCP.apply(&stage);
    let renamed = [("\"acme-events\"", "\"acme-renamed\""), ("\"acme-server\"", "\"acme-other\"")];
    let plan =
        GCP.plan_with(&renamed).replace("name = \"acme-files\"", "name = \"acme-files\"\nadopt = true\nprivate = true");
    stage.write("provision.toml", &plan);
    GCP.succeed(&stage, &["apply", "--yes", "--orphans"]);
    assert_eq!(bindings(&hand)[..2], before[..2]);
}

#[test]
fn deployment_that_was_deleted_by_hand_is_gone_whatever_the_account_may_do() {
    let stage = GCP.applied();
    let hand = stage.hand();
    for place in [SUBSCRIPTION, TOPIC, BUCKET] {
        hand.send("DELETE", place, Value::Null);
    }
    is_gone(&stage, "provision.toml");
    nothing_to_destroy(&stage, "provision.toml");
    let stage = GCP.planned();
    grant(&stage.hand(), ACCOUNT);
    is_gone(&stage, "provision.toml");
    nothing_to_destroy(&stage, "provision.toml");
}

#[test]
fn two_deployments_share_one_account() {
    let stage = GCP.applied();
    let hand = stage.hand();
    stage.write("two.toml", &GCP.plan_with(GCP.plans.alike));
    is_gone(&stage, "two.toml");
    GCP.succeed(&stage, &["apply", "two.toml", "--yes"]);
    GCP.succeed(&stage, &["drift", "two.toml"]);
    GCP.succeed(&stage, &["destroy", "--yes"]);
    is_gone(&stage, "provision.toml");
    nothing_to_destroy(&stage, "provision.toml");
    assert!(policy(&hand, ACCOUNT)["bindings"].to_string().contains(SERVER));
    GCP.succeed(&stage, &["drift", "two.toml"]);
    GCP.succeed(&stage, &["destroy", "two.toml", "--yes"]);
    assert!(!policy(&hand, ACCOUNT)["bindings"].to_string().contains(SERVER));
    nothing_to_destroy(&stage, "two.toml");
}

/// Each finds that the other relies on the account's grant; the last one takes it out all the same.
#[test]
fn two_deployments_of_one_account_that_go_at_once_leave_no_grant() {
    let stage = std::sync::Arc::new(GCP.applied());
    stage.write("two.toml", &GCP.plan_with(GCP.plans.alike));
    GCP.succeed(&stage, &["apply", "two.toml", "--yes"]);
    let other = std::sync::Arc::downgrade(&stage);
    stage.faults().clear();
    stage.hook("storage.json:buckets.delete", 1, When::Before, move |_| {
        GCP.succeed(&other.upgrade().unwrap(), &["destroy", "two.toml", "--yes"]);
    });
    GCP.succeed(&stage, &["destroy", "--yes"]);
    assert!(!policy(&stage.hand(), ACCOUNT)["bindings"].to_string().contains(SERVER));
    nothing_to_destroy(&stage, "provision.toml");
    nothing_to_destroy(&stage, "two.toml");
}

/// Somebody else adds a member between our look at a policy and our writing of it: its etag keeps theirs.
#[test]
fn member_that_others_add_right_before_us_stays() {
    const MEMBER: &str = "user:late@example.com";
    // What is granted already is not written, so that the first write is that of the other one.
    for (operation, place, granted) in [
        ("storage.json:buckets.setIamPolicy", POLICY, &[][..]),
        ("pubsub:SetIamPolicy", TOPIC, &[SUBSCRIPTION]),
        ("pubsub:SetIamPolicy", SUBSCRIPTION, &[TOPIC]),
        ("iam:SetIamPolicy", ACCOUNT, &[]),
    ] {
        let stage = adoptable(granted);
        stage.hook(operation, 1, When::Before, move |hand| {
            let mut found = policy(hand, place);
            let mut bindings = found["bindings"].as_array().cloned().unwrap_or_default();
            bindings.push(json!({"role": "roles/viewer", "members": [MEMBER]}));
            found["bindings"] = json!(bindings);
            set(hand, place, found);
        });
        GCP.apply(&stage);
        let bindings = policy(&stage.hand(), place)["bindings"].to_string();
        assert!(bindings.contains(MEMBER), "{operation}: {bindings}");
        assert_eq!((GCP.ours)(&stage.hand()), GCP.adopted, "{operation}");
        GCP.is_in_sync(&stage);
    }
}

/// The same of the bucket, whose metageneration keeps theirs: before the mark of the beginning, our rule, and the last mark.
#[test]
fn labels_and_rules_that_others_add_right_before_us_stay() {
    for write in 1..=3 {
        let stage = GCP.applied();
        stage.hook("storage.json:buckets.patch", write, When::Before, |hand| {
            let mut rules = hand.send("GET", BUCKET, Value::Null)["cors"].as_array().cloned().unwrap_or_default();
            rules.push(json!({"origin": ["https://late.example.com"], "method": ["GET"]}));
            hand.send("PATCH", BUCKET, json!({"labels": {"late": "theirs"}, "cors": rules}));
        });
        GCP.change(&stage, &[("wandb.example.com", "moved.example.com")]);
        let ran = GCP.run(&stage, &["apply", "--yes"]);
        assert!([0, 3].contains(&ran.code), "{}{}", ran.stdout, ran.stderr);
        let stays = || {
            let bucket = stage.hand().send("GET", BUCKET, Value::Null);
            assert_eq!(bucket["labels"]["late"], "theirs", "before write {write}: {bucket}");
            assert!(bucket["cors"].to_string().contains("https://late.example.com"), "before write {write}: {bucket}");
        };
        stays();
        stage.faults().clear();
        GCP.apply(&stage);
        stays();
        GCP.is_in_sync(&stage);
    }
}

/// Another deployment puts its mark onto the bucket.
fn take_over(hand: &Hand) {
    let mark = json!({"provision-deployment": "wandb-other", "provision-origin": "adopted"});
    (GCP.set_mark)(hand, GCP.bucket, &mark);
}

/// Another deployment takes the bucket between our look at its mark and our writing of it, or its deletion: the metageneration
/// keeps theirs.
#[test]
fn bucket_that_another_deployment_takes_right_before_us_stays_theirs() {
    let is_theirs = |stage: &Stage| {
        assert_eq!((GCP.mark)(&stage.hand(), GCP.bucket)["provision-deployment"], "wandb-other");
    };
    let stage = adoptable(&[]);
    stage.hook("storage.json:buckets.patch", 1, When::Before, take_over);
    GCP.ends(&stage, 3, &["apply", "--yes"]);
    is_theirs(&stage);
    let stage = GCP.applied();
    stage.hook("storage.json:buckets.delete", 1, When::Before, take_over);
    GCP.ends(&stage, 3, &["destroy", "--yes"]);
    is_theirs(&stage);
}

/// Labels that an adopted bucket had stand over those of the deployment, and stay when it is released.
#[test]
fn labels_that_others_had_on_an_adopted_bucket_stay_and_are_told() {
    let stage = GCP.planned();
    let hand = stage.hand();
    (GCP.foreign.unmarked)(&hand);
    (GCP.foreign.put)(&hand);
    GCP.change(&stage, &[GCP.plans.adopting, &[("[gcp]\n", "tags = { team = \"ml\" }\n[gcp]\n")]].concat());
    let labels = || {
        let labels = hand.send("GET", BUCKET, Value::Null)["labels"].clone();
        (labels["team"].clone(), labels["name"].clone())
    };
    let applied = GCP.succeed(&stage, &["apply", "--yes"]);
    assert!(applied.contains("= \"theirs\", where the plan file has \"ml\""), "{applied}");
    assert_eq!(labels(), (json!("theirs"), json!("their-bucket")));
    GCP.is_in_sync(&stage);
    GCP.succeed(&stage, &["destroy", "--yes"]);
    assert_eq!(labels(), (json!("theirs"), json!("their-bucket")));
}

/// Others' subscriptions to our topic would never hear of anything again.
#[test]
fn topic_that_others_subscribe_to_is_not_deleted() {
    let stage = GCP.applied();
    let theirs = SUBSCRIPTION.replace("acme-server", "audit-pipeline");
    stage.send("PUT", &theirs, json!({"topic": TOPIC.trim_start_matches("/v1/")}));
    let refused = GCP.ends(&stage, 6, &["destroy", "--yes"]);
    assert!(refused.contains("audit-pipeline"), "{refused}");
    assert_eq!(stage.writes(), Vec::<String>::new());
}

/// The same for one that the plan file does not name any more.
#[test]
fn orphan_topic_that_others_subscribe_to_is_refused_before_anything_is_written() {
    let stage = GCP.applied();
    GCP.change(&stage, GCP.plans.queue_renamed.0);
    GCP.succeed(&stage, &["apply", "--yes"]);
    let theirs = SUBSCRIPTION.replace("acme-server", "audit-pipeline");
    stage.send("PUT", &theirs, json!({"topic": TOPIC.trim_start_matches("/v1/")}));
    stage.faults().clear();
    for command in [&["plan", "--orphans"][..], &["apply", "--orphans", "--yes"], &["destroy", "--orphans", "--yes"]] {
        let refused = GCP.ends(&stage, 6, command);
        assert!(refused.contains("audit-pipeline"), "{command:?} {refused}");
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
    assert!(GCP.succeed(&stage, &["plan"]).contains("left over: topic `acme-events`"));
}

/// What is deleted from a bucket of others is lost, where the plan file does not say otherwise.
#[test]
fn adopted_bucket_that_keeps_nothing_of_what_is_deleted_is_warned_about() {
    let stage = GCP.planned();
    GCP.edit(&stage, GCP.foreign.unmarked);
    stage.send("PATCH", BUCKET, json!({"softDeletePolicy": {"retentionDurationSeconds": "0"}}));
    GCP.change(&stage, GCP.plans.adopting);
    let told = |command: &[&str]| {
        let ran = GCP.run(&stage, command);
        format!("{}{}", ran.stdout, ran.stderr).contains("its soft delete is off")
    };
    assert!(told(&["plan"]));
    GCP.apply(&stage);
    assert!(told(&["plan"]) && told(&["verify", "--read-only"]));
    stage.send("PATCH", BUCKET, json!({"softDeletePolicy": {"retentionDurationSeconds": "604800"}}));
    assert!(!told(&["plan"]));
}

/// A plan file that keeps nothing of what is deleted is told so at each look.
#[test]
fn bucket_that_is_to_keep_nothing_of_what_is_deleted_is_warned_about() {
    let stage = GCP.planned();
    GCP.change(&stage, &[("[gcp.topic]", "soft_delete_days = 0\n[gcp.topic]")]);
    GCP.apply(&stage);
    for look in [&["plan"][..], &["verify", "--read-only"]] {
        let told = GCP.succeed(&stage, look);
        assert!(told.contains("(`soft_delete_days = 0`)"), "{look:?}: {told}");
    }
}

/// Messages are kept where an organization's policy has them, which may be far from the bucket.
#[test]
fn topic_whose_messages_are_kept_in_other_regions_is_warned_about() {
    let stage = GCP.applied();
    let hand = stage.hand();
    let told = |command: &[&str]| GCP.succeed(&stage, command).contains("keeps its messages in europe-west1 only");
    let commands: [&[&str]; 2] = [&["plan"], &["verify", "--read-only"]];
    for (region, expected) in [("europe-west1", true), ("us-east1", false)] {
        update_topic(&hand, "messageStoragePolicy", &json!({ "allowedPersistenceRegions": [region] }));
        assert_eq!(commands.map(told), [expected; 2], "{region}");
    }
}

/// Somebody else's notification just like ours: a warning, since what is ours is as it should be, and never ours to remove.
#[test]
fn notification_of_others_that_is_like_ours_is_warned_about_and_left() {
    let stage = GCP.applied();
    let hand = stage.hand();
    let entries = || {
        let items = hand.send("GET", ENTRIES, Value::Null)["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ours = entries();
    let mut copy = hand.send("GET", ENTRIES, Value::Null)["items"][0].clone();
    for key in ["id", "etag", "selfLink", "kind"] {
        copy.as_object_mut().unwrap().remove(key);
    }
    hand.send("POST", ENTRIES, copy);
    let mut theirs = entries();
    theirs.retain(|id| !ours.contains(id));
    let [theirs] = &theirs[..] else { panic!("{theirs:?}") };
    stage.faults().clear();
    for command in [&["plan"][..], &["drift"], &["apply", "--yes"]] {
        let printed = GCP.succeed(&stage, command);
        assert!(printed.contains("the server would hear of each twice"), "{command:?} {printed}");
        assert!(printed.contains(&format!("notification `{theirs}`")), "{command:?} {printed}");
        assert!(printed.contains("No changes:") || printed.contains(": in sync"), "{command:?} {printed}");
    }
    assert_eq!(stage.writes(), Vec::<String>::new());
    // What goes with the former topic is ours alone.
    GCP.change(&stage, &[("acme-events", "acme-renamed"), ("acme-server", "acme-other")]);
    GCP.succeed(&stage, &["apply", "--yes"]);
    let left = entries();
    assert!(left.len() == 2 && left.contains(theirs) && !left.contains(&ours[0]), "{left:?}");
}
