//! What apply and destroy share: asking, executing, confirming, saying how it ended.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use provision_core::assess::Intent;
use provision_core::change_set::{Action, ChangeSet};
use provision_core::context::Stop;
use provision_core::event::{Event, EventSink};
use provision_core::executor::{self, Outcome};
use provision_core::graph::graph;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, retry};
use tokio::time::{Instant, sleep};

use crate::arguments::Global;
use crate::commands::{Ended, Failure};
use crate::exit::Exit;
use crate::session::Checked;
use crate::signals::{self, Reason};
use crate::view;

/// How long written values may take to be seen: SQS attributes, the slowest, take up to 60 seconds.
const SETTLING: Duration = Duration::from_secs(75);

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
    unchanged(set, &now, "while you were asked")
}

/// Stop as stale if another look found something else.
pub(crate) fn unchanged(then: &ChangeSet, now: &ChangeSet, when: &str) -> Result<(), Failure> {
    match then.difference(now) {
        None => Ok(()),
        Some(difference) => {
            let error = Error::new(ErrorKind::Stale, format!("the cloud changed {when}")).message(difference);
            Err(error.hint(format!("nothing was written; look at it with `provision {} plan`", then.cloud)).into())
        }
    }
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
        let operations = graph(set, &provider.resources());
        executor::execute(provider, &operations, &self.stop, self.events.as_ref()).await
    }
}

/// Observe what was written until it is seen; whatever is still different then is an error. Gives the exit code of what
/// stopped the run, if anything did.
pub(crate) async fn seen(
    checked: &Checked,
    provider: &dyn Provisioner,
    intent: &Intent,
    executed: &ChangeSet,
    run: &Run,
) -> Result<Option<Exit>, Failure> {
    tokio::select! {
        seen = until_seen(checked, provider, intent, executed, run) => seen.map(|()| None),
        () = run.stop.gently.cancelled() => {
            view::diagnostic("everything is written; what the cloud shows of it was not waited for\n");
            Ok(run.reason.exit())
        }
    }
}

async fn until_seen(
    checked: &Checked,
    provider: &dyn Provisioner,
    intent: &Intent,
    executed: &ChangeSet,
    run: &Run,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut waits = retry::waits();
    loop {
        let set = checked.change_set(provider, intent).await?;
        let unseen = unseen(&set);
        if unseen.is_empty() {
            return Ok(());
        }
        if let Some(crossed) = executed.crossed(&set) {
            let error = Error::new(ErrorKind::Stale, "somebody else wrote at the same time").message(crossed);
            let command = format!("provision {} plan", checked.cloud);
            return Err(error.hint(format!("`{command}` shows the result of both; apply again to mend it")).into());
        }
        if started.elapsed() > SETTLING {
            let error =
                Error::new(ErrorKind::Unexpected, "what was written is not what is seen").message(unseen.join(", "));
            let plan = format!("provision {} plan", checked.cloud);
            return Err(error.hint(format!("if `{plan}` goes on showing it, this is a bug in provision")).into());
        }
        run.events.emit(Event::Confirming { unseen });
        sleep(waits.next().unwrap_or_default()).await;
    }
}

fn unseen(set: &ChangeSet) -> Vec<String> {
    let open = set.changes.iter().filter(|change| change.action != Action::NoOp);
    let named = |change: &provision_core::change_set::Change| {
        let facets = change.facets.iter().filter(|facet| facet.finding.differs()).map(|facet| facet.facet.clone());
        let facets: Vec<_> = facets.collect();
        format!(
            "{} of {} `{}`",
            if facets.is_empty() { "mark".to_owned() } else { facets.join(" and ") },
            change.kind,
            change.name
        )
    };
    let unread = set.unreadable.iter().map(|unread| unread.0.to_string());
    open.map(named).chain(unread).collect()
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
