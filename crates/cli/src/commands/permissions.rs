//! `provision <cloud> permissions`: the rights that are needed, from the plan file alone.

use std::path::PathBuf;

use provision_core::permissions::{Document, Repository, Syntax, Task};
use provision_core::provider::Connection;

use crate::arguments::{RightsFor, RightsFormat};
use crate::clouds::CloudId;
use crate::exit::{CommandResult, Exit};
use crate::plan_files::{check, plan_file_path};
use crate::view::View;

/// What is to be printed.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) task: Option<RightsFor>,
    pub(crate) format: RightsFormat,
    pub(crate) trust: Option<Repository>,
}

pub(crate) async fn run(plan_file: Option<PathBuf>, cloud: CloudId, wanted: Wanted, view: &dyn View) -> CommandResult {
    let settings = check(&plan_file_path(plan_file, cloud)?, cloud)?.settings;
    let (connection, syntax) = (Connection::default(), syntax(wanted.format));
    let mut documents: Vec<Document> = Vec::new();
    if let Some(of) = wanted.task {
        documents.push(settings.permissions(task(of), syntax, &connection).await?);
    }
    if let Some(repository) = &wanted.trust {
        documents.push(settings.trust(repository, syntax, &connection).await?);
    }
    view.permissions(&documents);
    Ok(Exit::Done)
}

const fn task(of: RightsFor) -> Task {
    match of {
        RightsFor::Plan => Task::Plan,
        RightsFor::Apply => Task::Apply,
        RightsFor::Drift => Task::Drift,
        RightsFor::Destroy => Task::Destroy,
        RightsFor::Server => Task::Server,
        RightsFor::Verify => Task::Verify,
    }
}

const fn syntax(format: RightsFormat) -> Syntax {
    match format {
        RightsFormat::Cloud => Syntax::Native,
        RightsFormat::Terraform => Syntax::Terraform,
    }
}
