//! What apply and destroy share: asking, executing, confirming, saying how it ended.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use provision_core::assess::Intent;
use provision_core::change_set::{Action, ChangeSet};
use provision_core::event::{Event, EventSink};
use provision_core::executor::{self, Outcome, Stop};
use provision_core::operation::graph;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, retry};
use tokio::time::{Instant, sleep};

use crate::arguments::Global;
use crate::commands::{Ended, Failure};
use crate::exit::Exit;
use crate::session::Checked;
use crate::signals::{self, Reason};
use crate::view;

/// How long a look at the cloud stays good while somebody reads it.
const FRESH: Duration = Duration::from_secs(20);

/// How long written values may take to be seen: SQS attributes, the slowest, take up to 60 seconds.
const SETTLING: Duration = Duration::from_secs(75);

/// The consumer of events that the flags ask for.
pub(crate) fn events(global: &Global) -> Arc<dyn EventSink> {
    match global.json {
        true => Arc::new(view::progress::Json),
        false => Arc::new(view::progress::Lines { quiet: global.quiet }),
    }
}

/// Without a terminal nobody can answer: say so before anything is sent.
pub(crate) fn can_ask(yes: bool, command: &str) -> Result<(), Failure> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(format!("there is no terminal to ask on: add `--yes` to {command} without asking")))
}

/// Ask for `yes`, and look again if the answer took long.
pub(crate) async fn confirm(
    checked: &Checked,
    provider: &dyn Provisioner,
    intent: &Intent,
    set: &ChangeSet,
    question: &str,
) -> Result<(), Failure> {
    let asked = Instant::now();
    view::diagnostic(&format!("{question} Type `yes` to go on: "));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
    if answer.trim() != "yes" {
        return Err(Error::new(ErrorKind::Refused, "not confirmed; nothing was changed").into());
    }
    if asked.elapsed() > FRESH {
        let now = checked.change_set(provider, intent).await?;
        unchanged(set, &now, "while you were asked")?;
    }
    Ok(())
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

/// Execute a set, from the first write to the end of the last.
pub(crate) async fn execute(provider: &dyn Provisioner, set: &ChangeSet, global: &Global) -> (Outcome, Reason) {
    let stop = Stop::default();
    let events = events(global);
    let reason = signals::watch(&stop, global.timeout, Arc::clone(&events));
    let operations = graph(set, &provider.resources());
    let outcome = executor::execute(provider, &operations, &stop, events.as_ref()).await;
    (outcome, reason)
}

/// Observe what was written until it is seen; whatever is still different then is an error.
pub(crate) async fn seen(
    checked: &Checked,
    provider: &dyn Provisioner,
    intent: &Intent,
    global: &Global,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut waits = retry::waits();
    loop {
        let set = checked.change_set(provider, intent).await?;
        let unseen = unseen(&set);
        if unseen.is_empty() {
            return Ok(());
        }
        if started.elapsed() > SETTLING {
            let error =
                Error::new(ErrorKind::Unexpected, "what was written is not what is seen").message(unseen.join(", "));
            return Err(error
                .hint(format!("if `provision {} plan` goes on showing it, this is a bug in provision", checked.cloud))
                .into());
        }
        events(global).emit(Event::Confirming { unseen });
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

/// Say how an incomplete run ended, and give its exit code.
pub(crate) fn incomplete(outcome: &Outcome, reason: &Reason, set: &ChangeSet, command: &str) -> Ended {
    let mut text = view::error::texts(&outcome.failed, Some(&set.plan_file.name));
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
        None if outcome.writes > 0 => Exit::Partial,
        None => Exit::of_all(&outcome.failed),
    })
}
