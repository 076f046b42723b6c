//! What sets amount to on the cloud in memory.

use super::*;
use crate::model::{Model, Plan, World};
use crate::provider::Observer as _;

/// What a set amounts to, each operation with the numbers of those that it needs.
fn texts(model: &Model, set: &ChangeSet) -> Vec<String> {
    let operations = graph(set, &model.resources());
    operations.iter().map(|operation| format!("{} {:?}", operation.describe(), operation.needs)).collect()
}

async fn applied(plan: Plan) -> Model {
    let model = Model::new(plan, World::default());
    model.apply().await;
    model
}

fn replanned(model: &Model, change: impl FnOnce(&mut Plan)) -> Model {
    let mut plan = model.plan.clone();
    change(&mut plan);
    Model::new(plan, model.world().clone())
}

#[tokio::test]
async fn what_is_absent_is_made_at_once_then_joined_then_marked() {
    let model = Model::new(Plan::new(), World::default());
    let expected = [
        "create bucket `files` []",
        "write policy of bucket `files` [0]",
        "write rule of bucket `files` [0]",
        "read the tags of bucket `files` [0]",
        "create queue `events` []",
        "write senders of queue `events` [4]",
        "read the tags of queue `events` [4]",
        "write notification `notification` [0, 4, 5]",
        "write access `node` [0]",
        "write the tags of bucket `files` [0, 1, 2, 3, 4, 5, 6, 7, 8]",
        "write the tags of queue `events` [0, 1, 2, 3, 4, 5, 6, 7, 8]",
    ];
    assert_eq!(texts(&model, &model.plan().await), expected);
}

#[tokio::test]
async fn what_a_destroy_deletes_goes_in_the_order_that_the_services_ask_for() {
    let model = applied(Plan::new()).await;
    let destroy = |delete_data: Option<&str>| Purpose::Destroy { delete_data: delete_data.map(str::to_owned) };
    let set = model.change_set(destroy(None), false).await;
    let expected = [
        "read the tags of bucket `files` []",
        "remove access `node` [0]",
        "delete bucket `files` [1]",
        "delete queue `events` [0, 2]",
    ];
    assert_eq!(texts(&model, &set), expected);
    let set = model.change_set(destroy(Some("files")), false).await;
    let expected = [
        "read the tags of bucket `files` []",
        "remove access `node` [0]",
        "empty bucket `files` [0, 1]",
        "delete bucket `files` [2]",
        "delete queue `events` [0, 2, 3]",
    ];
    assert_eq!(texts(&model, &set), expected);
}

#[tokio::test]
async fn what_is_released_is_looked_at_first_and_loses_its_mark_last() {
    let mut world = World::default();
    world.thing("bucket/files");
    let model = Model::new(Plan { adopt: true, queue: None, ..Plan::new() }, world);
    model.apply().await;
    let set = model.change_set(Purpose::Destroy { delete_data: None }, false).await;
    let expected = [
        "read the tags of bucket `files` []",
        "remove access `node` [0]",
        "read the tags of bucket `files` [1]",
        "remove rule of bucket `files` [1, 0, 2]",
        "release bucket `files` [0, 1, 2, 3]",
    ];
    assert_eq!(texts(&model, &set), expected);
}

/// The writes of what is one document, all in one.
#[tokio::test]
async fn what_is_one_document_is_written_at_once() {
    let bucket = |model: &Model, set: &ChangeSet| {
        let mut resources = model.resources();
        resources.iter_mut().for_each(|resource| resource.one_document = resource.is_marked());
        let operations = graph(set, &resources);
        let own = operations.into_iter().filter(|operation| operation.kind == "bucket" && operation.writes());
        own.map(|operation| operation.describe()).collect::<Vec<_>>()
    };
    let mut world = World::default();
    world.thing("bucket/files");
    let model = Model::new(Plan { adopt: true, queue: None, ..Plan::new() }, world);
    assert_eq!(bucket(&model, &model.plan().await), ["adopt bucket `files`"]);
    model.apply().await;
    assert_eq!(bucket(&model, &model.plan().await), [""; 0]);
    let set = model.change_set(Purpose::Destroy { delete_data: None }, false).await;
    assert_eq!(bucket(&model, &set), ["release bucket `files`"]);
}

#[tokio::test]
async fn rights_are_put_on_record_before_they_are_given_and_their_end_after_they_are_taken() {
    let model = applied(Plan { principal: None, queue: None, ..Plan::new() }).await;
    let model = replanned(&model, |plan| plan.principal = Some("node".to_owned()));
    let expected =
        ["write the tags of bucket `files` []", "write access `node` [0]", "write the tags of bucket `files` [0, 1]"];
    assert_eq!(texts(&model, &model.plan().await), expected);
    model.apply().await;
    let model = replanned(&model, |plan| plan.principal = None);
    let expected =
        ["read the tags of bucket `files` []", "remove access `node` [0]", "write the tags of bucket `files` [0, 1]"];
    assert_eq!(texts(&model, &model.plan().await), expected);
}

#[tokio::test]
async fn orphan_goes_where_asked_and_takes_its_present_name_otherwise() {
    let model = replanned(&applied(Plan::new()).await, |plan| plan.queue = Some("second".to_owned()));
    model.apply().await;
    let set = model.change_set(Purpose::Apply, true).await;
    assert_eq!(texts(&model, &set), ["delete queue `events` []"]);
    // It has the address of the one that is made, and is not known as a new one is.
    let held: Vec<_> = graph(&set, &model.resources()).into_iter().map(|operation| operation.holder).collect();
    assert_eq!(held, [None]);
    let model = replanned(&model, |plan| {
        plan.was = Some("wandb".to_owned());
        plan.deployment = "new".to_owned();
    });
    let texts = texts(&model, &model.plan().await);
    assert!(texts.last().unwrap().starts_with("write the tags of queue `events`"), "{texts:?}");
}
