//! `provision validate`: check a plan file without sending anything.

use std::path::PathBuf;

use serde_json::json;

use crate::arguments::{Cloud, Global};
use crate::commands::Ended;
use crate::exit::Exit;
use crate::session::{check_all, default_path};

pub(crate) fn run(plan_file: Option<PathBuf>, global: &Global) -> Ended {
    let path = plan_file.unwrap_or_else(|| default_path(&Cloud::ALL));
    check_all(&path)?;
    let name = path.display();
    let text = match global.json {
        true => format!("{:#}\n", json!({"plan_file": name.to_string(), "problems": []})),
        false => format!("{name} is valid\n"),
    };
    crate::view::result(&text);
    Ok(Exit::Done)
}
