//! `provision drift`, of one section or of all: find out whether somebody changed the cloud.

use std::path::{Path, PathBuf};

use provision_core::change_set::Purpose;
use provision_core::event::EventSink;

use crate::arguments::DriftArguments;
use crate::exit::CommandResult;
use crate::fleet;
use crate::plan_files::{Checked, Scope};
use crate::reports::Reporting;
use crate::session::{Invocation, Session};

pub(crate) async fn run(asked: DriftArguments, scope: Scope, invocation: Invocation<'_>) -> CommandResult {
    let reporting = Reporting { format: asked.format, files: asked.report };
    let default = if asked.of.plan_files.is_empty() { scope.plan_file_path(None).ok() } else { None };
    let others: Vec<&Path> = asked.of.plan_files.iter().chain(&default).map(PathBuf::as_path).collect();
    reporting.can_write(&others)?;
    let look = async |checked: &Checked, session: &Session, events: &dyn EventSink| {
        let observer = session.observer(checked, events).await?;
        checked.change_set(observer.as_ref(), &checked.intent(Purpose::Apply, false), events).await
    };
    let looked = fleet::look_at_each(&asked.of, scope, invocation, look).await;
    let looked = looked.map_err(|failure| reporting.tell_failure(failure, invocation.global))?;
    let exit = reporting.tell_drift(looked, invocation.global, invocation.view);
    exit.map_err(|failure| failure.ended_by(invocation.signals.ended()))
}
