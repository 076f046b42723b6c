//! One file a command: read the arguments, call the engine, hand the result to the view.

mod all;
mod apply;
mod completions;
mod destroy;
mod diff;
mod doctor;
mod drift;
mod init;
mod man;
mod merge;
mod output;
mod permissions;
mod plan;
mod rotate_key;
mod sandbox;
mod schema;
mod show;
mod token;
mod validate;
mod verify;
mod version;

use std::sync::Arc;

use anstream::ColorChoice;

use crate::arguments::{
    Action, Anywhere, Arguments, AzureAction, Command, Global, InAll, Keeping, ReportAction, SandboxAction, SlackAction,
};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::Scope;
use crate::providers::{InCloud, ProviderId};
use crate::reports::Reporting;
use crate::session::Invocation;
use crate::signals::Signals;
use crate::view::human::Human;
use crate::view::json::{Json, Prints};
use crate::view::{self, View};
use crate::{help, telemetry, trace};

/// Run a command and show how it ended.
pub(crate) async fn run(arguments: Arguments) -> Exit {
    let global = arguments.global;
    choose_color(&global);
    let view = choose_view(&global, &arguments.command);
    let untold = telemetry::begin(help::typed);
    let ended = perform(arguments.command, &global, &view).await;
    if let Some(reason) = trace::cut_off() {
        view::diagnostic(&format!("warning: the trace is not complete: {reason}\n"));
    }
    let exit = ended.unwrap_or_else(|failure| {
        view.failure(&failure);
        failure.exit()
    });
    if let Some(reason) = untold.or(telemetry::finish(exit.code()).await) {
        view.note(&view::error::warning(&format!("the traces of this command are not exported: {reason}")));
    }
    exit
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
        Command::Slack(action) => act_in_slack(action, global, view).await,
        Command::InAll(action) => act_on_all(action, global, view).await,
        Command::Init { cloud, byob } => init::run(cloud, byob),
        Command::Validate { plan_file } => validate::run(plan_file, view.as_ref()),
        Command::Schema { of } => schema::run(of),
        Command::Show { change_set, reporting } => show::run(&change_set, reporting.into(), global, view.as_ref()),
        Command::Doctor(asked) => {
            let signals = Signals::listen(global.timeout, Arc::clone(view) as _);
            doctor::run(asked, Invocation { global, signals: &signals, view: view.as_ref() }).await
        }
        Command::Diff(asked) => diff::run(&asked, global, view.as_ref()),
        Command::Report(ReportAction::Merge { reports, format, report }) => {
            merge::run(&reports, Reporting { format, files: report }, global, view.as_ref())
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

async fn act(action: AzureAction, id: ProviderId, global: &Global, view: &Arc<dyn View>) -> CommandResult {
    let signals = Signals::listen(global.timeout, Arc::clone(view) as _);
    let invocation = Invocation { global, signals: &signals, view: view.as_ref() };
    let action = match action {
        AzureAction::InAnyCloud(action) => action,
        AzureAction::RotateKey(asked) => return rotate_key::run(asked, invocation).await,
    };
    match action {
        Action::Anywhere(Anywhere::Plan(asked)) => plan::run(asked, id, invocation).await,
        Action::Anywhere(Anywhere::Apply(asked)) => apply::run(asked, Keeping::default(), id, invocation).await,
        Action::Anywhere(Anywhere::Drift(asked)) => drift::run(asked, Scope::One(id), invocation).await,
        Action::Anywhere(Anywhere::Destroy(asked)) => destroy::run(asked, id, invocation).await,
        Action::Anywhere(Anywhere::Output(asked)) => {
            signals.unless_stopped(output::run(asked, Scope::One(id), global, view.as_ref())).await
        }
        Action::Permissions(asked) => signals.unless_stopped(permissions::run(asked, id, view.as_ref())).await,
        Action::Verify(asked) => verify::run(asked, Scope::One(id), invocation).await,
    }
}

async fn act_in_slack(action: SlackAction, global: &Global, view: &Arc<dyn View>) -> CommandResult {
    const ID: ProviderId = ProviderId::Slack;
    let signals = Signals::listen(global.timeout, Arc::clone(view) as _);
    let invocation = Invocation { global, signals: &signals, view: view.as_ref() };
    match action {
        SlackAction::Plan(asked) => plan::run(asked, ID, invocation).await,
        SlackAction::Apply(asked) => apply::run(asked.apply, asked.keeping, ID, invocation).await,
        SlackAction::Drift(asked) => drift::run(asked, Scope::One(ID), invocation).await,
        SlackAction::Destroy(asked) => destroy::run(asked, ID, invocation).await,
        SlackAction::Output(asked) => {
            signals.unless_stopped(output::run(asked, Scope::One(ID), global, view.as_ref())).await
        }
        SlackAction::Token { out } => token::run(&out, global, view.as_ref()).await,
    }
}

async fn act_on_all(action: InAll, global: &Global, view: &Arc<dyn View>) -> CommandResult {
    if let Some((id, word)) = action.named_provider() {
        return Err(Failure::Usage(format!(
            "no file `{id}`; for that section alone its name comes first: `provision {id} {word}`"
        )));
    }
    let signals = Signals::listen(global.timeout, Arc::clone(view) as _);
    let invocation = Invocation { global, signals: &signals, view: view.as_ref() };
    match action {
        InAll::Plan(asked) => all::plan(asked, invocation).await,
        InAll::Apply(asked) => all::apply(asked, invocation).await,
        InAll::Drift(asked) => drift::run(asked, Scope::All, invocation).await,
        InAll::Verify(asked) => verify::run(asked, Scope::All, invocation).await,
        InAll::Output(asked) => signals.unless_stopped(output::run(asked, Scope::All, global, view.as_ref())).await,
        InAll::Destroy(asked) => all::destroy(asked, invocation).await,
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
        Command::InCloud(InCloud::Aws(action) | InCloud::Gcp(action)) => prints(action),
        Command::InCloud(InCloud::Azure(AzureAction::InAnyCloud(action))) => prints(action),
        Command::InCloud(InCloud::Auth0(action)) => prints_anywhere(action),
        Command::Slack(SlackAction::Apply(_) | SlackAction::Destroy(_))
        | Command::InAll(InAll::Apply(_) | InAll::Destroy(_)) => Prints::Run,
        Command::InAll(InAll::Verify(_)) => Prints::Proof,
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
        Action::Anywhere(action) => prints_anywhere(action),
        Action::Verify(_) => Prints::Proof,
        Action::Permissions(_) => Prints::Document,
    }
}

const fn prints_anywhere(action: &Anywhere) -> Prints {
    match action {
        Anywhere::Apply(_) | Anywhere::Destroy(_) => Prints::Run,
        Anywhere::Plan(_) | Anywhere::Drift(_) | Anywhere::Output(_) => Prints::Document,
    }
}
