//! `provision apply` of many plan files: one question for all of them; each is looked at and written by itself, so that one that
//! fails keeps none of the others from being applied.

use std::cell::Cell;
use std::time::{Duration, Instant};

use provision_core::change_set::{Action, ChangeSet, Purpose};
use provision_core::plan_file::PlanFileError;
use provision_core::provider::Provisioner;
use provision_core::survey::announced;
use provision_core::{Error, ErrorKind, engine, preflight};

use crate::arguments::{ApplyAll, quoted};
use crate::exit::{CommandResult, Exit, Failure};
use crate::fleet::{self, Fleet, Unsaid, deployment};
use crate::plan_files::Checked;
use crate::session::{Invocation, Session};
use crate::view::{self, Applied, Consent, Outcome};
use crate::{approval, execution};

/// What applying one of many plan files has to know.
struct Run<'a> {
    asked: &'a ApplyAll,
    session: &'a Session,
    invocation: Invocation<'a>,
    failures: Cell<u64>,
    /// What was shown of each section before the question.
    shown: Vec<ChangeSet>,
}

/// A plan file as it is before its first write: each section with its provider and what is to be done.
type Looked = Vec<(Box<dyn Provisioner>, ChangeSet)>;

pub(crate) async fn apply(asked: &ApplyAll, mut fleet: Fleet, invocation: Invocation<'_>) -> CommandResult {
    let begun = Instant::now();
    approval::can_ask(asked.yes)?;
    if fleet.files.is_empty() {
        // The share that was asked for is empty.
        invocation.view.all_applied(&[], false, begun.elapsed());
        return Ok(Exit::Done);
    }
    let session = Session::open(&fleet.sections(), invocation.global, invocation.view)?;
    let shown = if asked.yes { Vec::new() } else { approved(asked, &fleet, &session, invocation).await? };
    let run = Run { asked, session: &session, invocation, failures: Cell::default(), shown };
    let broken = std::mem::take(&mut fleet.broken);
    let is_broken = !broken.is_empty();
    let mut all: Vec<_> = broken.into_iter().map(|error| run.broken(error)).collect();
    let apply = async |file: &Vec<Checked>| Ok(run.applied(file).await);
    let account = |file: &Vec<Checked>| file.first().map(fleet::account).unwrap_or_default();
    let applied = fleet::each(&fleet.files, fleet::OF_AN_ACCOUNT, account, apply, lost).await;
    let skipped = |file: &[Checked], error: Error| {
        run.ended(deployment(file), name(file), Outcome::NotBegun, vec![error.with_plan_file(name(file))])
    };
    all.extend(
        applied.into_iter().zip(&fleet.files).map(|(one, file)| one.unwrap_or_else(|error| skipped(file, error))),
    );
    let stopped = invocation.signals.cancellation.drain.is_cancelled();
    invocation.view.all_applied(&all, stopped, begun.elapsed());
    Ok(exit(&all, is_broken, invocation))
}

/// Why nothing was written of one, where the account was out of reach.
fn lost(applied: &Result<Applied, Error>) -> Option<Error> {
    let applied = applied.as_ref().ok().filter(|one| one.outcome == Outcome::Failed && one.done == 0)?;
    applied.errors.iter().find(|error| fleet::is_out_of_reach(error)).cloned()
}

/// The plan file of these sections.
fn name(file: &[Checked]) -> &str {
    file.first().map_or("", |checked| &checked.source.name)
}

/// The exit code that asks most of the reader.
fn exit(all: &[Applied], is_broken: bool, Invocation { signals, .. }: Invocation<'_>) -> Exit {
    let is_open = |one: &&Applied| matches!(one.outcome, Outcome::Failed | Outcome::NotBegun);
    let Some(_) = all.iter().find(is_open) else { return Exit::Done };
    let errors: Vec<_> = all.iter().flat_map(|one| one.errors.clone()).collect();
    let wrote = all.iter().any(|one| one.done > 0);
    let of_files = if is_broken { Exit::Usage } else { Exit::of_all(&errors) };
    signals.exit().unwrap_or(if wrote && of_files != Exit::Usage { Exit::Partial } else { of_files })
}

/// Look at all of them, show what would be done, and ask once.
async fn approved(
    asked: &ApplyAll,
    fleet: &Fleet,
    session: &Session,
    invocation: Invocation<'_>,
) -> Result<Vec<ChangeSet>, Failure> {
    let Invocation { signals, view, .. } = invocation;
    let sections = fleet.sections();
    let look = async |checked: &&Checked| {
        let found = signals.one_unless_stopped(async {
            let observer = session.observer(checked, &Unsaid).await?;
            checked.planned(observer.as_ref(), &checked.intent(Purpose::Apply, asked.orphans), &Unsaid).await
        });
        found.await
    };
    let found = fleet::each_section(&sections, fleet::OF_AN_ACCOUNT, look, fleet::out_of_reach);
    let found = announced(found, fleet.hears(invocation)).await;
    let (mut sets, mut errors) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(set) => sets.push(set),
            Err(error) => errors.push(error),
        }
    }
    view.change_sets(&sets.iter().collect::<Vec<_>>(), Consent::Asked);
    view::diagnostic(&view::error::texts(&errors));
    if let Some(exit) = signals.ended() {
        return Err(Failure::Shown(exit, errors));
    }
    if sets.iter().any(ChangeSet::has_changes) {
        approval::ask(&question(&sets, fleet.files.len()), "yes").await?;
    }
    Ok(sets)
}

fn question(sets: &[ChangeSet], files: usize) -> String {
    let actions = [Action::Create, Action::Adopt, Action::Update, Action::Restore, Action::Delete, Action::Release];
    let counts = actions.map(|action| (sets.iter().map(|set| set.count(action)).sum::<usize>(), action.verb()));
    let counts: Vec<_> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, verb)| format!("{count} to {verb}")).collect();
    format!("Apply these changes of {files} plan files ({})?", counts.join(", "))
}

impl Run<'_> {
    /// A plan file that has problems. It is none of the failures after which no other one is begun: it is told before the first.
    fn broken(&self, error: PlanFileError) -> Applied {
        let name = error.plan_file().unwrap_or("-").to_owned();
        self.ended(&name, &name, Outcome::Failed, Failure::PlanFiles(vec![error]).errors())
    }

    fn ended(&self, deployment: &str, plan_file: &str, outcome: Outcome, errors: Vec<Error>) -> Applied {
        let again = format!("provision apply {}{}", quoted(plan_file), self.invocation.global.sandbox_flag());
        let (deployment, plan_file) = (deployment.to_owned(), plan_file.to_owned());
        let applied = Applied { deployment, plan_file, outcome, done: 0, elapsed: Duration::ZERO, errors, again };
        self.told(applied)
    }

    fn told(&self, applied: Applied) -> Applied {
        self.invocation.view.applied(&applied);
        applied
    }

    /// Apply one plan file, unless too many failed before it.
    async fn applied(&self, file: &[Checked]) -> Applied {
        let name = name(file);
        let (begun, signals) = (Instant::now(), self.invocation.signals);
        let over = self.asked.max_failures.is_some_and(|most| self.failures.get() >= most);
        if over || signals.cancellation.drain.is_cancelled() {
            return self.ended(deployment(file), name, Outcome::NotBegun, Vec::new());
        }
        let looked = match signals.one_unless_stopped(self.looked(file)).await {
            Ok(looked) => looked,
            Err(error) => {
                self.failures.set(self.failures.get() + 1);
                return self.ended(deployment(file), name, Outcome::Failed, vec![error]);
            }
        };
        let intents: Vec<_> = file.iter().map(|checked| checked.intent(Purpose::Apply, self.asked.orphans)).collect();
        let runs = looked.iter().zip(&intents).map(|((provider, set), intent)| {
            execution::applied(provider.as_ref(), intent, set, self.invocation, &Unsaid)
        });
        let ends: Vec<_> = futures::future::join_all(runs).await.into_iter().map(|(end, _)| end).collect();
        let done = ends.iter().map(|end| end.done.len()).sum();
        let outcome = match (ends.iter().all(|end| end.complete), done) {
            (false, _) => Outcome::Failed,
            (true, 0) => Outcome::Unchanged,
            (true, _) => Outcome::Applied,
        };
        if outcome == Outcome::Failed {
            self.failures.set(self.failures.get() + 1);
        }
        let errors = ends.iter().flat_map(|end| end.errors.clone()).collect();
        let again = format!("provision apply {}{}", quoted(name), self.invocation.global.sandbox_flag());
        let (deployment, elapsed) = (deployment(file).to_owned(), begun.elapsed());
        self.told(Applied { deployment, plan_file: name.to_owned(), outcome, done, elapsed, errors, again })
    }

    /// Each section as it is now; nothing is written if one cannot be looked at, refuses, or is not as it was shown.
    async fn looked(&self, file: &[Checked]) -> Result<Looked, Error> {
        let looks = file
            .iter()
            .map(async |checked| self.looked_at(checked).await.map_err(|error| fleet::of_section(error, checked)));
        futures::future::join_all(looks).await.into_iter().collect()
    }

    async fn looked_at(&self, checked: &Checked) -> Result<(Box<dyn Provisioner>, ChangeSet), Error> {
        if let [name, ..] = checked.settings.given_once() {
            let error = Error::new(ErrorKind::Refused, format!("{name} is given once, when the app is made"));
            return Err(error.with_hint("apply this plan file by itself, with `--out FILE` or `--reveal`"));
        }
        let provider = self.session.provisioner(checked, &Unsaid).await?;
        let intent = checked.intent(Purpose::Apply, self.asked.orphans);
        let set = checked.planned(provider.as_ref(), &intent, &Unsaid).await?;
        if let Some(error) = set.blockers().into_iter().next() {
            return Err(error);
        }
        preflight::permitted(&set)?;
        let is_its = |shown: &&ChangeSet| shown.plan_file == set.plan_file && shown.cloud == set.cloud;
        if let Some(shown) = self.shown.iter().find(is_its) {
            engine::unchanged(shown, &set, "while you were asked")?;
        }
        Ok((provider, set))
    }
}
