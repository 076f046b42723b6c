//! Pub/Sub over REST <https://cloud.google.com/pubsub/docs/reference/rest>.

mod delivery;
pub(super) mod message;
pub(super) mod subscriber;
pub(super) mod subscription;
pub(super) mod topic;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Call;
use super::project;
use super::refusal::{Kind, Refusal};
use crate::state::Transaction;

/// The topic that a subscription names once its own is gone
/// <https://cloud.google.com/pubsub/docs/delete-topic>.
pub(super) const DELETED_TOPIC: &str = "_deleted-topic_";

/// Requests for topics, subscriptions and messages.
pub(super) fn answer(state: &mut Transaction<'_>, call: &Call<'_>) -> Result<Value, Refusal> {
    check_project(state, call.name(0))?;
    let of_topic = call.path.contains("/topics/");
    match call.verb() {
        "GetIamPolicy" | "SetIamPolicy" | "TestIamPermissions" if of_topic => topic::policy(state, call),
        "GetIamPolicy" | "SetIamPolicy" | "TestIamPermissions" => subscription::policy(state, call),
        "CreateTopic" | "GetTopic" | "UpdateTopic" | "DeleteTopic" | "ListTopics" | "ListTopicSubscriptions" => {
            topic::answer(state, call)
        }
        "CreateSubscription" | "GetSubscription" | "UpdateSubscription" | "DeleteSubscription"
        | "DetachSubscription" | "ListSubscriptions" => subscription::answer(state, call),
        "Publish" | "Pull" | "Acknowledge" | "ModifyAckDeadline" => message::answer(state, call),
        _ => Err(Refusal::unserved(&call.operation)),
    }
}

fn check_project(state: &Transaction<'_>, project: &str) -> Result<(), Refusal> {
    match project::find(state, project)? {
        Some(_) => Ok(()),
        None => Err(Refusal::not_found(format!(
            "Requested project not found or user does not have access to it (project={project}). Make sure to specify the \
             unique project identifier and not the Google Cloud Console display name."
        ))),
    }
}

/// Something that was deleted, and that lists go on showing until then.
#[derive(Debug, Serialize, Deserialize)]
struct Ghost<T> {
    thing: T,
    until_ms: u64,
}

/// Delete something. `pubsub.lists` delays what lists see of it.
fn delete_listed<T: Serialize>(
    state: &mut Transaction<'_>,
    call: &Call<'_>,
    key: &str,
    thing: &T,
) -> Result<(), Refusal> {
    state.delete(key);
    let delay_ms = call.delay("pubsub.lists");
    if delay_ms > 0 {
        state.put(&format!("{GHOSTS}{key}"), &Ghost { thing, until_ms: call.now_ms + delay_ms })?;
    }
    Ok(())
}

/// Everything under a prefix, what is gone and still listed too.
fn listed_under<T: Serialize + DeserializeOwned>(
    state: &Transaction<'_>,
    call: &Call<'_>,
    prefix: &str,
) -> Result<Vec<(String, T)>, Refusal> {
    let there = state.scan::<T>(prefix)?;
    let ghosts = state.scan::<Ghost<T>>(&format!("{GHOSTS}{prefix}"))?.into_iter();
    let ghosts = ghosts.filter(|(_, ghost)| call.now_ms < ghost.until_ms);
    let ghosts = ghosts.filter_map(|(key, ghost)| Some((key.strip_prefix(GHOSTS)?.to_owned(), ghost.thing)));
    // What was made anew is listed once.
    let mut all: BTreeMap<String, T> = ghosts.collect();
    all.extend(there);
    Ok(all.into_iter().collect())
}

/// Where what is gone is kept until no list shows it any more.
const GHOSTS: &str = "google/ghost/";

fn missing(resource: &str) -> Refusal {
    Refusal::not_found(format!("Resource not found (resource={resource})."))
}

fn exists(resource: &str) -> Refusal {
    Refusal::new(Kind::Exists, format!("Resource already exists in the project (resource={resource})."))
}

/// The fields of an update mask, in the form of JSON or of messages
/// <https://protobuf.dev/reference/protobuf/google.protobuf/#field-mask>.
fn mask_paths(mask: &str) -> Result<Vec<String>, Refusal> {
    let snake = |path: &str| {
        path.chars().fold(String::new(), |mut snake, letter| {
            if letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
            snake
        })
    };
    let paths: Vec<_> = mask.split(',').map(str::trim).filter(|path| !path.is_empty()).map(snake).collect();
    if paths.is_empty() {
        return Err(Refusal::invalid(
            "The update_mask in the request must be set, and must contain a non-empty paths list.",
        ));
    }
    Ok(paths)
}

/// Seconds of a duration, `600s` <https://protobuf.dev/reference/protobuf/google.protobuf/#duration>.
fn seconds(duration: &str) -> Result<u64, Refusal> {
    let number =
        duration.strip_suffix('s').and_then(|number| number.split('.').next()).and_then(|number| number.parse().ok());
    number.ok_or_else(|| Refusal::invalid(format!("Invalid duration: '{duration}'")))
}
