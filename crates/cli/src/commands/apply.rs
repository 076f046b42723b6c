//! `provision <cloud> apply`: make the cloud what the plan file says, or execute a saved change set.

use std::path::{Path, PathBuf};

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, Purpose};
use provision_core::identity::Identity;
use provision_core::output::{Output, object, table};
use provision_core::provider::Provisioner;
use provision_core::{Error, ErrorKind, engine};
use serde_json::json;

use crate::arguments::{Cloud, Global};
use crate::commands::execution::{self, Run};
use crate::commands::{Ended, Failure, plan, show};
use crate::exit::Exit;
use crate::session::{Checked, Session, check, plan_file_path};
use crate::view;

pub(crate) async fn run(given: Option<PathBuf>, cloud: Cloud, yes: bool, orphans: bool, global: &Global) -> Ended {
    match given {
        Some(path) if path.extension().is_some_and(|extension| extension == "json") => {
            if orphans {
                let message = "`--orphans` is said when a change set is made: `plan --orphans --out FILE`";
                return Err(Failure::Usage(message.to_owned()));
            }
            saved(&path, cloud, global).await
        }
        given => from_plan_file(given, cloud, yes, orphans, global).await,
    }
}

async fn from_plan_file(given: Option<PathBuf>, cloud: Cloud, yes: bool, orphans: bool, global: &Global) -> Ended {
    let path = plan_file_path(given, cloud);
    let checked = check(&path, cloud)?;
    execution::can_ask(yes, "apply")?;
    let intent = checked.intent(Purpose::Apply, orphans);
    let session = Session::open(&[&checked], global)?;
    let provider = checked.settings.provisioner(&session.connection).await?;
    let set = checked.change_set(provider.as_ref(), &intent).await?;
    present(&set, global);
    let obstacles = set.obstacles();
    if !obstacles.is_empty() {
        return Err(Failure::Errors(obstacles));
    }
    if set.has_changes() && !yes {
        execution::confirm(&checked, provider.as_ref(), &intent, &set, "Apply these changes?").await?;
    }
    execute(provider.as_ref(), &intent, &set, global).await
}

/// Execute exactly what was saved, or stop as stale.
async fn saved(path: &Path, cloud: Cloud, global: &Global) -> Ended {
    let set = show::read(path)?;
    let checked = Checked::of_saved(&set).filter(|saved| saved.cloud == cloud && set.purpose == Purpose::Apply);
    let Some(checked) = checked else {
        return Err(stale(cloud, &format!("it was not made by `provision {cloud} plan`")).into());
    };
    if set.tool != env!("CARGO_PKG_VERSION") {
        let reason = format!("it was made by version {}, this is {}", set.tool, env!("CARGO_PKG_VERSION"));
        return Err(stale(cloud, &reason).into());
    }
    plan_file_unchanged(&set, cloud)?;
    let intent = checked.intent(Purpose::Apply, set.with_orphans);
    let session = Session::open(&[&checked], global)?;
    let provider = checked.settings.provisioner(&session.connection).await?;
    let now = checked.change_set(provider.as_ref(), &intent).await?;
    let (then, here) = (&set.identity, &now.identity);
    if (&then.account, &then.region, &then.endpoints) != (&here.account, &here.region, &here.endpoints) {
        let place = |identity: &Identity| {
            let place = format!("{} {} in {}", view::change_set::nouns(&set).0, identity.account, identity.region);
            if identity.endpoints.is_empty() { place } else { format!("{place} ({})", identity.endpoints.join(", ")) }
        };
        let reason = format!("it is for {}, and this is {}", place(then), place(here));
        return Err(stale(cloud, &reason).into());
    }
    if let Some(error) = now.unreadable.first() {
        return Err(error.0.clone().into());
    }
    engine::unchanged(&set, &now, "since this change set was saved")?;
    present(&set, global);
    execute(provider.as_ref(), &intent, &set, global).await
}

fn stale(cloud: Cloud, reason: &str) -> Error {
    let error = Error::new(ErrorKind::Stale, "the change set cannot be used").message(reason);
    error.hint(format!("make a new one with `provision {cloud} plan --out FILE`"))
}

/// Where the plan file is at hand, it must still say the same.
fn plan_file_unchanged(set: &ChangeSet, cloud: Cloud) -> Result<(), Failure> {
    let path = Path::new(&set.plan_file.name);
    if !path.exists() {
        return Ok(());
    }
    let now = check(path, cloud)?;
    if now.source.digest == set.plan_file.digest {
        return Ok(());
    }
    Err(stale(cloud, &format!("plan file `{}` says something else now", set.plan_file.name)).into())
}

/// `--json` promises one document a line here.
fn present(set: &ChangeSet, global: &Global) {
    if global.json {
        return view::result(&format!("{}\n", json!({"type": "change_set", "change_set": set})));
    }
    plan::print(set, global);
}

async fn execute(provider: &dyn Provisioner, intent: &Intent, set: &ChangeSet, global: &Global) -> Ended {
    if set.has_changes() {
        let run = Run::begin(global);
        let outcome = run.execute(provider, set).await;
        if !outcome.is_complete() {
            let command = execution::again("apply", set, global);
            return execution::incomplete(&outcome, &run.reason, set, &command);
        }
        if let Some(stopped) = execution::seen(provider, intent, set, &run).await? {
            return Ok(stopped);
        }
    }
    finish(provider, global);
    Ok(Exit::Done)
}

/// The settings end an apply.
fn finish(provider: &dyn Provisioner, global: &Global) {
    let outputs = provider.outputs();
    if global.json {
        return view::result(&format!("{}\n", json!({"type": "outputs", "outputs": object(&outputs)})));
    }
    view::result(&format!("\n{}", table(&outputs)));
    if outputs.iter().any(Output::is_sensitive) && !global.quiet {
        view::diagnostic(&format!("secrets are shown by `provision {} output --reveal`\n", provider.cloud()));
    }
    if let Some(left) = provider.handover().filter(|_| !global.quiet) {
        view::diagnostic(&format!("\n{left}\n"));
    }
}
