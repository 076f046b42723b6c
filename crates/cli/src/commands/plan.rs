//! `provision <cloud> plan`: show what apply would do.

use std::path::{Path, PathBuf};

use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::{Error, ErrorKind};
use serde_json::json;

use crate::arguments::{Cloud, Global};
use crate::commands::{Ended, Failure, execution};
use crate::exit::Exit;
use crate::session::{Session, check, plan_file_path};
use crate::view;
use crate::view::change_set::Detail;

pub(crate) async fn run(
    plan_file: Option<PathBuf>,
    cloud: Cloud,
    out: Option<PathBuf>,
    detailed_exitcode: bool,
    orphans: bool,
    global: &Global,
) -> Ended {
    let path = plan_file_path(plan_file, cloud);
    let checked = check(&path, cloud)?;
    not_over(&path, out.as_deref())?;
    let session = Session::open(&[&checked], global)?;
    let observer = checked.settings.observer(&session.connection).await?;
    let set = checked.change_set(observer.as_ref(), &checked.intent(Purpose::Apply, orphans)).await?;
    let obstacles = set.obstacles();
    match global.json {
        true => view::result(&format!("{:#}\n", document(&set, &obstacles))),
        false => print(&set, global),
    }
    if !obstacles.is_empty() {
        return Err(Failure::Shown(obstacles));
    }
    if let Some(out) = out {
        save(&set, &out)?;
        let (file, flag) = (out.display(), execution::sandbox_flag(global));
        view::diagnostic(&format!("saved to {file}; `provision {cloud} apply {file}{flag}` executes it\n"));
    }
    Ok(if detailed_exitcode && set.has_changes() { Exit::Changes } else { Exit::Done })
}

/// A file that is written must be another one than the plan file.
pub(crate) fn not_over(plan_file: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let same =
        |out: &Path| matches!((out.canonicalize(), plan_file.canonicalize()), (Ok(out), Ok(file)) if out == file);
    match out.filter(|out| same(out)) {
        Some(out) => {
            Err(Failure::Usage(format!("`--out {}` is the plan file itself: name another file", out.display())))
        }
        None => Ok(()),
    }
}

/// The set as one document, with what stands in its way.
pub(crate) fn document(set: &ChangeSet, obstacles: &[Error]) -> serde_json::Value {
    let mut document = json!(set);
    document["errors"] = json!(obstacles);
    document
}

/// Print a set as the global flags ask.
pub(crate) fn print(set: &ChangeSet, global: &Global) {
    let detail = if global.verbose { Detail::Everything } else { Detail::Changes };
    let text = if global.json { format!("{:#}\n", json!(set)) } else { view::change_set::text(set, detail) };
    view::result(&text);
}

fn save(set: &ChangeSet, path: &Path) -> Result<(), Error> {
    std::fs::write(path, format!("{:#}\n", json!(set))).map_err(|error| {
        let tried = format!("cannot write change set `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).message(error.to_string())
    })
}
