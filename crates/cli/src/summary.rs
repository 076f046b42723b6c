//! How a run ended, and the command that goes on.

use std::time::Duration;

use provision_core::change_set::ChangeSet;
use provision_core::executor::Outcome;
use provision_core::output::Output;
use provision_core::{Error, ErrorKind};

use crate::arguments::{Global, Keeping, quoted};
use crate::exit::Exit;
use crate::plan_files::Checked;
use crate::signals::Signals;
use crate::view::End;

/// The command that goes on where a run ended, with the flags that it needs.
pub(crate) fn resume_command(command: &str, set: &ChangeSet, global: &Global) -> String {
    let mut text = format!("provision {} {command} {}", set.cloud, quoted(&set.plan_file.name));
    if let Some(name) = set.delete_data() {
        text += &format!(" --delete-data {name}");
    }
    if set.with_orphans {
        text += " --orphans";
    }
    if command == "apply" {
        text += &keeping_flag(set);
    }
    text + &global.sandbox_flag()
}

/// The same for all sections of a plan file, with the place that was asked for.
pub(crate) fn resume_all(command: &str, sets: &[&ChangeSet], keeping: &Keeping, global: &Global) -> String {
    let file = sets.first().map(|set| quoted(&set.plan_file.name)).unwrap_or_default();
    let mut text = format!("provision {command} {file}");
    if command == "destroy" {
        text += " --all";
    }
    if let Some(name) = sets.iter().find_map(|set| set.delete_data()) {
        text += &format!(" --delete-data {name}");
    }
    if sets.iter().any(|set| set.with_orphans) {
        text += " --orphans";
    }
    match &keeping.out {
        Some(out) => text += &format!(" --out {}", quoted(out)),
        None if keeping.reveal => text += " --reveal",
        None => {}
    }
    text + &global.sandbox_flag()
}

/// ` --out FILE` where the apply makes what a service gives once.
pub(crate) fn keeping_flag(set: &ChangeSet) -> String {
    let gives = Checked::of_saved(set).is_some_and(|checked| !checked.settings.given_once().is_empty());
    if gives { format!(" --out {}.env", set.cloud) } else { String::new() }
}

/// The end of a run that did all of it.
pub(crate) fn complete(
    set: &ChangeSet,
    elapsed: Duration,
    done: Vec<String>,
    outputs: Vec<Output>,
    next_steps: Option<String>,
) -> End<'_> {
    let (failed, not_done, errors, again) = (Vec::new(), Vec::new(), Vec::new(), String::new());
    End { set, elapsed, done, failed, not_done, errors, complete: true, stopped: false, outputs, next_steps, again }
}

/// The end of a run that is not complete.
pub(crate) fn incomplete<'a>(outcome: &Outcome, set: &'a ChangeSet, elapsed: Duration, again: String) -> End<'a> {
    End {
        set,
        elapsed,
        done: outcome.done.clone(),
        failed: outcome.failed.clone(),
        not_done: outcome.remaining.clone(),
        errors: outcome.errors.iter().map(|error| set.located(error)).collect(),
        complete: false,
        stopped: outcome.stopped,
        outputs: Vec::new(),
        next_steps: None,
        again: if outcome.errors.iter().any(Error::asks_to_look_first) { String::new() } else { again },
    }
}

/// The end of a run that wrote everything, of which the cloud does not show all.
pub(crate) fn unseen<'a>(
    outcome: &Outcome,
    error: &Error,
    set: &'a ChangeSet,
    elapsed: Duration,
    again: String,
) -> End<'a> {
    End { errors: vec![set.located(error)], ..incomplete(outcome, set, elapsed, again) }
}

/// The exit code of a run that is not complete.
pub(crate) fn exit(outcome: &Outcome, signals: &Signals) -> Exit {
    let stale = outcome.errors.iter().any(|error| error.kind() == ErrorKind::Stale);
    match signals.exit() {
        Some(exit) => exit,
        None if stale => Exit::Stale,
        None if !outcome.done.is_empty() => Exit::Partial,
        None => Exit::of_all(&outcome.errors),
    }
}
