//! `provision <cloud> apply`: make the cloud what the plan file says, or execute a saved change set.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::identity::Identity;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, engine};

use crate::arguments::Global;
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, check, plan_file_path};
use crate::session::Session;
use crate::signals::Signals;
use crate::view::{self, View};
use crate::{approval, change_sets, summary};

pub(crate) async fn run(
    given: Option<PathBuf>,
    cloud: CloudId,
    yes: bool,
    orphans: bool,
    global: &Global,
    view: &Arc<dyn View>,
) -> CommandResult {
    match given {
        Some(path) if path.extension().is_some_and(|extension| extension == "json") => {
            if orphans {
                let message = "`--orphans` is said when a change set is made: `plan --orphans --out FILE`";
                return Err(Failure::Usage(message.to_owned()));
            }
            saved(&path, cloud, global, view).await
        }
        given => from_plan_file(given, cloud, yes, orphans, global, view).await,
    }
}

async fn from_plan_file(
    given: Option<PathBuf>,
    cloud: CloudId,
    yes: bool,
    orphans: bool,
    global: &Global,
    view: &Arc<dyn View>,
) -> CommandResult {
    let path = plan_file_path(given, cloud);
    let checked = check(&path, cloud)?;
    approval::can_ask(yes, "apply")?;
    let intent = checked.intent(Purpose::Apply, orphans);
    let session = Session::open(&[&checked], global, view.as_ref())?;
    let provider = checked.settings.provisioner(&session.connection).await?;
    let set = checked.change_set(provider.as_ref(), &intent, view.as_ref()).await?;
    view.change_set(&set);
    let blockers = set.blockers();
    if !blockers.is_empty() {
        return Err(Failure::Errors(blockers));
    }
    if set.has_changes() && !yes {
        let question = "Apply these changes?";
        approval::confirm(&checked, provider.as_ref(), &intent, &set, question, view.as_ref()).await?;
    }
    execute(provider.as_ref(), &intent, &set, global, view).await
}

/// Execute exactly what was saved, or stop as stale.
async fn saved(path: &Path, cloud: CloudId, global: &Global, view: &Arc<dyn View>) -> CommandResult {
    let set = change_sets::read(path)?;
    let checked = Checked::of_saved(&set).filter(|saved| saved.cloud == cloud && set.purpose == Purpose::Apply);
    let Some(checked) = checked else {
        return Err(stale(cloud, &format!("it was not made by `provision {cloud} plan`")).into());
    };
    if set.tool != env!("CARGO_PKG_VERSION") {
        let reason = format!("it was made by version {}, this is {}", set.tool, env!("CARGO_PKG_VERSION"));
        return Err(stale(cloud, &reason).into());
    }
    plan_file_unchanged(&set, cloud)?;
    let intent = checked.intent(Purpose::Apply, set.with_orphans);
    let session = Session::open(&[&checked], global, view.as_ref())?;
    let provider = checked.settings.provisioner(&session.connection).await?;
    let now = checked.change_set(provider.as_ref(), &intent, view.as_ref()).await?;
    let (then, here) = (&set.identity, &now.identity);
    if (&then.account, &then.region, &then.endpoints) != (&here.account, &here.region, &here.endpoints) {
        let place = |identity: &Identity| {
            let place = format!("{} {} in {}", view::words::nouns(&set.cloud).0, identity.account, identity.region);
            if identity.endpoints.is_empty() { place } else { format!("{place} ({})", identity.endpoints.join(", ")) }
        };
        let reason = format!("it is for {}, and this is {}", place(then), place(here));
        return Err(stale(cloud, &reason).into());
    }
    if let Some(error) = now.unreadable.first() {
        return Err(error.0.clone().into());
    }
    engine::unchanged(&set, &now, "since this change set was saved")?;
    view.change_set(&set);
    execute(provider.as_ref(), &intent, &set, global, view).await
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
    global: &Global,
    view: &Arc<dyn View>,
) -> CommandResult {
    if set.has_changes() {
        let signals = Signals::listen(global.timeout, Arc::clone(view) as _);
        let outcome = engine::apply(provider, set, &signals.cancellation, view.as_ref()).await;
        if !outcome.is_complete() {
            return Ok(summary::incomplete(&outcome, &signals, set, &summary::resume_command("apply", set, global)));
        }
        tokio::select! {
            visible = engine::wait_until_visible(provider, intent, set, view.as_ref()) => visible?,
            () = signals.cancellation.drain.cancelled() => {
                view::diagnostic("everything is written; what the cloud shows of it was not waited for\n");
                return Ok(signals.exit().unwrap_or(Exit::Done));
            }
        }
    }
    view.applied(provider.cloud(), &provider.outputs(), provider.next_steps());
    Ok(Exit::Done)
}
