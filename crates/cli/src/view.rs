//! What people and programs see. Results go to stdout, progress and diagnostics to stderr.

pub(crate) mod words;
pub(crate) mod error;
pub(crate) mod compared;
pub(crate) mod json;
pub(crate) mod report;
pub(crate) mod human;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use provision_core::change_set::ChangeSet;
use provision_core::doctor::Check;
use provision_core::event::EventSink;
use provision_core::output::Output;
use provision_core::permissions::Document;
use provision_core::printable::harmless;
use provision_core::verify::Proof;
use provision_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::Serialize;

use crate::arguments::Shard;
use crate::exit::Failure;
use crate::providers::ProviderId;
use compared::Compared;

/// How everything that a command has to say is shown. It is chosen once, from the flags.
pub(crate) trait View: EventSink {
    /// What `plan` found, what stands in its way, and the command that does it, where no other one is told.
    fn plan(&self, set: &ChangeSet, blockers: &[Error], next: Option<&str>);

    /// The same of all sections of a plan file, and why others could not be looked at.
    fn plans(&self, sets: &[ChangeSet], errors: &[Error]);

    /// What apply or destroy is about to do, once somebody has agreed to it or without that.
    fn change_set(&self, set: &ChangeSet, consent: Consent);

    /// The same of all sections of a plan file.
    fn change_sets(&self, sets: &[&ChangeSet], consent: Consent) {
        sets.iter().for_each(|set| self.change_set(set, consent));
    }

    /// A change set that was saved.
    fn saved(&self, set: &ChangeSet);

    /// What `drift` found of each deployment, and why others could not be looked at.
    fn drift(&self, looked: &Looked);

    /// Rights as documents, with what to do with each and what to know of it.
    fn permissions(&self, documents: &[Document]);

    /// What `verify` found, and how long that took; its hops are events.
    fn proven(&self, proof: &Proof, elapsed: Duration);

    /// The same of many deployments.
    fn all_proven(&self, proofs: &Proofs);

    /// What `doctor` found.
    fn examined(&self, examination: &Examination);

    /// What `diff` found of each deployment.
    fn compared(&self, compared: &[Compared]);

    /// A plan file without problems.
    fn valid(&self, plan_file: &Path);

    /// How an apply or a destroy ended that had begun, of each section that it was about.
    fn ended(&self, ends: &[End<'_>]);

    /// How one of many plan files was applied.
    fn applied(&self, one: &Applied);

    /// The same of all of them.
    fn all_applied(&self, all: &[Applied], stopped: bool, elapsed: Duration);

    /// Why the command ended early.
    fn failure(&self, failure: &Failure);

    /// What a reader may want to know, unless told to be quiet.
    fn note(&self, text: &str);
}

/// What `doctor` looked at.
pub(crate) struct Examination {
    pub(crate) cloud: ProviderId,
    /// The plan file, where it can be used.
    pub(crate) plan_file: Option<String>,
    pub(crate) checks: Vec<Check>,
}

/// Whether somebody is asked before anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// A question follows, which nobody can answer who does not see what it is about.
    Asked,
    /// It was given with the command.
    Given,
}

/// How an apply or a destroy ended that had begun.
pub(crate) struct End<'a> {
    /// What was executed.
    pub(crate) set: &'a ChangeSet,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// What was written.
    pub(crate) done: Vec<String>,
    /// What failed.
    pub(crate) failed: Vec<String>,
    /// What was not begun.
    pub(crate) not_done: Vec<String>,
    /// Why not.
    pub(crate) errors: Vec<Error>,
    /// Whether the cloud shows all of it.
    pub(crate) complete: bool,
    /// Whether it was told to stop, by a signal or the time limit.
    pub(crate) stopped: bool,
    /// The settings for the server, where there are any now.
    pub(crate) outputs: Vec<Output>,
    /// What is left to the user.
    pub(crate) next_steps: Option<String>,
    /// The command that goes on where this run ended.
    pub(crate) again: String,
}

impl End<'_> {
    /// How to go on with a run that is not complete; nothing where somebody has to look first.
    pub(crate) fn go_on(&self) -> String {
        match self.again.as_str() {
            "" => String::new(),
            again => format!("\nrun `{again}` again: it goes on where this run ended\n"),
        }
    }
}

/// What came of looking at each of many deployments.
#[derive(Default)]
pub(crate) struct Looked {
    pub(crate) sets: Vec<ChangeSet>,
    /// Why others could not be looked at.
    pub(crate) errors: Vec<Error>,
    /// The share of them that was asked for.
    pub(crate) shard: Option<Shard>,
    /// When the look began.
    pub(crate) began: Option<String>,
}

/// What came of proving each of many deployments.
pub(crate) struct Proofs {
    /// With how long each took.
    pub(crate) proven: Vec<(Proof, Duration)>,
    /// Why others could not be proven.
    pub(crate) errors: Vec<Error>,
    pub(crate) stopped: bool,
    pub(crate) elapsed: Duration,
}

/// How one of many plan files was applied.
pub(crate) struct Applied {
    /// Whose it is; the plan file where that cannot be known.
    pub(crate) deployment: String,
    pub(crate) plan_file: String,
    pub(crate) outcome: Outcome,
    /// What was written.
    pub(crate) done: usize,
    pub(crate) elapsed: Duration,
    /// Why it is not as the plan file says.
    pub(crate) errors: Vec<Error>,
    /// The command that goes on where it ended.
    pub(crate) again: String,
}

impl Applied {
    /// Whether the same command would go on where it ended: not before somebody has mended what is refused or wrong.
    pub(crate) fn goes_on(&self) -> bool {
        let is_final = |error: &Error| matches!(error.kind(), ErrorKind::PlanFile | ErrorKind::Refused);
        self.outcome == Outcome::Failed
            && !self.errors.iter().any(|error| is_final(error) || error.asks_to_look_first())
    }
}

/// The same of all of them. What was not begun for failures that are final is not begun the next time either.
pub(crate) fn goes_on(all: &[Applied], stopped: bool) -> bool {
    let any = |outcome| all.iter().any(|one| one.outcome == outcome);
    let left = any(Outcome::NotBegun) && (stopped || !any(Outcome::Failed));
    left || all.iter().any(Applied::goes_on)
}

/// What an apply of one of many plan files came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// All of it is written, and the cloud shows it.
    Applied,
    /// There was nothing to do.
    Unchanged,
    /// Something failed; what was written before stays.
    Failed,
    /// It was not begun.
    NotBegun,
}

/// Whether a result could not be printed.
static WRITE_FAILED: AtomicBool = AtomicBool::new(false);

/// Print a result. A reader that has gone away is no failure of ours; a full disk is.
pub(crate) fn result(text: &str) {
    let mut stdout = anstream::stdout();
    written(write!(stdout, "{text}").and_then(|()| stdout.flush()));
}

fn written(result: std::io::Result<()>) {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            WRITE_FAILED.store(true, Ordering::Relaxed);
            diagnostic(&format!("error: cannot print the result: {error}\n"));
        }
        _ => {}
    }
}

/// Print a result byte for byte: whatever a value holds is the reader's. A terminal gets nothing that it would obey.
pub(crate) fn exact(text: &str) {
    if std::io::stdout().is_terminal() {
        return result(&for_people(text));
    }
    let mut stdout = std::io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// Whether some result was lost, so that the command must not seem to have succeeded.
pub(crate) fn write_failed() -> bool {
    WRITE_FAILED.load(Ordering::Relaxed)
}

/// Print progress or a diagnostic.
pub(crate) fn diagnostic(text: &str) {
    let _ = write!(anstream::stderr(), "{}", for_people(text));
}

/// Print what is wrong with a command line, in which anything may stand; or help and version.
pub(crate) fn usage(error: &clap::Error) {
    if error.use_stderr() {
        diagnostic(&error.render().ansi().to_string());
    } else {
        // Nothing can be done about a closed stream.
        let _ = error.print();
    }
}

/// A text with the styles that we gave it, and without anything else that a terminal would obey.
pub(crate) fn for_people(text: &str) -> String {
    let mut styled = text.split("\u{1b}[");
    let plain = |text: &str| text.split('\n').map(harmless).collect::<Vec<_>>().join("\n");
    let first = plain(styled.next().unwrap_or_default());
    styled.fold(first, |shown, part| match part.find('m').filter(|end| is_style(&part[..*end])) {
        Some(end) => format!("{shown}\u{1b}[{}{}", &part[..=end], plain(&part[end + 1..])),
        None => format!("{shown}\\u{{1b}}[{}", plain(part)),
    })
}

/// Whether these are the numbers of a style: `1;31`.
fn is_style(numbers: &str) -> bool {
    numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
}

#[cfg(test)]
mod tests {
    use super::for_people;

    #[test]
    fn people_see_our_styles_and_nothing_that_others_wrote_is_obeyed() {
        let text = "\u{1b}[1;31merror\u{1b}[0m: a\u{9b}2J\u{202e}b\u{1b}]0;title\u{7}\n\u{1b}[2Jc\n";
        let shown = for_people(text);
        assert_eq!(shown, "\u{1b}[1;31merror\u{1b}[0m: a\\u{9b}2J\\u{202e}b\\u{1b}]0;title\\u{7}\n\\u{1b}[2Jc\n");
        assert_eq!(for_people("tab\tnew\n"), "tab\\u{9}new\n");
    }
}
