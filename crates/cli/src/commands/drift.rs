//! `provision drift`, of one section or of all: find out whether somebody changed the cloud.

use std::path::PathBuf;

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
    let read = fleet::read_by(&asked.of, scope);
    reporting.can_write(&read.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let look = async |checked: &Checked, session: &Session, events: &dyn EventSink| {
        let observer = session.observer(checked, events).await?;
        checked.change_set(observer.as_ref(), &checked.intent(Purpose::Apply, false), events).await
    };
    let looked = fleet::look_at_each(&asked.of, scope, invocation, look).await;
    let looked = looked.map_err(|failure| reporting.tell_failure(failure, invocation.global))?;
    let exit = reporting.tell_drift(looked, invocation.global, invocation.view);
    exit.map_err(|failure| failure.ended_by(invocation.signals.ended()))
}
