//! One file a command: read the arguments, call the core, hand the result to a view.

mod apply;
mod completions;
mod destroy;
mod drift;
mod execution;
mod init;
mod output;
mod plan;
mod sandbox;
mod schema;
mod show;
mod validate;

use anstream::ColorChoice;
use provision_core::Error;
use provision_core::plan_file::PlanFileError;
use serde_json::json;

use crate::arguments::{Action, Arguments, Cloud, Command, Global, SandboxAction};
use crate::exit::Exit;
use crate::view;

/// Why a command ended early.
pub(crate) enum Failure {
    /// Plan files have problems.
    PlanFiles(Vec<PlanFileError>),
    /// Something failed.
    Errors(Vec<Error>),
    /// The same, with the errors in the document that was printed.
    Shown(Vec<Error>),
    /// The command line does not fit.
    Usage(String),
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        Self::PlanFiles(vec![error])
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Errors(vec![error])
    }
}

/// How a command ends.
pub(crate) type Ended = Result<Exit, Failure>;

/// Run a command and show how it ended.
pub(crate) async fn run(arguments: Arguments) -> Exit {
    let global = arguments.global;
    choose_color(&global);
    if global.sandbox.is_some() && matches!(arguments.command, Command::Sandbox(_)) {
        let usage = "`provision sandbox` takes its folder with `--dir`".to_owned();
        return report(&Failure::Usage(usage), &global);
    }
    let ended = match arguments.command {
        Command::Aws(action) => act(action, Cloud::Aws, &global).await,
        Command::Gcp(action) => act(action, Cloud::Gcp, &global).await,
        Command::Azure(action) => act(action, Cloud::Azure, &global).await,
        Command::Init { cloud } => init::run(cloud),
        Command::Validate { plan_file } => validate::run(plan_file, &global),
        Command::Schema => schema::run(),
        Command::Show { change_set } => show::run(&change_set, &global),
        Command::Sandbox(SandboxAction::Serve { dir, port, faults }) => sandbox::serve(dir, port, faults).await,
        Command::Sandbox(SandboxAction::Reset { dir }) => sandbox::reset(&dir),
        Command::Completions { shell } => completions::run(shell),
    };
    ended.unwrap_or_else(|failure| report(&failure, &global))
}

async fn act(action: Action, cloud: Cloud, global: &Global) -> Ended {
    match action {
        Action::Plan { plan_file, out, detailed_exitcode, orphans } => {
            plan::run(plan_file, cloud, out, detailed_exitcode, orphans, global).await
        }
        Action::Apply { plan_file, yes, orphans } => apply::run(plan_file, cloud, yes, orphans, global).await,
        Action::Drift { plan_files, format } => drift::run(plan_files, cloud, format, global).await,
        Action::Destroy { plan_file, yes, delete_data, orphans } => {
            destroy::run(plan_file, cloud, yes, delete_data, orphans, global).await
        }
        Action::Output { plan_file, name, format, reveal, no_secrets, out } => {
            let secrets = output::Secrets::asked(reveal, no_secrets, out.is_some());
            output::run(plan_file, cloud, name, output::Target { format, secrets, out }, global).await
        }
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

/// Show a failure, and give its exit code.
fn report(failure: &Failure, global: &Global) -> Exit {
    if global.json && !matches!(failure, Failure::Shown(_)) {
        // One line: after the events of an apply it is one more of them.
        view::result(&format!("{}\n", as_json(failure)));
    }
    match failure {
        Failure::PlanFiles(errors) => {
            let colored = anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
            errors.iter().for_each(|error| view::diagnostic(&error.render(colored)));
            Exit::Usage
        }
        Failure::Errors(errors) | Failure::Shown(errors) => {
            view::diagnostic(&view::error::texts(errors));
            Exit::of_all(errors)
        }
        Failure::Usage(message) => {
            view::diagnostic(&format!("error: {message}\n"));
            Exit::Usage
        }
    }
}

fn as_json(failure: &Failure) -> serde_json::Value {
    match failure {
        Failure::PlanFiles(errors) => {
            let problems: Vec<_> = errors.iter().flat_map(PlanFileError::problems).collect();
            json!({"error": errors.first().map(ToString::to_string), "problems": problems})
        }
        Failure::Errors(errors) | Failure::Shown(errors) => json!({"type": "errors", "errors": errors}),
        Failure::Usage(message) => json!({"error": message}),
    }
}
