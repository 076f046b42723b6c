//! A change set that was saved is executed exactly, or not at all.

use std::path::Path;

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::identity::Identity;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, engine, preflight};

use crate::arguments::{Global, Keeping, quoted};
use crate::exit::Failure;
use crate::plan_files::{Checked, check};
use crate::providers::ProviderId;
use crate::session::{Invocation, Session};
use crate::view::{self, Consent};
use crate::{change_sets, keeper};

/// A change set that the cloud still fits, and what it is executed with.
pub(crate) struct Saved {
    pub(crate) set: ChangeSet,
    pub(crate) intent: Intent,
    pub(crate) provider: Box<dyn Provisioner>,
    /// The sandbox ends with it.
    _session: Session,
}

/// Read a saved change set, look whether it still fits, and show it; `command` is the one that is to execute it.
pub(crate) async fn look(
    path: &Path,
    cloud: ProviderId,
    command: &str,
    keeping: &Keeping,
    invocation: Invocation<'_>,
) -> Result<Saved, Failure> {
    let Invocation { global, signals, view } = invocation;
    let mut set = change_sets::read(path)?;
    is_executed_by(&set, path, cloud, command, global)?;
    let Some(checked) = Checked::of_saved(&set) else {
        return Err(stale(&set, &format!("it was not made by `provision {cloud} plan`")).into());
    };
    if set.tool != env!("CARGO_PKG_VERSION") {
        let reason = format!("it was made by version {}, this is {}", set.tool, env!("CARGO_PKG_VERSION"));
        return Err(stale(&set, &reason).into());
    }
    plan_file_unchanged(&set, cloud)?;
    let intent = checked.intent(set.purpose.clone(), set.with_orphans);
    keeper::asked_for(keeping, &[&checked], global)?;
    let keeper = keeper::of(keeping, &checked);
    let session = Session::open(&[&checked], global, view)?.keeping(keeper);
    let look = async {
        let provider = session.provisioner(&checked, view).await?;
        let now = checked.planned(provider.as_ref(), &intent, view).await?;
        is_for(&set, &now.identity)?;
        if let Some(error) = now.unreadable.first() {
            return Err(error.0.clone().into());
        }
        if set.has_changes() && !now.has_changes() {
            return Err(applied_already().into());
        }
        engine::unchanged(&set, &now, "since this change set was saved")?;
        Ok((provider, now))
    };
    let (provider, now) = signals.unless_stopped(look).await?;
    set.rights.clone_from(&now.rights);
    // What goes with a bucket is what is in it by now, and is told as such.
    for (change, now) in set.changes.iter_mut().zip(now.changes) {
        change.contents = now.contents;
    }
    view.change_set(&set, Consent::Given);
    preflight::permitted(&set)?;
    Ok(Saved { set, intent, provider, _session: session })
}

/// A set is for one cloud and one command.
fn is_executed_by(
    set: &ChangeSet,
    path: &Path,
    cloud: ProviderId,
    command: &str,
    global: &Global,
) -> Result<(), Failure> {
    let its_command = if set.purpose == Purpose::Apply { "apply" } else { "destroy" };
    let wrong = match (set.cloud == cloud.name(), its_command == command) {
        (true, true) => return Ok(()),
        (false, _) => format!("this change set is for {}, not {cloud}", set.cloud),
        (_, false) => format!("this change set is for {its_command}, not {command}"),
    };
    let (file, flag) = (quoted(path), global.sandbox_flag());
    Err(Failure::Usage(format!("{wrong}: `provision {} {its_command} {file}{flag}` executes it", set.cloud)))
}

/// A set is for one account and region.
fn is_for(set: &ChangeSet, here: &Identity) -> Result<(), Error> {
    let then = &set.identity;
    if (&then.account, &then.region, &then.endpoints) == (&here.account, &here.region, &here.endpoints) {
        return Ok(());
    }
    let place = |identity: &Identity| {
        let place = format!("{} {} in {}", view::words::nouns(&set.cloud).0, identity.account, identity.region);
        if identity.endpoints.is_empty() { place } else { format!("{place} ({})", identity.endpoints.join(", ")) }
    };
    Err(stale(set, &format!("it is for {}, and this is {}", place(then), place(here))))
}

fn stale(set: &ChangeSet, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, "the change set cannot be used").with_message(reason);
    error.with_hint(format!("make a new one with `{} --out FILE`", set.plan_command()))
}

/// Where the plan file is at hand, it must still say the same.
fn plan_file_unchanged(set: &ChangeSet, cloud: ProviderId) -> Result<(), Failure> {
    let path = Path::new(&set.plan_file.name);
    if !path.exists() {
        return Ok(());
    }
    let now = check(path, cloud)?;
    if now.source.digest == set.plan_file.digest {
        return if now.settings.to_json() == set.settings { Ok(()) } else { Err(of_another(set).into()) };
    }
    if was_executed(set, &now) {
        return Err(applied_already().into());
    }
    Err(stale(set, &format!("plan file `{}` says something else now", set.plan_file.name)).into())
}

/// Somebody has written into it, or the plan file's variables have other values here.
fn of_another(set: &ChangeSet) -> Error {
    stale(
        set,
        &format!("it has other settings than plan file `{}`, from which it says that it was made", set.plan_file.name),
    )
}

fn applied_already() -> Error {
    Error::new(ErrorKind::Stale, "this change set was applied already")
}

/// Whether the plan file has noted since that the set was executed: it names what was to be made, or what was to be deleted no more.
fn was_executed(set: &ChangeSet, now: &Checked) -> bool {
    let is_made = |checked: &Checked| checked.settings.given_once().is_empty();
    let now = is_made(now);
    Checked::of_saved(set).is_some_and(|then| is_made(&then) != now) && now == (set.purpose == Purpose::Apply)
}
