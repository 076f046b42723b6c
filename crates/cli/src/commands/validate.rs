//! `provision validate`: check a plan file without sending anything.

use std::path::PathBuf;

use serde_json::json;

use crate::arguments::Global;
use crate::commands::Ended;
use crate::exit::Exit;
use crate::session::{check, plan_file_path};

pub(crate) fn run(plan_file: Option<PathBuf>, global: &Global) -> Ended {
    let checked = check(&plan_file_path(plan_file))?;
    let name = &checked.source.name;
    let text = match global.json {
        true => format!("{:#}\n", json!({"plan_file": name, "problems": []})),
        false => format!("{name} is valid\n"),
    };
    crate::view::result(&text);
    Ok(Exit::Done)
}
