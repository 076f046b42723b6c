//! Exit codes, decided in one place.

use std::process::ExitCode;

use provision_core::plan_file::{PlanFileError, Problem};
use provision_core::{Error, ErrorKind};

/// The exit codes, as the help and the manual show them.
pub(crate) const MEANINGS: [(&str, &str); 9] = [
    ("0", "done, or in sync"),
    ("1", "failure, or something could not be read"),
    ("2", "drift, a failed hop, a difference; changes (`--detailed-exitcode`)"),
    ("3", "stale change set, or a change by somebody else during the run"),
    ("4", "credentials, or no region"),
    ("5", "partly applied, or out of time: run the same command again"),
    ("6", "refused: not ours, protected, not empty, not confirmed"),
    ("64", "usage or plan file"),
    ("130, 143", "interrupted; run the same command again"),
];

/// How a command ended; [`MEANINGS`] says what the codes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failure,
    Changes,
    Stale,
    Credentials,
    Partial,
    Refused,
    Usage,
    Interrupted,
    Terminated,
}

impl Exit {
    /// Its number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failure => 1,
            Self::Changes => 2,
            Self::Stale => 3,
            Self::Credentials => 4,
            Self::Partial => 5,
            Self::Refused => 6,
            Self::Usage => 64,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The code of an error that ended the command before anything was written.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Unauthenticated => Self::Credentials,
            ErrorKind::PlanFile => Self::Usage,
            ErrorKind::Refused => Self::Refused,
            ErrorKind::Stale => Self::Stale,
            ErrorKind::Interrupted => Self::Interrupted,
            _ => Self::Failure,
        }
    }

    /// The code of several errors: the one that asks most of the reader.
    pub(crate) fn of_all(errors: &[Error]) -> Self {
        let order = [Self::Usage, Self::Credentials, Self::Failure, Self::Stale, Self::Refused, Self::Interrupted];
        order.into_iter().find(|exit| errors.iter().any(|error| Self::of(error) == *exit)).unwrap_or(Self::Done)
    }
}

impl Exit {
    /// How much it asks of the reader, beside others of one run.
    pub(crate) const fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Changes => 1,
            Self::Refused => 2,
            Self::Stale => 3,
            Self::Failure => 4,
            Self::Credentials => 5,
            Self::Partial => 6,
            Self::Usage | Self::Interrupted | Self::Terminated => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// How a command line ended that is not run: help and version are done; clap's own code 2 means drift here.
pub(crate) fn of_usage(error: &clap::Error) -> Exit {
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

/// Why a command ended early.
pub(crate) enum Failure {
    /// Plan files have problems.
    PlanFiles(Vec<PlanFileError>),
    /// Something failed.
    Errors(Vec<Error>),
    /// The same, with the errors in the document that was printed.
    Shown(Exit, Vec<Error>),
    /// The command line does not fit.
    Usage(String),
    /// It was told to stop before anything was written.
    Stopped(Exit, Error),
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

impl Failure {
    /// The errors, for reports: each problem of a plan file is one.
    pub(crate) fn errors(&self) -> Vec<Error> {
        match self {
            Self::PlanFiles(errors) => errors.iter().flat_map(of_plan_file).collect(),
            Self::Errors(errors) | Self::Shown(_, errors) => errors.clone(),
            Self::Usage(message) => vec![Error::new(ErrorKind::Refused, message)],
            Self::Stopped(_, error) => vec![error.clone()],
        }
    }

    /// The same of a run that was told to stop, by whose exit code it ends then.
    pub(crate) fn ended_by(self, stopped: Option<Exit>) -> Self {
        match (self, stopped) {
            (Self::Shown(_, errors), Some(exit)) => Self::Shown(exit, errors),
            (failure, _) => failure,
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::PlanFiles(_) | Self::Usage(_) => Exit::Usage,
            Self::Errors(errors) => Exit::of_all(errors),
            Self::Shown(exit, _) | Self::Stopped(exit, _) => *exit,
        }
    }
}

fn of_plan_file(file: &PlanFileError) -> Vec<Error> {
    let named = |error: Error| match file.plan_file() {
        Some(name) => error.with_plan_file(name),
        None => error,
    };
    let error = |problem: Problem| {
        let error = Error::new(ErrorKind::PlanFile, problem.message).with_message(problem.label);
        let error = named(error.on_line(problem.position.line));
        problem.help.iter().fold(error, |error, help| error.with_hint(help))
    };
    let problems: Vec<_> = file.problems().into_iter().map(error).collect();
    let whole = || {
        let error = named(Error::new(ErrorKind::PlanFile, file.to_string()));
        vec![file.hint().into_iter().fold(error, |error, hint| error.with_hint(hint))]
    };
    if problems.is_empty() { whole() } else { problems }
}

/// How a command ends.
pub(crate) type CommandResult = Result<Exit, Failure>;
