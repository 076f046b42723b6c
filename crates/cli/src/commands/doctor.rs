//! `provision doctor <cloud>`: why a command does not get through, in one screen.

use provision_core::change_set::Purpose;
use provision_core::doctor::{Check, Examined, examine};
use provision_core::web::Browser;
use provision_core::{Error, ErrorKind};

use crate::arguments::Doctor;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::{Checked, check, plan_file_path};
use crate::session::{Invocation, Session};
use crate::surroundings::{Machine, certificates_check};
use crate::view::Examination;
use crate::web::PlainBrowser;

pub(crate) async fn run(asked: Doctor, invocation: Invocation<'_>) -> CommandResult {
    let Invocation { global, signals, view } = invocation;
    let cloud = asked.cloud;
    let read = plan_file_path(asked.plan_file, cloud).and_then(|path| check(&path, cloud));
    let mut examination = Examination { cloud, plan_file: None, checks: vec![version()] };
    let checked = match read {
        Ok(checked) => checked,
        Err(error) => {
            let failure = Failure::from(error);
            examination.checks.extend(unread(&failure));
            view.examined(&examination);
            return Ok(Exit::Usage);
        }
    };
    examination.plan_file = Some(checked.source.name.clone());
    examination.checks.push(plan_file(&checked));
    let session = Session::open_to_examine(&[&checked], global, view)?;
    let checks = async { Ok(between_here_and_there(&checked, &session, invocation).await) };
    examination.checks.extend(signals.unless_stopped(checks).await?);
    view.examined(&examination);
    Ok(exit(&examination.checks))
}

fn version() -> Check {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    Check::ok("version", format!("provision {} on {system} {machine}", env!("CARGO_PKG_VERSION")))
}

fn plan_file(checked: &Checked) -> Check {
    let deployment = &checked.settings.deployment().name;
    Check::ok("plan file", format!("{} describes {deployment} in [{}]", checked.source.name, checked.cloud))
}

/// Each problem of a plan file that cannot be used.
fn unread(failure: &Failure) -> Vec<Check> {
    let of = |error: &Error| {
        let place =
            error.plan_file().zip(error.line()).map(|(file, line)| format!("{file}:{line}: ")).unwrap_or_default();
        Check::failed("plan file", format!("{place}{error}"), error.hint())
    };
    let rest = Check::unknown("everything else", "what is reached, and as whom, is said by the plan file");
    failure.errors().iter().map(of).chain([rest]).collect()
}

async fn between_here_and_there(checked: &Checked, session: &Session, invocation: Invocation<'_>) -> Vec<Check> {
    let connection = &session.connection;
    let endpoints = checked.settings.endpoints(connection).await.unwrap_or_default();
    let machine = Machine::look(connection, endpoints.iter().map(|endpoint| endpoint.url.as_str()));
    let browser = PlainBrowser::new(connection);
    let examined = Examined {
        config: checked.settings.as_ref(),
        connection,
        browser: browser.as_ref().map(|browser| browser as &dyn Browser),
        surroundings: &machine,
        intent: &checked.intent(Purpose::Apply, false),
        nouns: checked.cloud.nouns(),
        events: invocation.view,
    };
    let mut checks = vec![machine.proxy_check()];
    // An emulator without TLS is told by no certificate.
    if endpoints.iter().any(|endpoint| endpoint.url.starts_with("https:")) || browser.is_err() {
        checks.push(certificates_check(connection));
    }
    checks.extend(examine(&examined).await);
    checks
}

/// As of any command that fails for the first reason, which the others may come of; what is not known is no failure.
fn exit(checks: &[Check]) -> Exit {
    let failed = |kind: Option<ErrorKind>| match kind {
        Some(kind) => Exit::of(&Error::new(kind, "")),
        None => Exit::Failure,
    };
    checks.iter().find(|check| check.has_failed()).map_or(Exit::Done, |check| failed(check.kind))
}
