//! `provision <cloud> plan`: show what apply would do.

use std::path::PathBuf;

use provision_core::change_set::Purpose;

use crate::arguments::{Global, quoted};
use crate::change_sets;
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{can_write, check, plan_file_path};
use crate::session::Session;
use crate::summary;
use crate::view::{self, View};

/// What to plan, and what to do with it.
pub(crate) struct Wanted {
    pub(crate) out: Option<PathBuf>,
    pub(crate) detailed_exitcode: bool,
    pub(crate) orphans: bool,
    /// A destroy instead of an apply.
    pub(crate) destroy: bool,
    pub(crate) delete_data: Option<String>,
}

pub(crate) async fn run(
    plan_file: Option<PathBuf>,
    cloud: CloudId,
    wanted: Wanted,
    global: &Global,
    view: &dyn View,
) -> CommandResult {
    let Wanted { out, detailed_exitcode, orphans, destroy, delete_data } = wanted;
    let path = plan_file_path(plan_file, cloud)?;
    let checked = check(&path, cloud)?;
    can_write(out.as_deref(), &path)?;
    let (purpose, command) = match destroy {
        true => (checked.destroying(delete_data)?, "destroy"),
        false => (Purpose::Apply, "apply"),
    };
    let session = Session::open(&[&checked], global, view)?;
    let observer = session.observer(&checked, view).await?;
    let set = checked.change_set(observer.as_ref(), &checked.intent(purpose, orphans), view).await?;
    let blockers = set.blockers();
    // What is saved has a command of its own.
    let next = out.is_none().then(|| summary::resume_command(command, &set, global));
    view.plan(&set, &blockers, next.as_deref());
    if !blockers.is_empty() {
        if let Some(out) = &out {
            view::diagnostic(&format!("{} was not saved: what is refused or unknown is never executed\n", quoted(out)));
        }
        return Err(Failure::Shown(Exit::of_all(&blockers), blockers));
    }
    if let Some(out) = out {
        change_sets::save(&set, &out)?;
        let (file, flag) = (quoted(&out), global.sandbox_flag());
        view::diagnostic(&format!("saved to {file}; `provision {cloud} {command} {file}{flag}` executes it\n"));
    }
    Ok(if detailed_exitcode && set.has_changes() { Exit::Changes } else { Exit::Done })
}
