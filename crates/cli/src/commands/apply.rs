//! `provision <cloud> apply`: make the cloud what the plan file says, or execute a saved change set.

use std::path::{Path, PathBuf};
use std::time::Instant;

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::identity::Identity;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, engine};

use crate::arguments::quoted;
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, check, plan_file_path};
use crate::session::{Invocation, Session};
use crate::{approval, change_sets, summary, view};

pub(crate) async fn run(
    given: Option<PathBuf>,
    cloud: CloudId,
    yes: bool,
    orphans: bool,
    invocation: Invocation<'_>,
) -> CommandResult {
    match given {
        Some(path) if change_sets::is_one(&path) => {
            if orphans {
                let message = "`--orphans` is said when a change set is made: `plan --orphans --out FILE`";
                return Err(Failure::Usage(message.to_owned()));
            }
            saved(&path, cloud, invocation).await
        }
        given => from_plan_file(given, cloud, yes, orphans, invocation).await,
    }
}

async fn from_plan_file(
    given: Option<PathBuf>,
    cloud: CloudId,
    yes: bool,
    orphans: bool,
    invocation: Invocation<'_>,
) -> CommandResult {
    let path = plan_file_path(given, cloud)?;
    let checked = check(&path, cloud)?;
    approval::can_ask(yes)?;
    let (intent, view) = (checked.intent(Purpose::Apply, orphans), invocation.view);
    let session = Session::open(&[&checked], invocation.global, view)?;
    let question = (!yes).then_some("Apply these changes?");
    let look = approval::approved(&checked, &session, &intent, question, view);
    let (provider, set) = invocation.signals.unless_stopped(look).await?;
    execute(provider.as_ref(), &intent, &set, invocation).await
}

/// Execute exactly what was saved, or stop as stale.
async fn saved(path: &Path, cloud: CloudId, invocation: Invocation<'_>) -> CommandResult {
    let set = change_sets::read(path)?;
    if set.cloud != cloud.name() {
        let error = Error::new(ErrorKind::Stale, format!("this change set is for {}, not {cloud}", set.cloud));
        let command = format!("provision {} apply {}", set.cloud, quoted(path));
        return Err(error.with_hint(format!("`{command}` executes it")).into());
    }
    let checked = Checked::of_saved(&set).filter(|_| set.purpose == Purpose::Apply);
    let Some(checked) = checked else {
        return Err(stale(cloud, &format!("it was not made by `provision {cloud} plan`")).into());
    };
    if set.tool != env!("CARGO_PKG_VERSION") {
        let reason = format!("it was made by version {}, this is {}", set.tool, env!("CARGO_PKG_VERSION"));
        return Err(stale(cloud, &reason).into());
    }
    plan_file_unchanged(&set, cloud)?;
    let (intent, view) = (checked.intent(Purpose::Apply, set.with_orphans), invocation.view);
    let session = Session::open(&[&checked], invocation.global, view)?;
    let look = async {
        let provider = session.provisioner(&checked, view).await?;
        let now = checked.change_set(provider.as_ref(), &intent, view).await?;
        is_for(&set, &now.identity, cloud)?;
        if let Some(error) = now.unreadable.first() {
            return Err(error.0.clone().into());
        }
        if set.has_changes() && !now.has_changes() {
            return Err(Error::new(ErrorKind::Stale, "this change set was applied already").into());
        }
        engine::unchanged(&set, &now, "since this change set was saved")?;
        Ok(provider)
    };
    let provider = invocation.signals.unless_stopped(look).await?;
    view.change_set(&set);
    execute(provider.as_ref(), &intent, &set, invocation).await
}

/// A set is for one account and region.
fn is_for(set: &ChangeSet, here: &Identity, cloud: CloudId) -> Result<(), Error> {
    let then = &set.identity;
    if (&then.account, &then.region, &then.endpoints) == (&here.account, &here.region, &here.endpoints) {
        return Ok(());
    }
    let place = |identity: &Identity| {
        let place = format!("{} {} in {}", view::words::nouns(&set.cloud).0, identity.account, identity.region);
        if identity.endpoints.is_empty() { place } else { format!("{place} ({})", identity.endpoints.join(", ")) }
    };
    Err(stale(cloud, &format!("it is for {}, and this is {}", place(then), place(here))))
}

fn stale(cloud: CloudId, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, "the change set cannot be used").with_message(reason);
    error.with_hint(format!("make a new one with `provision {cloud} plan --out FILE`"))
}

/// Where the plan file is at hand, it must still say the same.
fn plan_file_unchanged(set: &ChangeSet, cloud: CloudId) -> Result<(), Failure> {
    let path = Path::new(&set.plan_file.name);
    if !path.exists() {
        return Ok(());
    }
    let now = check(path, cloud)?;
    if now.source.digest == set.plan_file.digest {
        return Ok(());
    }
    Err(stale(cloud, &format!("plan file `{}` says something else now", set.plan_file.name)).into())
}

async fn execute(
    provider: &dyn Provisioner,
    intent: &Intent,
    set: &ChangeSet,
    Invocation { global, signals, view }: Invocation<'_>,
) -> CommandResult {
    let (begun, mut done) = (Instant::now(), Vec::new());
    let again = summary::resume_command("apply", set, global);
    if set.has_changes() {
        signals.begin_writing();
        let outcome = engine::apply(provider, set, &signals.cancellation, view).await;
        if !outcome.is_complete() {
            view.ended(&summary::incomplete(&outcome, set, begun.elapsed(), again));
            return Ok(summary::exit(&outcome, signals));
        }
        tokio::select! {
            visible = engine::wait_until_visible(provider, intent, set, view) => visible?,
            () = signals.cancellation.drain.cancelled() => {
                view.ended(&summary::incomplete(&outcome, set, begun.elapsed(), again));
                return Ok(signals.exit().unwrap_or(Exit::Done));
            }
        }
        done = outcome.done;
    }
    let (outputs, next_steps) = (provider.outputs(), provider.next_steps());
    view.ended(&summary::complete(set, begun.elapsed(), done, outputs, next_steps));
    Ok(Exit::Done)
}
