//! `provision <cloud> destroy`: delete what we created, release what we adopted.

use std::path::PathBuf;

use provision_core::change_set::Purpose;
use serde_json::json;

use crate::arguments::{Cloud, Global};
use crate::commands::execution::{self, Run};
use crate::commands::{Ended, Failure, plan};
use crate::exit::Exit;
use crate::session::{Session, check, plan_file_path};
use crate::view;

pub(crate) async fn run(
    given: Option<PathBuf>,
    cloud: Cloud,
    yes: bool,
    delete_data: Option<String>,
    orphans: bool,
    global: &Global,
) -> Ended {
    let path = plan_file_path(given, cloud);
    let checked = check(&path, cloud)?;
    execution::can_ask(yes, "destroy")?;
    let bucket = checked.settings.data_name();
    if let Some(named) = delete_data.as_deref().filter(|named| *named != bucket) {
        return Err(Failure::Usage(format!(
            "`--delete-data {named}` names another bucket than the plan file's, `{bucket}`"
        )));
    }
    let intent = checked.intent(Purpose::Destroy { delete_data }, orphans);
    let session = Session::open(&[&checked], global)?;
    let provider = checked.settings.provisioner(&session.connection).await?;
    let set = checked.change_set(provider.as_ref(), &intent).await?;
    match global.json {
        true => view::result(&format!("{}\n", json!({"type": "change_set", "change_set": set}))),
        false => plan::print(&set, global),
    }
    let obstacles = set.obstacles();
    if !obstacles.is_empty() {
        return Err(Failure::Errors(obstacles));
    }
    if !set.has_changes() {
        return Ok(Exit::Done);
    }
    if !yes {
        execution::confirm(&checked, provider.as_ref(), &intent, &set, "Destroy this deployment?").await?;
    }
    let run = Run::begin(global);
    let outcome = run.execute(provider.as_ref(), &set).await;
    if !outcome.is_complete() {
        let command = execution::again("destroy", &set, global);
        return execution::incomplete(&outcome, &run.reason, &set, &command);
    }
    if !global.json {
        view::result(&format!("\nDestroyed deployment `{}`.\n", set.deployment));
    }
    Ok(Exit::Done)
}
