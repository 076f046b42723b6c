//! `provision <cloud> apply`: make the cloud what the plan file says, or execute a saved change set.

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::provider::Provisioner;

use crate::arguments::{ApplyArguments, Keeping};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{check, plan_file_path};
use crate::providers::ProviderId;
use crate::session::{Invocation, Session};
use crate::{approval, change_sets, execution, keeper, saved};

pub(crate) async fn run(
    asked: ApplyArguments,
    keeping: Keeping,
    cloud: ProviderId,
    invocation: Invocation<'_>,
) -> CommandResult {
    match asked.plan_file {
        Some(path) if change_sets::is_one(&path) => {
            if asked.orphans {
                let message = "`--orphans` is said when a change set is made: `plan --orphans --out FILE`";
                return Err(Failure::Usage(message.to_owned()));
            }
            let saved = saved::look(&path, cloud, "apply", &keeping, invocation).await?;
            Ok(to_the_end(saved.provider.as_ref(), &saved.intent, &saved.set, invocation).await)
        }
        _ => from_plan_file(asked, &keeping, cloud, invocation).await,
    }
}

async fn from_plan_file(
    asked: ApplyArguments,
    keeping: &Keeping,
    cloud: ProviderId,
    invocation: Invocation<'_>,
) -> CommandResult {
    let path = plan_file_path(asked.plan_file, cloud)?;
    let checked = check(&path, cloud)?;
    keeper::asked_for(keeping, &[&checked], invocation.global)?;
    approval::can_ask(asked.yes)?;
    let (intent, view) = (checked.intent(Purpose::Apply, asked.orphans), invocation.view);
    let session = Session::open(&[&checked], invocation.global, view)?.keeping(keeper::of(keeping, &checked));
    let question = (!asked.yes).then_some("Apply these changes?");
    let look = approval::approved(&checked, &session, &intent, question, view);
    let (provider, set) = invocation.signals.unless_stopped(look).await?;
    Ok(to_the_end(provider.as_ref(), &intent, &set, invocation).await)
}

async fn to_the_end(provider: &dyn Provisioner, intent: &Intent, set: &ChangeSet, invocation: Invocation<'_>) -> Exit {
    let (end, exit) = execution::applied(provider, intent, set, invocation, invocation.view).await;
    invocation.view.ended(&[end]);
    exit
}
