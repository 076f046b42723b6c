//! `provision <cloud> verify`: prove that files and events get through, before any server runs.

use std::path::Path;
use std::time::{Duration, Instant};

use provision_core::change_set::Purpose;
use provision_core::deployment::origin_problem;
use provision_core::provider::Prover;
use provision_core::verify::{self, Proof, Wanted};
use provision_core::{Error, ErrorKind};

use crate::arguments::{Global, Verify, quoted};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, check, plan_file_path};
use crate::providers::ProviderId;
use crate::reports::Reporting;
use crate::session::{Invocation, Session};
use crate::signals::Signals;
use crate::view::View;
use crate::view::report::look::Look;
use crate::web::PlainBrowser;

/// How long a run that was told to stop may take to clean up.
const CLEANUP_LIMIT: Duration = Duration::from_secs(9);
/// How long a probe's key may begin: S3 takes keys of 1,024 bytes, and no cloud fewer
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const LONGEST_PREFIX: usize = 900;

pub(crate) async fn run(asked: Verify, cloud: ProviderId, invocation: Invocation<'_>) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let begun = Instant::now();
    let path = plan_file_path(asked.plan_file.clone(), cloud)?;
    let reporting = Reporting { format: asked.format, files: asked.report.clone() };
    reporting.can_write(&[&path])?;
    let proof = all_hops(&asked, &path, cloud, invocation).await;
    let proof = proof.map_err(|failure| reporting.tell_failure(failure, global))?;
    reporting.tell(&Look::Proof(&proof), global, || view.proven(&proof, begun.elapsed()))?;
    Ok(exit(&proof, asked.strict, signals))
}

async fn all_hops(
    asked: &Verify,
    path: &Path,
    cloud: ProviderId,
    invocation: Invocation<'_>,
) -> Result<Proof, Failure> {
    let Invocation { global, signals, view } = invocation;
    let checked = check(path, cloud)?;
    let wanted = wanted(asked, &checked, global)?;
    let session = Session::open(&[&checked], global, view)?;
    let (prover, browser, looked) = signals.unless_stopped(looked(&checked, &session, &wanted, view)).await?;
    match prover {
        Some(prover) => proven(prover.as_ref(), &browser, &wanted, looked, signals, view).await,
        None => Ok(looked),
    }
}

fn wanted(asked: &Verify, checked: &Checked, global: &Global) -> Result<Wanted, Failure> {
    if let Some(origin) = &asked.origin
        && let Some((problem, _)) = origin_problem(origin).or_else(|| origin.contains('*').then(Default::default))
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
    let origin = asked.origin.clone().unwrap_or_else(|| checked.settings.deployment().host.clone());
    let command =
        format!("provision {} apply {}{}", checked.cloud, quoted(&checked.source.name), global.sandbox_flag());
    let wait = asked.wait.map(Duration::from_secs);
    Ok(Wanted { origin, prefix: asked.prefix.clone(), wait, read_only: asked.read_only, command })
}

/// The hops that write nothing; what could write is not even made if it may not.
async fn looked(
    checked: &Checked,
    session: &Session,
    wanted: &Wanted,
    view: &dyn View,
) -> Result<(Option<Box<dyn Prover>>, PlainBrowser, Proof), Failure> {
    let browser = PlainBrowser::new(&session.connection)?;
    let intent = checked.intent(Purpose::Apply, false);
    let line_of = |path: &str| checked.line_of(path);
    if wanted.read_only {
        let observer = session.observer(checked, view).await?;
        let proof = verify::look(observer.as_ref(), &browser, &intent, wanted, &line_of, view).await?;
        return Ok((None, browser, proof));
    }
    let prover = session.prover(checked, view).await?;
    let proof = verify::look(prover.as_ref(), &browser, &intent, wanted, &line_of, view).await?;
    Ok((Some(prover), browser, proof))
}

/// The hops that write. A run that is told to stop cleans up, but not for ever.
async fn proven(
    prover: &dyn Prover,
    browser: &PlainBrowser,
    wanted: &Wanted,
    looked: Proof,
    signals: &Signals,
    view: &dyn View,
) -> Result<Proof, Failure> {
    signals.begin_writing();
    let given_up = async {
        signals.cancellation.drain.cancelled().await;
        tokio::select! {
            () = signals.cancellation.abort.cancelled() => {}
            () = tokio::time::sleep(CLEANUP_LIMIT) => {}
        }
    };
    tokio::select! {
        proof = verify::prove(prover, browser, wanted, looked, &signals.cancellation, view) => Ok(proof),
        () = given_up => {
            let error = Error::new(ErrorKind::Interrupted, "stopped before the probe was removed");
            let error = error.with_hint("run the same command again: it removes what this run left");
            Err(Failure::Stopped(signals.exit().unwrap_or(Exit::Interrupted), error))
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
