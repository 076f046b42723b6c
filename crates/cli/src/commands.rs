//! One file a command: read the arguments, call the engine, hand the result to the view.

mod apply;
mod completions;
mod destroy;
mod drift;
mod init;
mod man;
mod output;
mod permissions;
mod plan;
mod sandbox;
mod schema;
mod show;
mod validate;
mod verify;
mod version;

use std::sync::Arc;

use anstream::ColorChoice;

use crate::arguments::{Action, Arguments, Command, Global, SandboxAction};
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit, Failure};
use crate::reports::Reporting;
use crate::session::Invocation;
use crate::signals::Signals;
use crate::trace;
use crate::view::human::Human;
use crate::view::json::{Json, Prints};
use crate::view::{self, View};

/// Run a command and show how it ended.
pub(crate) async fn run(arguments: Arguments) -> Exit {
    let global = arguments.global;
    choose_color(&global);
    let view = choose_view(&global, &arguments.command);
    let ended = perform(arguments.command, &global, &view).await;
    if let Some(reason) = trace::cut_off() {
        view::diagnostic(&format!("warning: the trace is not complete: {reason}\n"));
    }
    ended.unwrap_or_else(|failure| {
        view.failure(&failure);
        failure.exit()
    })
}

async fn perform(command: Command, global: &Global, view: &Arc<dyn View>) -> CommandResult {
    if global.sandbox.is_some() && matches!(command, Command::Sandbox(_)) {
        return Err(Failure::Usage("`provision sandbox` takes its folder with `--dir`".to_owned()));
    }
    match command {
        Command::InCloud(command) => {
            let (cloud, action) = command.parts();
            act(action, cloud, global, view).await
        }
        Command::Init { cloud } => init::run(cloud),
        Command::Validate { plan_file } => validate::run(plan_file, view.as_ref()),
        Command::Schema { of } => schema::run(of),
        Command::Show { change_set, format, report } => {
            show::run(&change_set, Reporting { format, files: report }, global, view.as_ref())
        }
        Command::Sandbox(SandboxAction::Serve { dir, port, faults, real_time, identity, plan_files }) => {
            let serving = sandbox::Serving { dir, port, faults, real_time, identity };
            sandbox::serve(serving, &plan_files, global.timeout).await
        }
        Command::Sandbox(SandboxAction::Reset { dir }) => sandbox::reset(&dir),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(dir.as_deref()),
        Command::Version => version::run(),
    }
}

async fn act(action: Action, cloud: CloudId, global: &Global, view: &Arc<dyn View>) -> CommandResult {
    let signals = Signals::listen(global.timeout, Arc::clone(view) as _);
    let invocation = Invocation { global, signals: &signals, view: view.as_ref() };
    match action {
        Action::Plan { plan_file, out, detailed_exitcode, orphans, destroy, delete_data, format, report } => {
            let reporting = Reporting { format, files: report };
            let wanted = plan::Wanted { out, detailed_exitcode, orphans, destroy, delete_data, reporting };
            plan::run(plan_file, cloud, wanted, invocation).await
        }
        Action::Apply { plan_file, yes, orphans } => apply::run(plan_file, cloud, yes, orphans, invocation).await,
        Action::Drift { plan_files, format, report } => {
            drift::run(plan_files, cloud, Reporting { format, files: report }, invocation).await
        }
        Action::Destroy { plan_file, yes, delete_data, orphans } => {
            destroy::run(plan_file, cloud, yes, delete_data, orphans, invocation).await
        }
        Action::Permissions { plan_file, task, format, trust } => {
            let wanted = permissions::Wanted { task, format, trust };
            signals.unless_stopped(permissions::run(plan_file, cloud, wanted, view.as_ref())).await
        }
        Action::Output { plan_file, name, format, reveal, no_secrets, out } => {
            let secrets = output::Secrets::asked(reveal, no_secrets, out.is_some());
            let target = output::Target { format, secrets, out };
            signals.unless_stopped(output::run(plan_file, cloud, name, target, global, view.as_ref())).await
        }
        Action::Verify(wanted) => verify::run(wanted, cloud, invocation).await,
    }
}

fn choose_color(global: &Global) {
    let choice = match global.color {
        _ if global.no_color => ColorChoice::Never,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
        clap::ColorChoice::Auto => return,
    };
    choice.write_global();
}

fn choose_view(global: &Global, command: &Command) -> Arc<dyn View> {
    let prints = match command {
        Command::InCloud(command) => prints(command.action()),
        _ => Prints::Document,
    };
    match global.json {
        true => Arc::new(Json::new(global.quiet, prints)),
        false => Arc::new(Human::new(global)),
    }
}

/// What it prints as JSON.
const fn prints(action: &Action) -> Prints {
    match action {
        Action::Apply { .. } | Action::Destroy { .. } => Prints::Run,
        Action::Verify(_) => Prints::Proof,
        _ => Prints::Document,
    }
}
