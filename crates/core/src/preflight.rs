//! Before the first write: which of the rights that a change set needs are missing, as far as the cloud can be asked.

use std::time::Duration;

use tokio::time::timeout;

use crate::change_set::{ChangeSet, Purpose};
use crate::error::{Error, ErrorKind};
use crate::graph::graph;
use crate::permissions::Task;
use crate::provider::Observer;
use crate::rights::{MissingRight, Right, Rights};

/// How long is waited for answers. They only tell before what each write says for itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Look, and ask at the same time what the credentials may do.
pub async fn inquiring<T>(observer: &dyn Observer, purpose: &Purpose, look: impl Future<Output = T>) -> T {
    let (found, _) = futures::join!(look, timeout(PATIENCE, observer.inquire(task(purpose))));
    found
}

/// The rights that a set needs, by what was answered. None where nothing is to be done, or something stands in its way anyhow.
pub fn rights(observer: &dyn Observer, set: &ChangeSet) -> Rights {
    let mut rights = Rights::default();
    if set.has_changes() && set.blockers().is_empty() {
        for (right, needed_to) in needed(observer, set) {
            rights.note(&right, needed_to, observer.held(&right));
        }
    }
    rights
}

/// Each right once, with all that needs it.
fn needed(observer: &dyn Observer, set: &ChangeSet) -> Vec<(Right, Vec<String>)> {
    let mut needed: Vec<(Right, Vec<String>)> = Vec::new();
    for operation in graph(set, &observer.resources()) {
        for right in observer.rights(&operation, set) {
            let text = operation.describe();
            match needed.iter_mut().find(|(known, _)| known.name == right.name && known.on == right.on) {
                Some((_, texts)) if texts.contains(&text) => {}
                Some((_, texts)) => texts.push(text),
                None => needed.push((right, vec![text])),
            }
        }
    }
    needed
}

/// Why a set is not executed: rights without which its writes are sure to be refused, all of them at once.
///
/// # Errors
///
/// There are such.
pub fn permitted(set: &ChangeSet) -> Result<(), Error> {
    let missing: Vec<_> = set.rights.certain().map(MissingRight::describe).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let rights = if missing.len() == 1 { "a right is missing" } else { "rights are missing" };
    let error = Error::new(ErrorKind::PermissionDenied, task(&set.purpose).name());
    let error = error.with_message(format!("{rights}, and nothing was written:\n{}", missing.join("\n")));
    Err(error.with_plan_file(&set.plan_file.name).with_hint(format!(
        "grant what is missing to {}; `{}` prints all that it needs. What was granted a moment ago may take minutes: then run \
         the same command again",
        set.identity.principal,
        permissions_command(set)
    )))
}

/// The command that prints what the set's own command needs.
#[must_use]
pub fn permissions_command(set: &ChangeSet) -> String {
    format!("provision {} permissions {} --for {}", set.cloud, set.plan_file.name, task(&set.purpose).name())
}

const fn task(purpose: &Purpose) -> Task {
    match purpose {
        Purpose::Apply => Task::Apply,
        Purpose::Destroy { .. } => Task::Destroy,
    }
}
