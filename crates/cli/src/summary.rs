//! How an incomplete run ended, and the command that goes on.

use provision_core::ErrorKind;
use provision_core::change_set::ChangeSet;
use provision_core::executor::Outcome;

use crate::arguments::{Global, quoted};
use crate::exit::Exit;
use crate::signals::Signals;
use crate::view::{self, error};

/// The command that goes on where a run ended, with the flags that it needs.
pub(crate) fn resume_command(command: &str, set: &ChangeSet, global: &Global) -> String {
    let mut text = format!("provision {} {command} {}", set.cloud, quoted(&set.plan_file.name));
    if let Some(name) = set.delete_data() {
        text += &format!(" --delete-data {name}");
    }
    if set.with_orphans {
        text += " --orphans";
    }
    text + &global.sandbox_flag()
}

/// Say how an incomplete run ended, and give its exit code.
pub(crate) fn incomplete(outcome: &Outcome, signals: &Signals, set: &ChangeSet, command: &str) -> Exit {
    let failed: Vec<_> = outcome.failed.iter().map(|error| set.located(error)).collect();
    let mut text = error::texts(&failed);
    let list = |title: &str, items: &[String]| match items {
        [] => String::new(),
        items => format!("{title}:\n{}", items.iter().map(|item| format!("  {item}\n")).collect::<String>()),
    };
    text += &list("\ndone", &outcome.done);
    text += &list("\nnot done", &outcome.remaining);
    text += &format!("\nrun `{command}` again: it goes on where this run ended\n");
    view::diagnostic(&text);
    let stale = outcome.failed.iter().any(|error| error.kind() == ErrorKind::Stale);
    match signals.exit() {
        Some(exit) => exit,
        None if stale => Exit::Stale,
        None if !outcome.done.is_empty() => Exit::Partial,
        None => Exit::of_all(&outcome.failed),
    }
}
