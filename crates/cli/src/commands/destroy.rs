//! `provision <cloud> destroy`: delete what we created, release what we adopted, or execute a saved change set that does.

use provision_core::change_set::ChangeSet;
use provision_core::provider::Provisioner;

use crate::arguments::DestroyArguments;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{check, plan_file_path};
use crate::providers::ProviderId;
use crate::session::{Invocation, Session};
use crate::{approval, change_sets, execution, saved};

pub(crate) async fn run(asked: DestroyArguments, cloud: ProviderId, invocation: Invocation<'_>) -> CommandResult {
    if let Some(path) = asked.plan_file.as_deref().filter(|path| change_sets::is_one(path)) {
        if asked.orphans || asked.delete_data.is_some() {
            let message =
                "`--orphans` and `--delete-data` are said when a change set is made: `plan --destroy --out FILE`";
            return Err(Failure::Usage(message.to_owned()));
        }
        let saved = saved::look(path, cloud, "destroy", invocation).await?;
        return Ok(to_the_end(saved.provider.as_ref(), &saved.set, invocation).await);
    }
    let path = plan_file_path(asked.plan_file, cloud)?;
    let checked = check(&path, cloud)?;
    approval::can_ask(asked.yes)?;
    let intent = checked.intent(checked.destroying(asked.delete_data)?, asked.orphans);
    let session = Session::open(&[&checked], invocation.global, invocation.view)?;
    let question = (!asked.yes).then_some("Destroy this deployment?");
    let look = approval::approved(&checked, &session, &intent, question, invocation.view);
    let (provider, set) = invocation.signals.unless_stopped(look).await?;
    Ok(to_the_end(provider.as_ref(), &set, invocation).await)
}

async fn to_the_end(provider: &dyn Provisioner, set: &ChangeSet, invocation: Invocation<'_>) -> Exit {
    let (end, exit) = execution::destroyed(provider, set, invocation).await;
    invocation.view.ended(&[end]);
    exit
}
