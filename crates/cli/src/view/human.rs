//! What people see.

mod layout;
mod change_set;
mod drift;
mod progress;

use std::io::IsTerminal as _;
use std::path::Path;

use provision_core::Error;
use provision_core::change_set::ChangeSet;
use provision_core::event::{Event, EventSink};
use provision_core::output::{Output, table};

use super::{View, diagnostic, error, for_people, report, result};
use crate::arguments::{Global, ReportFormat};
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
        let events: Box<dyn EventSink> = match std::io::stderr().is_terminal() {
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
            result(&for_people(&drift::text(set, &self.flags)));
        }
        for error in errors {
            result(&format!("{}: unknown\n", error.plan_file().unwrap_or("-")));
        }
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

    fn valid(&self, plan_file: &Path) {
        result(&format!("{} is valid\n", plan_file.display()));
    }

    fn applied(&self, cloud: &str, outputs: &[Output], next_steps: Option<String>) {
        result(&format!("\n{}", table(outputs)));
        if outputs.iter().any(Output::is_sensitive) {
            self.note(&format!("secrets are shown by `provision {cloud} output --reveal`\n"));
        }
        if let Some(left) = next_steps {
            self.note(&format!("\n{left}\n"));
        }
    }

    fn destroyed(&self, deployment: &str) {
        result(&format!("\nDestroyed deployment `{deployment}`.\n"));
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
