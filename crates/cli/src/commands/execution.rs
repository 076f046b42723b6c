//! What apply and destroy share: asking, executing, confirming, saying how it ended.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;

use provision_core::assess::Intent;
use provision_core::change_set::ChangeSet;
use provision_core::context::Stop;
use provision_core::event::EventSink;
use provision_core::executor::Outcome;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, engine};

use crate::arguments::Global;
use crate::commands::{Ended, Failure};
use crate::exit::Exit;
use crate::session::Checked;
use crate::signals::{self, Reason};
use crate::view;

/// The consumer of events that the flags ask for.
fn events(global: &Global) -> Arc<dyn EventSink> {
    match (global.json, global.quiet) {
        (true, _) => Arc::new(view::progress::Json),
        (_, false) if std::io::stderr().is_terminal() => Arc::new(view::progress::Rows::default()),
        (_, quiet) => Arc::new(view::progress::Lines { quiet }),
    }
}

/// Without a terminal nobody can answer: say so before anything is sent.
pub(crate) fn can_ask(yes: bool, command: &str) -> Result<(), Failure> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(format!("there is no terminal to ask on: add `--yes` to {command} without asking")))
}

/// Ask for `yes`, and look again: however quick the answer was, somebody else may have been quicker.
pub(crate) async fn confirm(
    checked: &Checked,
    provider: &dyn Provisioner,
    intent: &Intent,
    set: &ChangeSet,
    question: &str,
) -> Result<(), Failure> {
    view::diagnostic(&format!("{question} Type `yes` to go on: "));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
    if answer.trim() != "yes" {
        return Err(Error::new(ErrorKind::Refused, "not confirmed; nothing was changed").into());
    }
    let now = checked.change_set(provider, intent).await?;
    Ok(engine::unchanged(set, &now, "while you were asked")?)
}

/// A run that can be stopped, from its first write until what it wrote is seen.
pub(crate) struct Run {
    stop: Stop,
    events: Arc<dyn EventSink>,
    pub(crate) reason: Reason,
}

impl Run {
    /// Begin to listen to signals and to the time limit.
    pub(crate) fn begin(global: &Global) -> Self {
        let (stop, events) = (Stop::default(), events(global));
        let reason = signals::watch(&stop, global.timeout, Arc::clone(&events));
        Self { stop, events, reason }
    }

    /// Execute a set, from the first write to the end of the last.
    pub(crate) async fn execute(&self, provider: &dyn Provisioner, set: &ChangeSet) -> Outcome {
        engine::apply(provider, set, &self.stop, self.events.as_ref()).await
    }
}

/// Observe what was written until it is seen; whatever is still different then is an error. Gives the exit code of what
/// stopped the run, if anything did.
pub(crate) async fn seen(
    provider: &dyn Provisioner,
    intent: &Intent,
    executed: &ChangeSet,
    run: &Run,
) -> Result<Option<Exit>, Failure> {
    tokio::select! {
        seen = engine::confirm(provider, intent, executed, run.events.as_ref()) => Ok(seen.map(|()| None)?),
        () = run.stop.gently.cancelled() => {
            view::diagnostic("everything is written; what the cloud shows of it was not waited for\n");
            Ok(run.reason.exit())
        }
    }
}

/// The command that goes on where a run ended, with the flags that it needs.
pub(crate) fn again(command: &str, set: &ChangeSet, global: &Global) -> String {
    let mut text = format!("provision {} {command} {}", set.cloud, set.plan_file.name);
    if let Some(name) = set.delete_data() {
        text += &format!(" --delete-data {name}");
    }
    if set.with_orphans {
        text += " --orphans";
    }
    text + &sandbox_flag(global)
}

/// ` --sandbox` where the run is one: without it the same command is meant for the real cloud.
pub(crate) fn sandbox_flag(global: &Global) -> String {
    global.sandbox.as_ref().map(|folder| format!(" --sandbox={}", folder.display())).unwrap_or_default()
}

/// Say how an incomplete run ended, and give its exit code.
pub(crate) fn incomplete(outcome: &Outcome, reason: &Reason, set: &ChangeSet, command: &str) -> Ended {
    let failed: Vec<_> = outcome.failed.iter().map(|error| set.located(error)).collect();
    let mut text = view::error::texts(&failed);
    let list = |title: &str, items: &[String]| match items {
        [] => String::new(),
        items => format!("{title}:\n{}", items.iter().map(|item| format!("  {item}\n")).collect::<String>()),
    };
    text += &list("\ndone", &outcome.done);
    text += &list("\nnot done", &outcome.remaining);
    text += &format!("\nrun `{command}` again: it goes on where this run ended\n");
    view::diagnostic(&text);
    let stale = outcome.failed.iter().any(|error| error.kind() == ErrorKind::Stale);
    Ok(match reason.exit() {
        Some(exit) => exit,
        None if stale => Exit::Stale,
        None if !outcome.done.is_empty() => Exit::Partial,
        None => Exit::of_all(&outcome.failed),
    })
}
