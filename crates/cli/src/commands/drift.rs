//! `provision <cloud> drift`: find out whether somebody changed the cloud.

use std::path::PathBuf;

use futures::stream::{self, StreamExt as _};
use provision_core::Error;
use provision_core::change_set::{ChangeSet, Purpose};

use crate::arguments::ReportFormat;
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, check, plan_file_path};
use crate::session::{Invocation, Session};

/// Deployments that are looked at at the same time: enough to hide the waiting, few enough for a service's limits.
const DEPLOYMENTS_AT_ONCE: usize = 16;

pub(crate) async fn run(
    plan_files: Vec<PathBuf>,
    cloud: CloudId,
    format: ReportFormat,
    invocation: Invocation<'_>,
) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let paths = if plan_files.is_empty() { vec![plan_file_path(None, cloud)?] } else { plan_files };
    let checked = check_each(&paths, cloud)?;
    let session = Session::open(&checked.iter().collect::<Vec<_>>(), global, view)?;
    let looks = checked.iter().map(|checked| look(checked, &session, invocation));
    let (sets, errors): (Vec<_>, Vec<_>) = stream::iter(looks)
        .buffered(DEPLOYMENTS_AT_ONCE)
        .map(|look| look.map_or_else(|error| (None, Some(error)), |set| (Some(set), None)))
        .unzip()
        .await;
    let sets: Vec<ChangeSet> = sets.into_iter().flatten().collect();
    let errors: Vec<Error> = errors.into_iter().flatten().collect();
    view.drift(&sets, &errors, format);
    // What cannot be read, or is not ours, is unknown: never in sync.
    let blockers: Vec<_> = errors.into_iter().chain(sets.iter().flat_map(ChangeSet::unknowns)).collect();
    if !blockers.is_empty() {
        let exit = signals.ended().unwrap_or_else(|| Exit::of_all(&blockers));
        return Err(Failure::Shown(exit, blockers));
    }
    Ok(if sets.iter().any(drifted) { Exit::Changes } else { Exit::Done })
}

/// Every plan file's problems, not only the first one's.
fn check_each(paths: &[PathBuf], cloud: CloudId) -> Result<Vec<Checked>, Failure> {
    let (mut checked, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match check(path, cloud) {
            Ok(file) => checked.push(file),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(checked) } else { Err(Failure::PlanFiles(errors)) }
}

async fn look(checked: &Checked, session: &Session, invocation: Invocation<'_>) -> Result<ChangeSet, Error> {
    let Invocation { signals, view, .. } = invocation;
    let observed = signals.one_unless_stopped(async {
        let observer = session.observer(checked, view).await?;
        checked.change_set(observer.as_ref(), &checked.intent(Purpose::Apply, false), view).await
    });
    observed.await.map_err(|error| error.with_plan_file(&checked.source.name))
}

fn drifted(set: &ChangeSet) -> bool {
    set.has_drift() || set.nothing_exists()
}
