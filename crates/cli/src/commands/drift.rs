//! `provision drift`, of one section or of all: find out whether somebody changed the cloud.

use std::path::{Path, PathBuf};

use futures::stream::{self, StreamExt as _};
use provision_core::Error;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::plan_file::PlanFileError;

use crate::arguments::DriftArguments;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, Scope};
use crate::reports::Reporting;
use crate::session::{Invocation, Session};
use crate::view::report::look::Look;

/// Deployments that are looked at at the same time: enough to hide the waiting, few enough for a service's limits.
const DEPLOYMENTS_AT_ONCE: usize = 16;

pub(crate) async fn run(asked: DriftArguments, scope: Scope, invocation: Invocation<'_>) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let reporting = Reporting { format: asked.format, files: asked.report };
    let default = || scope.plan_file_path(None).map(|path| vec![path]);
    let paths = if asked.plan_files.is_empty() { default() } else { Ok(asked.plan_files) };
    let others: Vec<&Path> = paths.iter().flatten().map(PathBuf::as_path).collect();
    reporting.can_write(&others)?;
    let looked = match paths {
        Ok(paths) => look_at_each(&paths, scope, invocation).await,
        Err(error) => Err(error.into()),
    };
    let (sets, errors, is_broken) = looked.map_err(|failure| reporting.tell_failure(failure, global))?;
    reporting.tell(&Look::Drift(&sets, &errors), global, || view.drift(&sets, &errors))?;
    // What cannot be read, or is not ours, is unknown: never in sync.
    let blockers: Vec<_> = errors.into_iter().chain(sets.iter().flat_map(ChangeSet::unknowns)).collect();
    if !blockers.is_empty() {
        let of_looks = || if is_broken { Exit::Usage } else { Exit::of_all(&blockers) };
        let exit = signals.ended().unwrap_or_else(of_looks);
        return Err(Failure::Shown(exit, blockers));
    }
    Ok(if sets.iter().any(drifted) { Exit::Changes } else { Exit::Done })
}

/// What was found of each deployment, why others could not be looked at, and whether a plan file is a reason. One that is broken
/// keeps none of the others from being looked at.
async fn look_at_each(
    paths: &[PathBuf],
    scope: Scope,
    invocation: Invocation<'_>,
) -> Result<(Vec<ChangeSet>, Vec<Error>, bool), Failure> {
    let Invocation { global, view, .. } = invocation;
    let (checked, broken) = check_each(paths, scope);
    if checked.is_empty() {
        return Err(Failure::PlanFiles(broken));
    }
    let is_broken = !broken.is_empty();
    let session = Session::open(&checked.iter().collect::<Vec<_>>(), global, view)?;
    let looks = checked.iter().map(|checked| look(checked, &session, invocation));
    let (sets, errors): (Vec<_>, Vec<_>) = stream::iter(looks)
        .buffered(DEPLOYMENTS_AT_ONCE)
        .map(|look| look.map_or_else(|error| (None, Some(error)), |set| (Some(set), None)))
        .unzip()
        .await;
    let errors = errors.into_iter().flatten().chain(Failure::PlanFiles(broken).errors());
    Ok((sets.into_iter().flatten().collect(), errors.collect(), is_broken))
}

/// The sections of every plan file, and the files that have problems.
fn check_each(paths: &[PathBuf], scope: Scope) -> (Vec<Checked>, Vec<PlanFileError>) {
    let (mut checked, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match scope.check(path) {
            Ok(sections) => checked.extend(sections),
            Err(error) => errors.push(error),
        }
    }
    (checked, errors)
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
