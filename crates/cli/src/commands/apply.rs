//! `provision <cloud> apply`: make the cloud what the plan file says, or execute a saved change set.

use std::path::PathBuf;
use std::time::Instant;

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::engine;
use provision_core::provider::Provisioner;

use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{check, plan_file_path};
use crate::session::{Invocation, Session};
use crate::{approval, change_sets, saved, summary};

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
            let saved = saved::look(&path, cloud, "apply", invocation).await?;
            execute(saved.provider.as_ref(), &saved.intent, &saved.set, invocation).await
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
            visible = engine::wait_until_visible(provider, intent, set, view) => if let Err(error) = visible {
                view.ended(&summary::unseen(&outcome, &error, set, begun.elapsed(), again));
                return Ok(Exit::of(&error));
            },
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
