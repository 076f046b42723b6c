//! What a look came to, printed in one format and written into files in others: one look for all of them.

use std::path::Path;

use provision_core::change_set::ChangeSet;
use provision_core::file::{self, Readers};
use provision_core::{Error, ErrorKind};

use crate::arguments::{Global, PlanReporting, Report, ReportFormat};
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::is_same;
use crate::view::report::look::Look;
use crate::view::{self, Looked, View};

/// The most bytes of a former report.
const LARGEST_REPORT: u64 = 16 << 20;

/// How what was found is printed, and into which files it is written.
pub(crate) struct Reporting {
    pub(crate) format: ReportFormat,
    pub(crate) files: Vec<Report>,
}

impl From<PlanReporting> for Reporting {
    fn from(asked: PlanReporting) -> Self {
        Self { format: asked.format, files: asked.report }
    }
}

impl Reporting {
    /// Each report is a file of its own, and none of those that the command reads or writes: known before anything is sent.
    pub(crate) fn can_write(&self, others: &[&Path]) -> Result<(), Failure> {
        for (index, report) in self.files.iter().enumerate() {
            let flag = format!("--report {}", report.file.display());
            if self.files[..index].iter().any(|earlier| is_same(&earlier.file, &report.file)) {
                return Err(Failure::Usage(format!("`{flag}` is named twice: each report needs a file of its own")));
            }
            if others.iter().any(|other| is_same(&report.file, other)) {
                return Err(Failure::Usage(format!("`{flag}` is another file of this command: name one of its own")));
            }
            file::replaceable(&report.file)
                .map_err(|error| Failure::Usage(format!("`{flag}` cannot be written: {error}")))?;
        }
        Ok(())
    }

    /// Print it, for people or as JSON by `as_usual`, and write the files.
    pub(crate) fn tell(&self, look: &Look<'_>, global: &Global, as_usual: impl FnOnce()) -> Result<(), Error> {
        let flags = global.sandbox_flag();
        match look.text(self.format, &flags, "").filter(|_| !global.json) {
            Some(text) => view::result(&text),
            None => as_usual(),
        }
        self.files.iter().try_for_each(|report| write(report, look, &flags))
    }

    /// What a look for drift came to, and the exit code of that.
    pub(crate) fn tell_drift(&self, looked: Looked, global: &Global, view: &dyn View) -> CommandResult {
        self.tell(&Look::Drift(&looked), global, || view.drift(&looked))?;
        // What cannot be read, or is not ours, is unknown: never in sync.
        let unknowns = looked.sets.iter().flat_map(ChangeSet::unknowns);
        let blockers: Vec<_> = looked.errors.iter().cloned().chain(unknowns).collect();
        if !blockers.is_empty() {
            return Err(Failure::Shown(Exit::of_all(&blockers), blockers));
        }
        let has_drifted = |set: &ChangeSet| set.has_drift() || set.nothing_exists();
        Ok(if looked.sets.iter().any(has_drifted) { Exit::Changes } else { Exit::Done })
    }

    /// The same for what could not be looked at; why is told at the end of the command.
    pub(crate) fn tell_failure(&self, failure: Failure, global: &Global) -> Failure {
        if let Err(error) = self.tell(&Look::Failed(&failure), global, || ()) {
            view::diagnostic(&view::error::texts(&[error]));
        }
        failure
    }
}

/// The report in whose place another one comes; what cannot be read says nothing.
fn former(path: &Path) -> String {
    let read = file::read(path, LARGEST_REPORT).ok();
    read.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn write(report: &Report, look: &Look<'_>, flags: &str) -> Result<(), Error> {
    let former = if report.format == ReportFormat::Html { former(&report.file) } else { String::new() };
    let text = look.text(report.format, flags, &former).unwrap_or_default();
    file::replace(&report.file, &text, Readers::Usual).map_err(|error| {
        let tried = format!("cannot write report `{}`", report.file.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })
}
