//! `provision schema`: the JSON Schemas of plan files and of what programs read, from the types that read and print them.

use crate::arguments::Document;
use crate::exit::{CommandResult, Exit};
use crate::providers;
use crate::view;
use crate::view::json::schemas;

pub(crate) fn run(of: Document) -> CommandResult {
    let schema = match of {
        Document::PlanFile => providers::schema(),
        Document::Plan => schemas::plan(),
        Document::Events => schemas::events(),
        Document::Drift => schemas::drift(),
        Document::Output => schemas::output(),
        Document::Doctor => schemas::doctor(),
        Document::Diff => schemas::diff(),
    };
    view::result(&format!("{schema:#}\n"));
    Ok(Exit::Done)
}
