//! `provision <cloud> permissions`: the rights that are needed, from the plan file alone.

use provision_core::permissions::{Document, Syntax, Task};
use provision_core::provider::Connection;

use crate::arguments::{PermissionsArguments, RightsFor, RightsFormat};
use crate::exit::{CommandResult, Exit};
use crate::plan_files::{check, plan_file_path};
use crate::providers::ProviderId;
use crate::view::View;

pub(crate) async fn run(asked: PermissionsArguments, cloud: ProviderId, view: &dyn View) -> CommandResult {
    let settings = check(&plan_file_path(asked.plan_file, cloud)?, cloud)?.settings;
    let (connection, syntax) = (Connection::default(), syntax(asked.format));
    let mut documents: Vec<Document> = Vec::new();
    if let Some(of) = asked.task {
        documents.push(settings.permissions(task(of), syntax, &connection).await?);
    }
    if let Some(repository) = &asked.trust {
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
        RightsFor::RotateKey => Task::RotateKey,
    }
}

const fn syntax(format: RightsFormat) -> Syntax {
    match format {
        RightsFormat::Cloud => Syntax::Native,
        RightsFormat::Terraform => Syntax::Terraform,
    }
}
