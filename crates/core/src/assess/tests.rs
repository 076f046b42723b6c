//! A row for each rule of whose a thing is and what becomes of it, on the cloud in memory.

use crate::address::Address;
use crate::change_set::{Action, Change, ChangeSet, Purpose};
use crate::compare::Finding;
use crate::mark::{DEPLOYMENT_KEY, Mark, ORIGIN_KEY, PARTS_KEY, SPEC_KEY, Tags};
use crate::model::{ACCESS, BUCKET, Model, NOTIFICATION, Plan, QUEUE, Thing, World};

const FILES: &str = "bucket/files";
const EVENTS: &str = "queue/events";

async fn applied(plan: Plan) -> Model {
    let model = Model::new(plan, World::default());
    model.apply().await;
    model
}

/// The same cloud under another plan.
fn replanned(model: Model, change: impl FnOnce(&mut Plan)) -> Model {
    let mut plan = model.plan.clone();
    change(&mut plan);
    Model::new(plan, model.world().clone())
}

fn change(set: &ChangeSet, address: Address) -> &Change {
    set.changes.iter().find(|change| change.address == address).unwrap()
}

fn action(set: &ChangeSet, address: Address) -> (Action, Finding, bool) {
    let change = change(set, address);
    (change.action, change.finding, change.missing)
}

fn refusal(set: &ChangeSet, address: Address) -> String {
    change(set, address).refusal.clone().map(|refusal| refusal.reason).unwrap_or_default()
}

fn destroying() -> Purpose {
    Purpose::Destroy { delete_data: None }
}

fn without_marks(model: &Model, identity: &str) {
    model.world().thing(identity).tags = Tags::new();
}

/// What others have everywhere, of the kinds that ours are.
fn with_others(world: &mut World) {
    for identity in [FILES, EVENTS] {
        world.thing(identity).tags.insert("team".to_owned(), "theirs".to_owned());
    }
    let files = world.thing(FILES);
    files.rules.push("theirs".to_owned());
    files.policy.push(("theirs".to_owned(), "deny".to_owned()));
    files.notifications.push("their-queue".to_owned());
    world.thing(EVENTS).senders.push(("send".to_owned(), "theirs".to_owned()));
    world.thing(EVENTS).wait = Some(10);
    world.grants.push(("read".to_owned(), "theirs".to_owned()));
}

#[tokio::test]
async fn nothing_is_created_as_wanted_and_destroyed_without_a_trace() {
    let model = applied(Plan::new()).await;
    assert_eq!(model.world().grants.len(), 2);
    model.destroy().await;
    assert_eq!(*model.world(), World::default());
}

#[tokio::test]
async fn mark_of_another_deployment_is_refused_by_name_never_by_prefix() {
    for other in ["wandb-b", "wand", "wandb2", "Wandb"] {
        let model = replanned(applied(Plan { deployment: other.to_owned(), ..Plan::new() }).await, |plan| {
            plan.deployment = "wandb".to_owned();
        });
        for purpose in [Purpose::Apply, destroying()] {
            let set = model.change_set(purpose, true).await;
            assert!(refusal(&set, BUCKET).contains(&format!("belongs to deployment `{other}`")));
            assert!(set.orphans.is_empty());
        }
    }
}

#[tokio::test]
async fn mark_copied_from_another_resource_proves_nothing() {
    let model = applied(Plan { bucket: "other".to_owned(), ..Plan::new() }).await;
    let copied = model.world().things["bucket/other"].tags.clone();
    model.world().things.remove("bucket/other");
    model.world().things.remove(EVENTS);
    model.world().thing(FILES).tags = copied;
    let model = replanned(model, |plan| plan.bucket = "files".to_owned());
    let set = model.plan().await;
    assert!(refusal(&set, BUCKET).contains("copied from another resource"), "{}", refusal(&set, BUCKET));
}

#[tokio::test]
async fn mark_of_a_newer_version_stops_everything_orphans_too() {
    let model = applied(Plan::new()).await;
    for identity in [FILES, EVENTS] {
        model.world().thing(identity).tags.insert(SPEC_KEY.to_owned(), "v2-x".to_owned());
    }
    let set = model.plan().await;
    assert!(refusal(&set, BUCKET).contains("newer version") && refusal(&set, QUEUE).contains("newer version"));
    let mut tags = model.world().things[EVENTS].tags.clone();
    let name = Mark::unfinished("wandb", crate::mark::Origin::Created, EVENTS).name_digest;
    tags.insert(SPEC_KEY.to_owned(), format!("v2-{name}-x"));
    model.world().thing(EVENTS).tags = tags;
    model.world().things.remove(FILES);
    let model = replanned(model, |plan| plan.queue = Some("other".to_owned()));
    let set = model.change_set(Purpose::Apply, true).await;
    let reasons: Vec<_> = set.blockers().iter().map(|error| error.message().unwrap_or_default().to_owned()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("queue `events`") && reason.contains("newer")), "{reasons:?}");
}

#[tokio::test]
async fn unmarked_is_refused_and_adopted_where_the_plan_file_says_so() {
    let model = Model::new(Plan::new(), World::default());
    with_others(&mut model.world());
    assert!(refusal(&model.plan().await, BUCKET).contains("exists already and was not made by this deployment"));
    let model = replanned(model, |plan| plan.adopt = true);
    let before = model.world().clone();
    model.apply().await;
    assert_eq!(model.world().things[FILES].tags[ORIGIN_KEY], "adopted");
    model.destroy().await;
    assert_eq!(*model.world(), before);
}

#[tokio::test]
async fn what_others_had_made_as_wanted_is_used_and_left() {
    let model = Model::new(Plan { adopt: true, ..Plan::new() }, World::default());
    with_others(&mut model.world());
    {
        let mut world = model.world();
        world.thing(FILES).rules.push("host".to_owned());
        world.thing(FILES).notifications.push("events".to_owned());
        world.thing(EVENTS).senders.push(("send".to_owned(), "agent".to_owned()));
        world.grants.push(("read".to_owned(), "node".to_owned()));
    }
    let before = model.world().clone();
    model.apply().await;
    // What is gone of it is told.
    let rules = std::mem::take(&mut model.world().thing(FILES).rules);
    assert!(model.plan().await.has_drift());
    model.world().thing(FILES).rules = rules;
    model.destroy().await;
    // Of the two roles the one that was there stays.
    assert_eq!(*model.world(), before);
}

#[tokio::test]
async fn section_that_left_the_plan_file_is_taken_back_wherever_its_carrier_is() {
    for (gone, kept) in [(FILES, EVENTS), (EVENTS, FILES)] {
        let model = applied(Plan::new()).await;
        model.world().grants.push(("read".to_owned(), "theirs".to_owned()));
        model.world().things.remove(gone);
        let model = replanned(model, |plan| plan.principal = None);
        let set = model.plan().await;
        assert_eq!(change(&set, ACCESS).action, Action::Delete, "{kept}");
        model.apply().await;
        assert_eq!(model.world().grants, [("read".to_owned(), "theirs".to_owned())]);
    }
    // The same by a destroy without an apply.
    let model = replanned(applied(Plan::new()).await, |plan| plan.principal = None);
    model.destroy().await;
    assert_eq!(*model.world(), World::default());
}

#[tokio::test]
async fn another_principal_takes_the_place_of_the_former_one() {
    let model = replanned(applied(Plan::new()).await, |plan| plan.principal = Some("other".to_owned()));
    let set = model.plan().await;
    assert!(!set.has_drift() && set.has_changes());
    model.apply().await;
    assert!(model.world().grants.iter().all(|(_, member)| member == "other"));
}

#[tokio::test]
async fn named_entry_that_is_no_longer_wanted_goes() {
    let world = World { things: [(FILES.to_owned(), Thing::default())].into(), ..World::default() };
    let model = Model::new(Plan { adopt: true, private: true, queue: None, ..Plan::new() }, world);
    model.apply().await;
    assert_eq!(model.world().things[FILES].policy.len(), 1);
    let model = replanned(model, |plan| plan.private = false);
    assert!(!model.plan().await.has_drift());
    model.apply().await;
    assert_eq!(model.world().things[FILES].policy, []);
}

#[tokio::test]
async fn tags_of_the_plan_file_go_with_their_key_and_are_no_drift() {
    let tags = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let model = applied(Plan { tags: tags(&[("team", "ml"), ("cost", "42")]), ..Plan::new() }).await;
    let model = replanned(model, |plan| plan.tags = tags(&[("team", "ai"), ("stage", "prod")]));
    let set = model.plan().await;
    assert!(!set.has_drift(), "{:?}", change(&set, BUCKET));
    model.apply().await;
    let found = crate::mark::without_mark(&model.world().things[FILES].tags);
    assert_eq!(found, tags(&[("team", "ai"), ("stage", "prod")]));
    // An edit of somebody else's is drift, and a key that is not on record is nobody's business.
    model.world().thing(FILES).tags.insert("team".to_owned(), "x".to_owned());
    model.world().thing(FILES).tags.insert("theirs".to_owned(), "y".to_owned());
    assert!(model.plan().await.has_drift());
    model.apply().await;
    assert_eq!(model.world().things[FILES].tags["theirs"], "y");
}

#[tokio::test]
async fn tag_of_others_on_what_is_adopted_keeps_its_value() {
    let model = Model::new(Plan { adopt: true, ..Plan::new() }, World::default());
    with_others(&mut model.world());
    let model = replanned(model, |plan| drop(plan.tags.insert("team".to_owned(), "ml".to_owned())));
    model.apply().await;
    assert_eq!(model.world().things[FILES].tags["team"], "theirs");
    model.destroy().await;
    assert_eq!(model.world().things[FILES].tags["team"], "theirs");
}

#[tokio::test]
async fn deleted_by_hand_is_missing_whatever_hides_it() {
    // An orphan of a former name does not hide the queue of the present one.
    let model = replanned(applied(Plan::new()).await, |plan| plan.queue = Some("second".to_owned()));
    let set = model.plan().await;
    assert_eq!(action(&set, QUEUE), (Action::Create, Finding::Pending, false));
    model.apply().await;
    model.world().things.remove("queue/second");
    let set = model.plan().await;
    assert_eq!(action(&set, QUEUE), (Action::Create, Finding::Drift, true));
    // Everything that carries a mark is gone but an orphan.
    model.world().things.remove(FILES);
    let set = model.plan().await;
    assert!(set.has_drift() && !set.nothing_exists());
    assert_eq!(action(&set, NOTIFICATION).0, Action::Create);
}

#[tokio::test]
async fn nothing_at_all_is_told_from_something_missing() {
    let model = applied(Plan { queue: None, ..Plan::new() }).await;
    model.world().things.remove(FILES);
    model.world().grants.clear();
    assert!(model.plan().await.nothing_exists());
    let model = applied(Plan::new()).await;
    model.world().things.remove(FILES);
    assert!(model.plan().await.has_drift());
}

#[tokio::test]
async fn tags_that_somebody_took_off_are_drift_and_come_back_with_the_origin_that_is_known() {
    let model = applied(Plan::new()).await;
    without_marks(&model, FILES);
    let set = model.plan().await;
    assert_eq!(change(&set, BUCKET).action, Action::Restore);
    assert!(set.has_drift());
    // Destroy deletes nothing that carries no mark, and takes out what carries our name.
    let destroyed = model.change_set(destroying(), true).await;
    assert_eq!(change(&destroyed, BUCKET).action, Action::Release);
    assert!(destroyed.warnings.iter().any(|warning| warning.contains("took provision's tags off bucket `files`")));
    model.apply().await;
    assert_eq!(model.world().things[FILES].tags[ORIGIN_KEY], "created");
    // Where only an entry with our name tells, it is taken for adopted.
    let model = applied(Plan { queue: None, ..Plan::new() }).await;
    without_marks(&model, FILES);
    model.apply().await;
    assert_eq!(model.world().things[FILES].tags[ORIGIN_KEY], "adopted");
    model.destroy().await;
    assert_eq!(model.world().things[FILES].policy, []);
}

#[tokio::test]
async fn mark_that_lost_its_origin_is_drift_and_is_deleted_as_what_it_was() {
    let model = applied(Plan::new()).await;
    model.world().thing(FILES).tags.remove(ORIGIN_KEY);
    let set = model.plan().await;
    assert_eq!(change(&set, BUCKET).action, Action::Restore);
    assert!(set.has_drift());
    assert_eq!(change(&model.change_set(destroying(), true).await, BUCKET).action, Action::Delete);
    model.apply().await;
    assert_eq!(model.world().things[FILES].tags[ORIGIN_KEY], "created");
    assert!(!model.plan().await.has_changes());
    model.world().thing(FILES).tags.remove(ORIGIN_KEY);
    model.destroy().await;
    assert_eq!(*model.world(), World::default());
}

#[tokio::test]
async fn only_mark_that_lost_some_of_its_tags_tells_the_origin_itself() {
    for key in [ORIGIN_KEY, PARTS_KEY] {
        let model = applied(Plan { queue: None, ..Plan::new() }).await;
        model.world().thing(FILES).tags.remove(key);
        let set = model.plan().await;
        assert_eq!(change(&set, BUCKET).action, Action::Restore);
        assert!(set.warnings.iter().any(|warning| warning.contains(&format!("lost `{key}`"))), "{:?}", set.warnings);
        model.apply().await;
        assert_eq!(model.world().things[FILES].tags[ORIGIN_KEY], "created");
        model.world().thing(FILES).tags.remove(key);
        model.destroy().await;
        assert_eq!(*model.world(), World::default());
    }
}

#[tokio::test]
async fn adopted_thing_that_lost_some_of_its_tags_loses_everything_of_ours_with_a_destroy() {
    for key in [ORIGIN_KEY, PARTS_KEY] {
        let model = Model::new(Plan { adopt: true, ..Plan::new() }, World::default());
        with_others(&mut model.world());
        let others = model.world().clone();
        model.apply().await;
        model.world().thing(FILES).tags.remove(key);
        model.destroy().await;
        assert_eq!(*model.world(), others);
    }
}

#[tokio::test]
async fn orphan_that_a_destroy_leaves_has_nothing_on_record_but_itself() {
    let model = replanned(applied(Plan::new()).await, |plan| plan.queue = Some("second".to_owned()));
    model.apply().await;
    let grants = model.world().grants.clone();
    let set = model.change_set(destroying(), false).await;
    assert!(model.execute(&set).await.is_complete());
    assert_eq!(model.world().things.keys().collect::<Vec<_>>(), [EVENTS]);
    assert!(!model.change_set(destroying(), false).await.has_changes());
    let planned = model.plan().await;
    assert!(
        !planned.has_drift() && planned.warnings.iter().all(|warning| !warning.contains("on record")),
        "{planned:#?}"
    );
    // Somebody gives the very same rights: they are theirs.
    model.world().grants.clone_from(&grants);
    model.destroy().await;
    assert_eq!(*model.world(), World { grants, ..World::default() });
}

#[tokio::test]
async fn former_name_is_taken_over_everywhere_orphans_too() {
    let model = replanned(applied(Plan::new()).await, |plan| plan.queue = Some("second".to_owned()));
    model.apply().await;
    let model = replanned(model, |plan| {
        plan.was = Some("wandb".to_owned());
        plan.deployment = "new".to_owned();
    });
    model.apply().await;
    assert!(model.world().things.values().all(|thing| thing.tags[DEPLOYMENT_KEY] == "new"));
    assert_eq!(model.world().things[FILES].policy, [("id-new".to_owned(), "tls".to_owned())]);
    let model = replanned(model, |plan| plan.was = None);
    assert!(!model.plan().await.has_changes());
    model.destroy().await;
    assert_eq!(*model.world(), World::default());
}

#[tokio::test]
async fn bucket_under_another_name_is_refused() {
    let model = replanned(applied(Plan::new()).await, |plan| plan.bucket = "second".to_owned());
    for purpose in [Purpose::Apply, destroying()] {
        assert!(refusal(&model.change_set(purpose, true).await, BUCKET).contains("data is never moved"));
    }
}

#[tokio::test]
async fn orphans_go_only_where_asked_and_never_with_data_by_an_apply() {
    let model = replanned(applied(Plan::new()).await, |plan| plan.queue = None);
    let set = model.plan().await;
    assert_eq!(set.orphans.len(), 1);
    model.apply().await;
    assert!(model.world().things.contains_key(EVENTS));
    let set = model.change_set(Purpose::Apply, true).await;
    assert!(model.execute(&set).await.is_complete());
    assert!(!model.world().things.contains_key(EVENTS));
}

#[tokio::test]
async fn protection_and_contents_keep_the_bucket() {
    let model = replanned(applied(Plan::new()).await, |plan| plan.protect = true);
    assert!(refusal(&model.change_set(destroying(), false).await, BUCKET).contains("protects"));
    let model = replanned(model, |plan| plan.protect = false);
    model.world().thing(FILES).objects = 3;
    assert!(refusal(&model.change_set(destroying(), false).await, BUCKET).contains("is not empty: 3 objects"));
    let purpose = Purpose::Destroy { delete_data: Some("files".to_owned()) };
    let set = model.change_set(purpose, false).await;
    assert!(set.blockers().is_empty());
    assert!(model.execute(&set).await.is_complete());
    assert_eq!(*model.world(), World::default());
}

#[tokio::test]
async fn name_that_went_to_another_account_is_gone_for_destroy() {
    let model = applied(Plan::new()).await;
    model.world().things.remove(FILES);
    model.world().elsewhere.insert(FILES.to_owned());
    assert!(refusal(&model.plan().await, BUCKET).contains("belongs to somebody else"));
    let set = model.destroy().await;
    assert!(set.warnings.iter().any(|warning| warning.contains("belongs to somebody else now")));
    assert_eq!(*model.world(), World { elsewhere: [FILES.to_owned()].into(), ..World::default() });
}

#[tokio::test]
async fn what_is_on_record_and_not_there_is_told() {
    let model = applied(Plan::new()).await;
    model.world().grants.clear();
    let set = model.destroy().await;
    assert!(set.warnings.iter().any(|warning| warning.contains("grants of access `node` is on record")), "{set:?}");
}

#[tokio::test]
async fn full_tags_are_refused_before_anything_is_written() {
    let model = Model::new(Plan { adopt: true, ..Plan::new() }, World::default());
    with_others(&mut model.world());
    let tags = (0..47).map(|number| (format!("tag-{number}"), String::new()));
    model.world().thing(FILES).tags.extend(tags);
    assert!(refusal(&model.plan().await, BUCKET).contains("48 of the 50 tags"));
}

/// A run that was cut off at every single write, and then run again, ends as one that was not.
#[tokio::test]
async fn run_that_was_cut_off_anywhere_is_finished_by_running_it_again() {
    let started = || {
        let model = Model::new(Plan { adopt: true, ..Plan::new() }, World::default());
        with_others(&mut model.world());
        model
    };
    let before = started().world().clone();
    for cut in 0..12 {
        let model = started();
        *model.writes_left.lock().unwrap() = cut;
        let _ = model.execute(&model.plan().await).await;
        *model.writes_left.lock().unwrap() = usize::MAX;
        model.apply().await;
        model.destroy().await;
        assert_eq!(*model.world(), before, "cut after {cut} writes of an apply");
        let model = started();
        model.apply().await;
        *model.writes_left.lock().unwrap() = cut;
        let _ = model.execute(&model.change_set(destroying(), true).await).await;
        *model.writes_left.lock().unwrap() = usize::MAX;
        model.destroy().await;
        assert_eq!(*model.world(), before, "cut after {cut} writes of a destroy");
    }
}

/// Rights that are added to a deployment that stands are on record before they are given.
#[tokio::test]
async fn rights_that_a_killed_run_gave_are_ours() {
    for cut in 0..4 {
        let model = applied(Plan { principal: None, ..Plan::new() }).await;
        let model = replanned(model, |plan| plan.principal = Some("node".to_owned()));
        *model.writes_left.lock().unwrap() = cut;
        let _ = model.execute(&model.plan().await).await;
        *model.writes_left.lock().unwrap() = usize::MAX;
        let model = replanned(model, |plan| plan.principal = None);
        model.destroy().await;
        assert_eq!(*model.world(), World::default(), "cut after {cut} writes");
    }
}
