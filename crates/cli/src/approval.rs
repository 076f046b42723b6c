//! Asking before something is written.

use std::io::{BufRead as _, IsTerminal as _};

use provision_core::assess::Intent;
use provision_core::change_set::ChangeSet;
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, engine};

use crate::exit::Failure;
use crate::plan_files::Checked;
use crate::session::Session;
use crate::view::{self, Consent, View};

/// Without a terminal nobody can answer: say so before anything is sent.
pub(crate) fn can_ask(yes: bool) -> Result<(), Failure> {
    can_ask_for("--yes", yes)
}

/// The same where that flag is the answer.
pub(crate) fn can_ask_for(flag: &str, given: bool) -> Result<(), Failure> {
    if given || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(format!("not a terminal, so nobody can confirm: add `{flag}`")))
}

/// Look, show what would be done, and ask that question, where there is one and anything to do.
pub(crate) async fn approved(
    checked: &Checked,
    session: &Session,
    intent: &Intent,
    question: Option<&str>,
    view: &dyn View,
) -> Result<(Box<dyn Provisioner>, ChangeSet), Failure> {
    let provider = session.provisioner(checked, view).await?;
    let set = checked.change_set(provider.as_ref(), intent, view).await?;
    let consent = if question.is_some() { Consent::Asked } else { Consent::Given };
    view.change_set(&set, consent);
    let blockers = set.blockers();
    if !blockers.is_empty() {
        return Err(Failure::Errors(blockers));
    }
    if let Some(question) = question.filter(|_| set.has_changes()) {
        confirm(checked, provider.as_ref(), intent, &set, question, view).await?;
    }
    Ok((provider, set))
}

/// Ask for `yes`, or for the name of what goes with its data, and look again: however quick the answer was, somebody else may have been quicker.
async fn confirm(
    checked: &Checked,
    provider: &dyn Provisioner,
    intent: &Intent,
    set: &ChangeSet,
    question: &str,
    view: &dyn View,
) -> Result<(), Failure> {
    let lost = set.changes.iter().find(|change| change.contents.is_some());
    let (question, accepted) = match lost {
        Some(lost) => ("This cannot be undone.", lost.name.as_str()),
        None => (question, "yes"),
    };
    ask(question, accepted).await?;
    let now = checked.change_set(provider, intent, view).await?;
    Ok(engine::unchanged(set, &now, "while you were asked")?)
}

/// Ask that question; anything but that answer ends the command.
pub(crate) async fn ask(question: &str, accepted: &str) -> Result<(), Failure> {
    view::diagnostic(&format!("{question} Only `{accepted}` is accepted: "));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
    if answer.trim() != accepted {
        return Err(Error::new(ErrorKind::Refused, "not confirmed; nothing was changed").into());
    }
    Ok(())
}
