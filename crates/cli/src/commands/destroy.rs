//! `provision <cloud> destroy`: delete what we created, release what we adopted, or execute a saved change set that does.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use provision_core::change_set::ChangeSet;
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
    delete_data: Option<String>,
    orphans: bool,
    invocation: Invocation<'_>,
) -> CommandResult {
    if let Some(path) = given.as_deref().filter(|path| change_sets::is_one(path)) {
        if orphans || delete_data.is_some() {
            let message =
                "`--orphans` and `--delete-data` are said when a change set is made: `plan --destroy --out FILE`";
            return Err(Failure::Usage(message.to_owned()));
        }
        let saved = saved::look(path, cloud, "destroy", invocation).await?;
        return Ok(execute(saved.provider.as_ref(), &saved.set, invocation).await);
    }
    let path = plan_file_path(given, cloud)?;
    let checked = check(&path, cloud)?;
    approval::can_ask(yes)?;
    let intent = checked.intent(checked.destroying(delete_data)?, orphans);
    let session = Session::open(&[&checked], invocation.global, invocation.view)?;
    let question = (!yes).then_some("Destroy this deployment?");
    let look = approval::approved(&checked, &session, &intent, question, invocation.view);
    let (provider, set) = invocation.signals.unless_stopped(look).await?;
    Ok(execute(provider.as_ref(), &set, invocation).await)
}

async fn execute(
    provider: &dyn Provisioner,
    set: &ChangeSet,
    Invocation { global, signals, view }: Invocation<'_>,
) -> Exit {
    if !set.has_changes() {
        view.ended(&summary::complete(set, Duration::ZERO, Vec::new(), Vec::new(), None));
        return Exit::Done;
    }
    signals.begin_writing();
    let begun = Instant::now();
    let outcome = engine::apply(provider, set, &signals.cancellation, view).await;
    if !outcome.is_complete() {
        let again = summary::resume_command("destroy", set, global);
        view.ended(&summary::incomplete(&outcome, set, begun.elapsed(), again));
        return summary::exit(&outcome, signals);
    }
    view.ended(&summary::complete(set, begun.elapsed(), outcome.done, Vec::new(), None));
    Exit::Done
}
