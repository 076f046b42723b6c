//! `provision verify`, `provision <cloud> verify`: prove that files and events get through, before any server runs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use provision_core::change_set::Purpose;
use provision_core::deployment::origin_problem;
use provision_core::event::EventSink;
use provision_core::provider::Prover;
use provision_core::survey::announced;
use provision_core::verify::{self, Proof, Wanted};
use provision_core::{Error, ErrorKind};

use crate::arguments::{Global, Verify, quoted};
use crate::exit::{CommandResult, Exit, Failure};
use crate::fleet::{self, Fleet, Unsaid};
use crate::help;
use crate::plan_files::{Checked, Scope};
use crate::providers::ProviderId;
use crate::reports::Reporting;
use crate::session::{Invocation, Session};
use crate::signals::Signals;
use crate::view::Proofs;
use crate::view::report::look::Look;
use crate::web::PlainBrowser;

/// How long a run that was told to stop may take to clean up.
const CLEANUP_LIMIT: Duration = Duration::from_secs(9);
/// How long a probe's key may begin: S3 takes keys of 1,024 bytes, and no cloud fewer
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const LONGEST_PREFIX: usize = 900;

pub(crate) async fn run(asked: Verify, scope: Scope, invocation: Invocation<'_>) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let begun = Instant::now();
    let read = fleet::read_by(&asked.of, scope);
    let reporting = Reporting { format: asked.format, files: asked.report.clone() };
    reporting.can_write(&read.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let told = |failure| reporting.tell_failure(failure, global);
    let mut fleet = to_prove(&asked, scope).map_err(told)?;
    let is_one = asked.of.shard.is_none() && fleet.broken.is_empty();
    if let ([checked], true) = (fleet.sections().as_slice(), is_one) {
        let proof = all_hops(&asked, checked, invocation).await.map_err(told)?;
        reporting.tell(&Look::Proof(&proof), global, || view.proven(&proof, begun.elapsed()))?;
        return Ok(exit(&proof, asked.strict, signals));
    }
    let broken = Failure::PlanFiles(std::mem::take(&mut fleet.broken));
    let (proofs, mut errors) = each(&asked, &fleet, invocation).await.map_err(told)?;
    let exits = proofs.iter().map(|(proof, _)| exit(proof, asked.strict, signals)).chain([Exit::of_all(&errors)]);
    let is_broken = !broken.errors().is_empty();
    let worst = exits.chain(is_broken.then_some(Exit::Usage)).max_by_key(|exit| exit.weight()).unwrap_or(Exit::Done);
    errors.extend(broken.errors());
    let stopped = signals.ended().is_some();
    let all = Proofs { proven: proofs, errors, stopped, elapsed: begun.elapsed() };
    reporting.tell(&Look::Proofs(&all), global, || view.all_proven(&all))?;
    let is_open = |error: &Error| error.kind() == ErrorKind::Interrupted;
    let cut_off = all.errors.iter().any(is_open) || all.proven.iter().any(|(proof, _)| proof.stopped);
    let worst = signals.exit().filter(|_| cut_off).unwrap_or(worst);
    if all.errors.is_empty() { Ok(worst) } else { Err(Failure::Shown(worst, all.errors)) }
}

/// What can be proven of these plan files: a section without a bucket is left out.
fn to_prove(asked: &Verify, scope: Scope) -> Result<Fleet, Failure> {
    can_prove(asked)?;
    let mut fleet = Fleet::read(&asked.of, scope)?;
    let had_any = !fleet.sections().is_empty();
    let provable: Vec<_> = ProviderId::ALL.into_iter().filter(|section| help::proves(section.name())).collect();
    fleet.files.iter_mut().for_each(|file| file.retain(|checked| provable.contains(&checked.cloud)));
    if had_any && fleet.sections().is_empty() {
        return Err(Failure::Usage(
            "no section of these plan files has a bucket: there is nothing to prove".to_owned(),
        ));
    }
    Ok(fleet)
}

async fn all_hops(asked: &Verify, checked: &Checked, invocation: Invocation<'_>) -> Result<Proof, Failure> {
    let Invocation { global, signals, view } = invocation;
    let wanted = wanted(asked, checked, global);
    let session = Session::open(&[checked], global, view)?;
    let look = async { looked(checked, &session, &wanted, view).await.map_err(Failure::from) };
    let (prover, browser, looked) = signals.unless_stopped(look).await?;
    let Some(prover) = prover else { return Ok(looked) };
    let stopped = |error| Failure::Stopped(signals.exit().unwrap_or(Exit::Interrupted), error);
    proven(prover.as_ref(), &browser, &wanted, looked, signals, view).await.map_err(stopped)
}

/// Each of many, few of an account at a time; how long each took, and why others could not be proven.
async fn each(
    asked: &Verify,
    fleet: &Fleet,
    invocation: Invocation<'_>,
) -> Result<(Vec<(Proof, Duration)>, Vec<Error>), Failure> {
    let sections = fleet.sections();
    if sections.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let session = fleet.session(invocation)?;
    let prove = async |checked: &&Checked| {
        let begun = Instant::now();
        let proof = one_of_many(asked, checked, &session, invocation).await;
        proof.map(|proof| (proof, begun.elapsed()))
    };
    let all = fleet::each_section(&sections, fleet::PROOFS_OF_AN_ACCOUNT, prove, lost);
    let (mut proofs, mut errors) = (Vec::new(), Vec::new());
    for proof in announced(all, fleet.hears(invocation)).await {
        match proof {
            Ok(proof) => proofs.push(proof),
            Err(error) => errors.push(error),
        }
    }
    Ok((proofs, errors))
}

/// Why a proof says nothing, where the next one of its account would say nothing either.
fn lost(proof: &Result<(Proof, Duration), Error>) -> Option<Error> {
    match proof {
        Ok((proof, _)) => fleet::unread(&proof.set),
        Err(error) => Some(error.clone()).filter(fleet::is_out_of_reach),
    }
}

async fn one_of_many(
    asked: &Verify,
    checked: &Checked,
    session: &Session,
    Invocation { global, signals, .. }: Invocation<'_>,
) -> Result<Proof, Error> {
    let wanted = wanted(asked, checked, global);
    let look = looked(checked, session, &wanted, &Unsaid);
    match signals.one_unless_stopped(look).await? {
        (Some(prover), browser, looked) => proven(prover.as_ref(), &browser, &wanted, looked, signals, &Unsaid).await,
        (None, _, looked) => Ok(looked),
    }
}

/// Whether what was asked for can be.
fn can_prove(asked: &Verify) -> Result<(), Failure> {
    if let Some(origin) = &asked.origin
        && let Some((problem, _)) =
            origin_problem(origin).or_else(|| origin.contains('*').then(|| ("it has a wildcard".to_owned(), None)))
    {
        return Err(Failure::Usage(format!("`--origin {origin}` is no page's origin: {problem}")));
    }
    let unusable = |letter: char| letter.is_control();
    // A path with these names another place than it seems to.
    if asked.prefix.starts_with('/') || asked.prefix.split('/').any(|part| [".", ".."].contains(&part)) {
        return Err(Failure::Usage("`--prefix` begins with no `/`, and has no `.` or `..` between two".to_owned()));
    }
    if asked.prefix.is_empty() || asked.prefix.len() > LONGEST_PREFIX || asked.prefix.contains(unusable) {
        return Err(Failure::Usage("`--prefix` takes 1 to 900 letters that can be seen".to_owned()));
    }
    Ok(())
}

fn wanted(asked: &Verify, checked: &Checked, global: &Global) -> Wanted {
    let origin = asked.origin.clone().unwrap_or_else(|| checked.settings.deployment().host.clone());
    let command =
        format!("provision {} apply {}{}", checked.cloud, quoted(&checked.source.name), global.sandbox_flag());
    let wait = asked.wait.map(Duration::from_secs);
    Wanted { origin, prefix: asked.prefix.clone(), wait, read_only: asked.read_only, command }
}

/// The hops that write nothing; what could write is not even made if it may not.
async fn looked(
    checked: &Checked,
    session: &Session,
    wanted: &Wanted,
    events: &dyn EventSink,
) -> Result<(Option<Box<dyn Prover>>, PlainBrowser, Proof), Error> {
    let browser = PlainBrowser::new(&session.connection)?;
    let intent = checked.intent(Purpose::Apply, false);
    let line_of = |path: &str| checked.line_of(path);
    if wanted.read_only {
        let observer = session.observer(checked, events).await?;
        let proof = verify::look(observer.as_ref(), &browser, &intent, wanted, &line_of, events).await?;
        return Ok((None, browser, proof));
    }
    let prover = session.prover(checked, events).await?;
    let proof = verify::look(prover.as_ref(), &browser, &intent, wanted, &line_of, events).await?;
    Ok((Some(prover), browser, proof))
}

/// The hops that write. A run that is told to stop cleans up, but not for ever.
async fn proven(
    prover: &dyn Prover,
    browser: &PlainBrowser,
    wanted: &Wanted,
    looked: Proof,
    signals: &Signals,
    events: &dyn EventSink,
) -> Result<Proof, Error> {
    signals.begin_writing();
    let given_up = async {
        signals.cancellation.drain.cancelled().await;
        tokio::select! {
            () = signals.cancellation.abort.cancelled() => {}
            () = tokio::time::sleep(CLEANUP_LIMIT) => {}
        }
    };
    tokio::select! {
        proof = verify::prove(prover, browser, wanted, looked, &signals.cancellation, events) => Ok(proof),
        () = given_up => {
            let error = Error::new(ErrorKind::Interrupted, "stopped before the probe was removed");
            Err(error.with_hint("run the same command again: it removes what this run left"))
        }
    }
}

fn exit(proof: &Proof, strict: bool, signals: &Signals) -> Exit {
    match signals.exit().filter(|_| proof.stopped) {
        Some(exit) => exit,
        None if !proof.holds() => Exit::Changes,
        None if !proof.set.unreadable.is_empty() => Exit::Failure,
        None if strict && !proof.is_complete() => Exit::Changes,
        None => Exit::Done,
    }
}
