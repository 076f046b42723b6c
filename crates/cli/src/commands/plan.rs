//! `provision <cloud> plan`: show what apply would do.

use std::path::{Path, PathBuf};

use provision_core::change_set::{ChangeSet, Purpose};

use crate::arguments::{Global, quoted};
use crate::change_sets;
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{can_write, check, plan_file_path};
use crate::reports::Reporting;
use crate::session::{Invocation, Session};
use crate::summary;
use crate::view::report::look::Look;
use crate::view::{self, View};

/// What to plan, and what to do with it.
pub(crate) struct Wanted {
    pub(crate) out: Option<PathBuf>,
    pub(crate) detailed_exitcode: bool,
    pub(crate) orphans: bool,
    /// A destroy instead of an apply.
    pub(crate) destroy: bool,
    pub(crate) delete_data: Option<String>,
    pub(crate) reporting: Reporting,
}

pub(crate) async fn run(
    plan_file: Option<PathBuf>,
    cloud: CloudId,
    wanted: Wanted,
    Invocation { global, signals, view }: Invocation<'_>,
) -> CommandResult {
    let path = plan_file_path(plan_file, cloud);
    let others: Vec<&Path> = path.as_deref().into_iter().chain(wanted.out.as_deref()).collect();
    wanted.reporting.can_write(&others)?;
    let looked = match path {
        Ok(path) => signals.unless_stopped(look(&path, cloud, &wanted, global, view)).await,
        Err(error) => Err(error.into()),
    };
    let set = looked.map_err(|failure| wanted.reporting.tell_failure(failure, global))?;
    let blockers = set.blockers();
    let command = if wanted.destroy { "destroy" } else { "apply" };
    // What is saved has a command of its own.
    let next = wanted.out.is_none().then(|| summary::resume_command(command, &set, global));
    wanted.reporting.tell(&Look::Plan(&set), global, || view.plan(&set, &blockers, next.as_deref()))?;
    if !blockers.is_empty() {
        if let Some(out) = &wanted.out {
            view::diagnostic(&format!("{} was not saved: what is refused or unknown is never executed\n", quoted(out)));
        }
        return Err(Failure::Shown(Exit::of_all(&blockers), blockers));
    }
    if let Some(out) = &wanted.out {
        change_sets::save(&set, out)?;
        let (file, flag) = (quoted(out), global.sandbox_flag());
        view::diagnostic(&format!("saved to {file}; `provision {cloud} {command} {file}{flag}` executes it\n"));
    }
    Ok(if wanted.detailed_exitcode && set.has_changes() { Exit::Changes } else { Exit::Done })
}

async fn look(
    path: &Path,
    cloud: CloudId,
    wanted: &Wanted,
    global: &Global,
    view: &dyn View,
) -> Result<ChangeSet, Failure> {
    let checked = check(path, cloud)?;
    can_write(wanted.out.as_deref(), path)?;
    let purpose = match wanted.destroy {
        true => checked.destroying(wanted.delete_data.clone())?,
        false => Purpose::Apply,
    };
    let session = Session::open(&[&checked], global, view)?;
    let observer = session.observer(&checked, view).await?;
    Ok(checked.planned(observer.as_ref(), &checked.intent(purpose, wanted.orphans), view).await?)
}
