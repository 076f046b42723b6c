//! `provision <cloud> plan`: show what apply would do.

use std::path::Path;

use provision_core::change_set::{ChangeSet, Purpose};

use crate::arguments::{Global, PlanArguments, quoted};
use crate::change_sets;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{can_write, check, plan_file_path};
use crate::providers::ProviderId;
use crate::reports::Reporting;
use crate::session::{Invocation, Session};
use crate::summary;
use crate::view::report::look::Look;
use crate::view::{self, View};

pub(crate) async fn run(
    asked: PlanArguments,
    cloud: ProviderId,
    Invocation { global, signals, view }: Invocation<'_>,
) -> CommandResult {
    let path = plan_file_path(asked.plan_file.clone(), cloud);
    let others: Vec<&Path> = path.as_deref().into_iter().chain(asked.out.as_deref()).collect();
    let reporting = Reporting::from(asked.reporting.clone());
    reporting.can_write(&others)?;
    let looked = match path {
        Ok(path) => signals.unless_stopped(look(&path, cloud, &asked, global, view)).await,
        Err(error) => Err(error.into()),
    };
    let set = looked.map_err(|failure| reporting.tell_failure(failure, global))?;
    let blockers = set.blockers();
    let command = if asked.destroy { "destroy" } else { "apply" };
    // What is saved has a command of its own.
    let next = asked.out.is_none().then(|| summary::resume_command(command, &set, global));
    reporting.tell(&Look::Plan(&set), global, || view.plan(&set, &blockers, next.as_deref()))?;
    if !blockers.is_empty() {
        if let Some(out) = &asked.out {
            view::diagnostic(&format!("{} was not saved: what is refused or unknown is never executed\n", quoted(out)));
        }
        return Err(Failure::Shown(Exit::of_all(&blockers), blockers));
    }
    if let Some(out) = &asked.out {
        change_sets::save(&set, out)?;
        let keeping = if asked.destroy { String::new() } else { summary::keeping_flag(&set) };
        let (file, flags) = (quoted(out), keeping + &global.sandbox_flag());
        view::diagnostic(&format!("saved to {file}; `provision {cloud} {command} {file}{flags}` executes it\n"));
    }
    Ok(if asked.detailed_exitcode && set.has_changes() { Exit::Changes } else { Exit::Done })
}

async fn look(
    path: &Path,
    cloud: ProviderId,
    asked: &PlanArguments,
    global: &Global,
    view: &dyn View,
) -> Result<ChangeSet, Failure> {
    let checked = check(path, cloud)?;
    can_write(asked.out.as_deref(), path)?;
    let purpose = match asked.destroy {
        true => checked.destroying(asked.delete_data.clone())?,
        false => Purpose::Apply,
    };
    let session = Session::open(&[&checked], global, view)?;
    let observer = session.observer(&checked, view).await?;
    Ok(checked.planned(observer.as_ref(), &checked.intent(purpose, asked.orphans), view).await?)
}
