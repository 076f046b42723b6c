//! `provision <cloud> destroy`: delete what we created, release what we adopted.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use provision_core::change_set::Purpose;
use provision_core::engine;

use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{check, plan_file_path};
use crate::session::{Invocation, Session};
use crate::{approval, summary};

pub(crate) async fn run(
    given: Option<PathBuf>,
    cloud: CloudId,
    yes: bool,
    delete_data: Option<String>,
    orphans: bool,
    Invocation { global, signals, view }: Invocation<'_>,
) -> CommandResult {
    let path = plan_file_path(given, cloud)?;
    let checked = check(&path, cloud)?;
    approval::can_ask(yes)?;
    let bucket = checked.settings.data_resource_name();
    if let Some(named) = delete_data.as_deref().filter(|named| *named != bucket) {
        return Err(Failure::Usage(format!(
            "`--delete-data {named}` names another bucket than the plan file's, `{bucket}`"
        )));
    }
    let intent = checked.intent(Purpose::Destroy { delete_data }, orphans);
    let session = Session::open(&[&checked], global, view)?;
    let question = (!yes).then_some("Destroy this deployment?");
    let look = approval::approved(&checked, &session, &intent, question, view);
    let (provider, set) = signals.unless_stopped(look).await?;
    if !set.has_changes() {
        view.ended(&summary::complete(&set, Duration::ZERO, Vec::new(), Vec::new(), None));
        return Ok(Exit::Done);
    }
    signals.begin_writing();
    let begun = Instant::now();
    let outcome = engine::apply(provider.as_ref(), &set, &signals.cancellation, view).await;
    if !outcome.is_complete() {
        let again = summary::resume_command("destroy", &set, global);
        view.ended(&summary::incomplete(&outcome, &set, begun.elapsed(), again));
        return Ok(summary::exit(&outcome, signals));
    }
    view.ended(&summary::complete(&set, begun.elapsed(), outcome.done, Vec::new(), None));
    Ok(Exit::Done)
}
