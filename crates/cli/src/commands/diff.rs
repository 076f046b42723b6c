//! `provision diff`: two saved reports of drift side by side. Nothing is sent.

use crate::arguments::{Diff, Global, ReportFormat};
use crate::drift_reports::read;
use crate::exit::{CommandResult, Exit};
use crate::view::compared::{Compared, compare};
use crate::view::report::compared::markdown;
use crate::view::{self, View};

pub(crate) fn run(asked: &Diff, global: &Global, view: &dyn View) -> CommandResult {
    let compared = compare(&read(&asked.old)?, &read(&asked.new)?);
    match asked.format {
        ReportFormat::Markdown if !global.json => view::result(&markdown(&compared)),
        _ => view.compared(&compared),
    }
    Ok(if compared.iter().all(Compared::is_same) { Exit::Done } else { Exit::Changes })
}
