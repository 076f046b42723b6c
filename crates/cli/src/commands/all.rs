//! `provision plan`, `apply` and `destroy` of all sections of a plan file: looked at side by side, one report, one exit code.

use std::path::PathBuf;

use futures::future::join_all;
use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::event::EventSink;
use provision_core::provider::{Observer, Provisioner};
use provision_core::{Error, engine, preflight};

use crate::arguments::{ApplyAll, DestroyAll, Keeping, PlanAll};
use crate::exit::{CommandResult, Exit, Failure};
use crate::fleet::{self, Fleet};
use crate::plan_files::{Checked, Scope};
use crate::reports::Reporting;
use crate::session::{Invocation, Session};
use crate::view::report::look::Look;
use crate::view::{Consent, End, Looked};
use crate::{approval, execution, keeper, many, summary};

/// A section that has been looked at, and what writes it.
struct Section {
    checked: Checked,
    intent: Intent,
    provider: Box<dyn Provisioner>,
    set: ChangeSet,
}

/// Show what apply would do.
pub(super) async fn plan(asked: PlanAll, invocation: Invocation<'_>) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let reporting = Reporting::from(asked.reporting);
    let read = fleet::read_by(&asked.of, Scope::All);
    reporting.can_write(&read.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let look = async |checked: &Checked, session: &Session, events: &dyn EventSink| {
        let observer = session.observer(checked, events).await?;
        checked.planned(observer.as_ref(), &checked.intent(Purpose::Apply, asked.orphans), events).await
    };
    let looked = fleet::look_at_each(&asked.of, Scope::All, invocation, look).await;
    let looked = looked.map_err(|failure| reporting.tell_failure(failure, global))?;
    let Looked { sets, errors, .. } = &looked;
    reporting.tell(&Look::Plans(sets, errors), global, || view.plans(sets, errors))?;
    let blockers: Vec<_> = errors.iter().cloned().chain(sets.iter().flat_map(ChangeSet::blockers)).collect();
    if !blockers.is_empty() {
        let exit = signals.ended().unwrap_or_else(|| Exit::of_all(&blockers));
        return Err(Failure::Shown(exit, blockers));
    }
    let changes = asked.detailed_exitcode && sets.iter().any(ChangeSet::has_changes);
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

/// Make the clouds what the plan file says.
pub(super) async fn apply(asked: ApplyAll, invocation: Invocation<'_>) -> CommandResult {
    let mut fleet = Fleet::read(&asked.of, Scope::All)?;
    let is_one = fleet.files.len() == 1 && fleet.broken.is_empty() && asked.of.shard.is_none();
    let checked = match fleet.files.pop() {
        Some(checked) if is_one => checked,
        last => {
            fleet.files.extend(last);
            return many::apply(&asked, fleet, invocation).await;
        }
    };
    keeper::asked_for(&asked.keeping, &checked.iter().collect::<Vec<_>>(), invocation.global)?;
    approval::can_ask(asked.yes)?;
    let intents: Vec<_> = checked.iter().map(|checked| checked.intent(Purpose::Apply, asked.orphans)).collect();
    let session = opened(&asked.keeping, &checked, invocation)?;
    let question = (!asked.yes).then(|| ("Apply these changes?".to_owned(), "yes".to_owned()));
    let approved = approved(checked, intents, &session, question, invocation);
    let sections = invocation.signals.unless_stopped(approved).await?;
    let runs = sections
        .iter()
        .map(|one| execution::applied(one.provider.as_ref(), &one.intent, &one.set, invocation, invocation.view));
    let sets: Vec<_> = sections.iter().map(|one| &one.set).collect();
    let again = summary::resume_all("apply", &sets, &asked.keeping, invocation.global);
    Ok(ended(join_all(runs).await, again, invocation))
}

/// Take the deployment down, with everything in it that was made by us.
pub(super) async fn destroy(asked: DestroyAll, invocation: Invocation<'_>) -> CommandResult {
    if !asked.all {
        let message = "`--all` takes down every section of the plan file; one of them: `provision CLOUD destroy`";
        return Err(Failure::Usage(message.to_owned()));
    }
    let path = Scope::All.plan_file_path(asked.plan_file)?;
    let checked = Scope::All.check(&path)?;
    let name = checked.first().map(|checked| checked.settings.deployment().name.clone()).unwrap_or_default();
    confirmed_by_name(asked.deployment.as_deref(), &name)?;
    approval::can_ask_for("--deployment NAME", asked.deployment.is_some())?;
    let intents = to_destroy(&checked, asked.delete_data.as_ref(), asked.orphans)?;
    let session = opened(&Keeping::default(), &checked, invocation)?;
    let question = format!("Destroy all of deployment `{name}`?");
    let question = asked.deployment.is_none().then_some((question, name));
    let sections =
        invocation.signals.unless_stopped(approved(checked, intents, &session, question, invocation)).await?;
    let runs = sections.iter().map(|one| execution::destroyed(one.provider.as_ref(), &one.set, invocation));
    let sets: Vec<_> = sections.iter().map(|one| &one.set).collect();
    let again = summary::resume_all("destroy", &sets, &Keeping::default(), invocation.global);
    Ok(ended(join_all(runs).await, again, invocation))
}

/// A connection for all of them: what is given once is kept for the one plan file.
fn opened(keeping: &Keeping, checked: &[Checked], invocation: Invocation<'_>) -> Result<Session, Failure> {
    let session = Session::open(&checked.iter().collect::<Vec<_>>(), invocation.global, invocation.view)?;
    Ok(match checked.first() {
        Some(first) => session.keeping(keeper::of(keeping, first)),
        None => session,
    })
}

/// The name that was typed is that of the deployment.
fn confirmed_by_name(typed: Option<&str>, name: &str) -> Result<(), Failure> {
    match typed.filter(|typed| *typed != name) {
        Some(typed) => Err(Failure::Usage(format!(
            "`--deployment {typed}` names another deployment than the plan file's, `{name}`"
        ))),
        None => Ok(()),
    }
}

/// What is to be destroyed in each section; data goes with the one whose bucket is named.
fn to_destroy(checked: &[Checked], delete_data: Option<&String>, orphans: bool) -> Result<Vec<Intent>, Failure> {
    let has = |checked: &Checked, name: &str| checked.settings.data_resource_name() == name;
    if let (Some(name), Some(first)) = (delete_data, checked.first())
        && !checked.iter().any(|checked| has(checked, name))
    {
        first.destroying(Some(name.clone()))?;
    }
    let intent = |checked: &Checked| {
        let delete_data = delete_data.filter(|name| has(checked, name)).cloned();
        Ok(checked.intent(checked.destroying(delete_data)?, orphans))
    };
    checked.iter().map(intent).collect()
}

/// Look at all of them, show what would be done, and ask that question, where there is one and anything to do. Nothing is
/// written if one of them cannot be looked at, or refuses.
async fn approved(
    checked: Vec<Checked>,
    intents: Vec<Intent>,
    session: &Session,
    question: Option<(String, String)>,
    Invocation { view, .. }: Invocation<'_>,
) -> Result<Vec<Section>, Failure> {
    let looks = checked.into_iter().zip(intents).map(async |(checked, intent)| {
        let provider = session.provisioner(&checked, view).await?;
        let set = checked.planned(provider.as_ref(), &intent, view).await?;
        Ok(Section { checked, intent, provider, set })
    });
    let sections = all_of(join_all(looks).await)?;
    let consent = if question.is_some() { Consent::Asked } else { Consent::Given };
    let sets: Vec<_> = sections.iter().map(|section| &section.set).collect();
    view.change_sets(&sets, consent);
    let blockers: Vec<_> = sections.iter().flat_map(|section| section.set.blockers()).collect();
    if !blockers.is_empty() {
        return Err(Failure::Errors(blockers));
    }
    all_of(sections.iter().map(|section| preflight::permitted(&section.set)).collect())?;
    if let Some((question, accepted)) = question.filter(|_| sections.iter().any(|section| section.set.has_changes())) {
        approval::ask(&question, &accepted).await?;
        let looks = sections.iter().map(|section| async move {
            let observer: &dyn Observer = section.provider.as_ref();
            let now = section.checked.change_set(observer, &section.intent, view).await?;
            engine::unchanged(&section.set, &now, "while you were asked")
        });
        all_of(join_all(looks).await)?;
    }
    Ok(sections)
}

/// All of them, or every error.
fn all_of<T>(results: Vec<Result<T, Error>>) -> Result<Vec<T>, Failure> {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => all.push(one),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(Failure::Errors(errors)) }
}

/// Show how it ended, and give the exit code that asks most of the reader. The command that goes on is that of all sections, told once.
fn ended(runs: Vec<(End<'_>, Exit)>, again: String, Invocation { signals, view, .. }: Invocation<'_>) -> Exit {
    let (mut ends, exits): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    let looks_first = ends.iter().any(|end| !end.complete && end.again.is_empty());
    ends.iter_mut().for_each(|end| end.again.clear());
    if let Some(last) = ends.iter_mut().rfind(|end| !end.complete && !looks_first) {
        last.again = again;
    }
    view.ended(&ends);
    let wrote = ends.iter().any(|end| !end.done.is_empty());
    let worst = |exit: Exit| if wrote && exit == Exit::Failure { Exit::Partial } else { exit };
    let failed = exits.into_iter().filter(|exit| *exit != Exit::Done).map(worst).max_by_key(|exit| exit.weight());
    signals.exit().filter(|_| failed.is_some()).or(failed).unwrap_or(Exit::Done)
}
