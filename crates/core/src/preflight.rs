//! Before the first write: which of the rights that a change set needs are missing, and what would refuse it in any case, as far as the
//! cloud can be asked.

use std::time::Duration;

use tokio::time::timeout;

use crate::change_set::{ChangeSet, Purpose};
use crate::error::{Error, ErrorKind};
use crate::graph::graph;
use crate::permissions::Task;
use crate::printable::on_one_line;
use crate::provider::Observer;
use crate::rights::{Answer, MissingRight, Right, Rights};

/// How long is waited for answers. They only tell before what each write says for itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Look, and ask at the same time what the credentials may do; what the look alone could tell is asked after it.
///
/// # Errors
///
/// Those of the look.
pub async fn inquiring(
    observer: &dyn Observer,
    purpose: &Purpose,
    look: impl Future<Output = Result<ChangeSet, Error>>,
) -> Result<ChangeSet, Error> {
    let (found, answered) = futures::join!(look, timeout(PATIENCE, observer.inquire(task(purpose))));
    let mut set = found?;
    if set.has_changes() && set.blockers().is_empty() {
        let needed = needed(observer, &set);
        if answered.is_ok() {
            inquire_more(observer, &needed).await;
        }
        set.rights = rights(observer, &set, needed);
    }
    Ok(set)
}

/// A right that is needed, and what needs it.
type Needed = (Right, Vec<String>);

/// Ask about what nobody could think of before the look: what is left over, what had another name.
async fn inquire_more(observer: &dyn Observer, needed: &[Needed]) {
    let unasked = needed.iter().map(|(right, _)| right).filter(|right| observer.held(right) == Answer::Unasked);
    ask(observer, &unasked.cloned().collect::<Vec<_>>()).await;
}

/// Ask about these; without an answer they are not known.
pub(crate) async fn ask(observer: &dyn Observer, rights: &[Right]) {
    if !rights.is_empty() {
        let _ = timeout(PATIENCE, observer.inquire_about(rights)).await;
    }
}

/// What was answered of each.
fn rights(observer: &dyn Observer, set: &ChangeSet, needed: Vec<Needed>) -> Rights {
    let mut rights = Rights { refusals: observer.refusals(set), ..Rights::default() };
    for (right, needed_to) in needed {
        rights.note(&right, needed_to, observer.held(&right));
    }
    rights
}

/// Each right once, with all that needs it.
fn needed(observer: &dyn Observer, set: &ChangeSet) -> Vec<Needed> {
    let mut needed: Vec<Needed> = Vec::new();
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

/// Why a set is not executed: rights without which its writes are sure to be refused, and what refuses them anyhow, all of it at once.
///
/// # Errors
///
/// There is such.
pub fn permitted(set: &ChangeSet) -> Result<(), Error> {
    let missing: Vec<_> = set.rights.certain().map(MissingRight::describe).collect();
    let refusing: Vec<_> = set.rights.refusals.iter().map(|refusal| refusal.reason.clone()).collect();
    let name = task(&set.purpose).name();
    let (kind, tried, why) = match (missing.len(), refusing.len()) {
        (0, 0) => return Ok(()),
        (0, _) => (ErrorKind::Refused, format!("cannot {name}"), "it would be refused"),
        (1, 0) => (ErrorKind::PermissionDenied, name.to_owned(), "a right is missing"),
        (_, 0) => (ErrorKind::PermissionDenied, name.to_owned(), "rights are missing"),
        _ => (ErrorKind::PermissionDenied, name.to_owned(), "rights are missing, and it would be refused"),
    };
    let told = [missing.as_slice(), refusing.as_slice()].concat().join("\n");
    let error = Error::new(kind, tried).with_message(format!("{why}, and nothing was written:\n{told}"));
    let hints = (!missing.is_empty()).then(|| granting(set));
    let hints: Vec<_> =
        hints.into_iter().chain(set.rights.refusals.iter().map(|refusal| refusal.hint.clone())).collect();
    Err(error.with_plan_file(&set.plan_file.name).with_hint(unique(hints).join("; ")))
}

fn granting(set: &ChangeSet) -> String {
    format!(
        "grant what is missing to {}; `{}` prints all that it needs. What was granted a moment ago may take minutes: then run \
         the same command again",
        set.identity.principal,
        permissions_command(set)
    )
}

/// Each once, in their order.
fn unique(all: Vec<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// The command that prints what the set's own command needs.
#[must_use]
pub fn permissions_command(set: &ChangeSet) -> String {
    let file = on_one_line(&set.plan_file.name);
    format!("provision {} permissions {file} --for {}", set.cloud, task(&set.purpose).name())
}

const fn task(purpose: &Purpose) -> Task {
    match purpose {
        Purpose::Apply => Task::Apply,
        Purpose::Destroy { .. } => Task::Destroy,
    }
}
