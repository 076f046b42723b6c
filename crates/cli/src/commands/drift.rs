//! `provision <cloud> drift`: find out whether somebody changed the cloud.

use std::path::PathBuf;

use provision_core::change_set::{ChangeSet, Purpose};
use serde_json::json;

use crate::arguments::{Cloud, Global, ReportFormat};
use crate::commands::{Ended, Failure};
use crate::exit::Exit;
use crate::session::{check, plan_file_path};
use crate::view;

pub(crate) async fn run(plan_files: Vec<PathBuf>, cloud: Cloud, format: ReportFormat, global: &Global) -> Ended {
    let paths = if plan_files.is_empty() { vec![plan_file_path(None, cloud)] } else { plan_files };
    let checked = paths.iter().map(|path| check(path, cloud)).collect::<Result<Vec<_>, _>>()?;
    let mut sets = Vec::new();
    for checked in &checked {
        let observer = checked.observer(global).await?;
        sets.push(checked.change_set(observer.as_ref(), &checked.intent(Purpose::Apply, false)).await?);
    }
    print(&sets, format, global);
    // What cannot be read, or is not ours, is unknown: never in sync.
    let obstacles: Vec<_> = sets.iter().flat_map(ChangeSet::obstacles).collect();
    if !obstacles.is_empty() {
        return Err(Failure::Errors(obstacles, sets.first().map(|set| set.plan_file.name.clone())));
    }
    Ok(if sets.iter().any(drifted) { Exit::Changes } else { Exit::Done })
}

fn drifted(set: &ChangeSet) -> bool {
    set.has_drift() || set.nothing_exists()
}

fn print(sets: &[ChangeSet], format: ReportFormat, global: &Global) {
    if global.json {
        let found: Vec<_> =
            sets.iter().map(|set| json!({"verdict": view::drift::verdict(set), "change_set": set})).collect();
        return view::result(&format!("{:#}\n", json!(found)));
    }
    match format {
        ReportFormat::Text => {}
        ReportFormat::Markdown => return view::result(&view::drift::markdown(sets)),
        ReportFormat::Junit => return view::result(&view::drift::junit(sets)),
        ReportFormat::Sarif => return view::result(&view::drift::sarif(sets)),
    }
    for set in sets {
        if set.has_changes() || !set.unreadable.is_empty() {
            view::result(&view::change_set::text(set, view::change_set::Detail::Changes));
        }
        view::result(&format!("{}: {}\n", set.deployment, view::drift::verdict(set)));
    }
}
