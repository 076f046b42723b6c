//! What people see.

mod layout;
mod change_set;
mod drift;
mod verify;
mod progress;

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use provision_core::Error;
use provision_core::change_set::{Action, ChangeSet, Purpose};
use provision_core::event::{Event, EventSink};
use provision_core::output::{Setting, table};
use provision_core::verify::Proof;

use super::{End, View, diagnostic, error, for_people, proof, report, result};
use crate::arguments::{Global, ProofFormat, ReportFormat, quoted};
use crate::exit::Failure;
use change_set::Detail;
use progress::{Lines, Rows};

/// Texts on both streams.
pub(crate) struct Human {
    detail: Detail,
    quiet: bool,
    /// What the next command needs too, to be meant for the same cloud.
    flags: String,
    events: Box<dyn EventSink>,
}

impl Human {
    /// As the flags ask.
    pub(crate) fn new(global: &Global) -> Self {
        let quiet = global.quiet;
        // A terminal that cannot move its cursor gets lines too.
        let is_lively = std::io::stderr().is_terminal() && std::env::var("TERM").as_deref() != Ok("dumb");
        let events: Box<dyn EventSink> = match is_lively {
            true if !quiet => Box::new(Rows::default()),
            _ => Box::new(Lines { quiet }),
        };
        let detail = if global.verbose { Detail::Everything } else { Detail::Changes };
        Self { detail, quiet, flags: global.sandbox_flag(), events }
    }
}

impl Human {
    fn drift_text(&self, sets: &[ChangeSet], errors: &[Error]) {
        for set in sets {
            let text = if self.quiet { drift::brief(set) } else { drift::text(set, &self.flags) };
            result(&for_people(&text));
        }
        for error in errors {
            result(&format!("{}: unknown\n", error.plan_file().unwrap_or("-")));
        }
    }
}

impl Human {
    /// The settings for the server; a secret that was not asked for is a comment, which nothing takes for its value.
    fn settings(&self, end: &End<'_>) -> String {
        let (sealed, open): (Vec<_>, Vec<_>) =
            end.outputs.iter().cloned().partition(|output| matches!(output.value, Setting::Sealed));
        let (cloud, file) = (&end.set.cloud, quoted(&end.set.plan_file.name));
        let show = format!("`provision {cloud} output {file} --reveal{}` shows it", self.flags);
        let hidden = sealed.iter().map(|output| format!("# {} is hidden: {show}\n", output.name));
        table(&open) + &hidden.collect::<String>()
    }
}

impl EventSink for Human {
    fn emit(&self, event: Event) {
        self.events.emit(event);
    }
}

impl View for Human {
    fn plan(&self, set: &ChangeSet, _: &[Error]) {
        self.saved(set);
    }

    fn change_set(&self, set: &ChangeSet) {
        self.saved(set);
    }

    fn saved(&self, set: &ChangeSet) {
        result(&for_people(&change_set::text(set, self.detail)));
    }

    fn drift(&self, sets: &[ChangeSet], errors: &[Error], format: ReportFormat) {
        match format {
            ReportFormat::Text => self.drift_text(sets, errors),
            ReportFormat::Markdown => result(&report::markdown::text(sets, errors)),
            ReportFormat::Junit => result(&report::junit::text(sets, errors)),
            ReportFormat::Sarif => result(&report::sarif::text(sets, errors)),
        }
    }

    fn proven(&self, proof: &Proof, format: ProofFormat, elapsed: Duration) {
        match format {
            ProofFormat::Text => result(&for_people(&verify::text(proof, elapsed))),
            ProofFormat::Junit => result(&proof::junit(proof)),
        }
    }

    fn valid(&self, plan_file: &Path) {
        result(&format!("{} is valid\n", plan_file.display()));
    }

    fn ended(&self, end: &End<'_>) {
        if !end.complete {
            return diagnostic(&incomplete(end));
        }
        let sentence = end.set.has_changes().then(|| in_one_sentence(end.set, end.elapsed) + "\n");
        let settings = (!end.outputs.is_empty()).then(|| self.settings(end));
        let parts: String = sentence.into_iter().chain(settings).map(|part| format!("\n{part}")).collect();
        result(&parts);
        if let Some(left) = &end.next_steps {
            self.note(&format!("\n{left}\n"));
        }
    }

    fn failure(&self, failure: &Failure) {
        diagnostic(&error::failure(failure));
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            diagnostic(text);
        }
    }
}

/// What came of a run that is complete.
fn in_one_sentence(set: &ChangeSet, elapsed: Duration) -> String {
    let verb = if set.purpose == Purpose::Apply { "Applied" } else { "Destroyed deployment" };
    let words = [
        (Action::Create, "created"),
        (Action::Adopt, "adopted"),
        (Action::Update, "updated"),
        (Action::Restore, "restored"),
        (Action::Delete, "deleted"),
        (Action::Release, "released"),
    ];
    let counts = words.iter().map(|(action, word)| (set.count(*action), word)).filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{verb} `{}` in {:.1} s{counts}.", set.deployment, elapsed.as_secs_f64())
}

/// Why a run is not complete, what it did, and how to go on.
fn incomplete(end: &End<'_>) -> String {
    if end.errors.is_empty() && end.not_done.is_empty() {
        return "all changes are written; stopped before the cloud showed them\n".to_owned();
    }
    let list = |title: &str, items: &[String]| match items {
        [] => String::new(),
        items => format!("{title}:\n{}", items.iter().map(|item| format!("  {item}\n")).collect::<String>()),
    };
    let (done, not_done) = (list("\ndone", &end.done), list("\nnot done", &end.not_done));
    format!(
        "{}{done}{not_done}\nrun `{}` again: it goes on where this run ended\n",
        error::texts(&end.errors),
        end.again
    )
}
