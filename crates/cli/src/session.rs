//! A command's ground: the plan file found, checked and turned into a provider.

use std::path::{Path, PathBuf};

use provision_aws::client::{Clients, Reader, Writer};
use provision_aws::config::Settings;
use provision_aws::provider::Place;
use provision_aws::{AwsSection, Provider, config, credential};
use provision_core::Error;
use provision_core::assess::{Intent, assess};
use provision_core::change_set::{ChangeSet, PlanFileSource, Purpose};
use provision_core::plan_file::{PlanFile, PlanFileError};
use provision_core::provider::Observer;
use provision_core::survey::survey;
use serde_json::json;

/// Names a plan file may have where none is given.
pub(crate) fn plan_file_path(given: Option<PathBuf>) -> PathBuf {
    let defaults = ["provision.toml", "plans/aws.toml"].map(PathBuf::from);
    let found = || defaults.iter().find(|path| path.exists()).unwrap_or(&defaults[0]).clone();
    given.unwrap_or_else(found)
}

/// The environment that `${env:NAME}` reads.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A plan file that is free of problems.
pub(crate) struct Checked {
    pub(crate) file: Option<PlanFile>,
    pub(crate) source: PlanFileSource,
    pub(crate) settings: Settings,
}

/// Read and check a plan file, everything in it at once.
pub(crate) fn check(path: &Path) -> Result<Checked, PlanFileError> {
    let file = PlanFile::read(path, &env)?;
    let mut problems = file.problems();
    // Sections of other clouds may stand in the same file; each command reads its own.
    file.top_level(&["deployment", "aws", "gcp", "azure"], &mut problems);
    let deployment = file.deployment(&mut problems);
    let aws: Option<AwsSection> = file.section("aws", &mut problems);
    if let Some(aws) = &aws {
        config::validate(aws, &mut problems);
    }
    problems.finish()?;
    let (Some(deployment), Some(aws)) = (deployment, aws) else {
        return Err(PlanFileError::Unreadable { path: file.name().to_owned(), reason: "it is incomplete".to_owned() });
    };
    let source = PlanFileSource { name: file.name().to_owned(), digest: file.digest() };
    Ok(Checked { file: Some(file), source, settings: Settings { deployment, aws } })
}

impl Checked {
    /// The ground that a saved change set carries with it.
    pub(crate) fn of_saved(set: &ChangeSet) -> Option<Self> {
        let settings = serde_json::from_value(set.settings.clone()).ok()?;
        Some(Self { file: None, source: set.plan_file.clone(), settings })
    }

    /// What a change set is made for.
    pub(crate) fn intent(&self, purpose: Purpose, with_orphans: bool) -> Intent {
        Intent {
            purpose,
            with_orphans,
            deployment: self.settings.deployment.name.clone(),
            was: self.settings.deployment.was.clone(),
            protect: self.settings.aws.bucket.protect,
            plan_file: self.source.clone(),
            settings: json!(self.settings),
        }
    }

    fn line_of(&self, path: &str) -> Option<usize> {
        self.file.as_ref().map(|file| file.line_of(path))
    }

    /// Clients with credentials that are known to exist.
    pub(crate) async fn connect(&self) -> Result<(Clients, Place), Error> {
        credential::connect(self.settings.aws.region.as_deref()).await
    }

    /// A provider that can only read.
    pub(crate) async fn observer(&self) -> Result<Provider<Reader>, Error> {
        let (clients, place) = self.connect().await?;
        Ok(Provider::new(self.settings.clone(), place, Reader::new(clients)))
    }

    /// A provider that can write.
    pub(crate) async fn provisioner(&self) -> Result<Provider<Writer>, Error> {
        let (clients, place) = self.connect().await?;
        Ok(Provider::new(self.settings.clone(), place, Writer::new(clients)))
    }

    /// Look at the cloud and compare.
    pub(crate) async fn change_set(&self, observer: &dyn Observer, intent: &Intent) -> Result<ChangeSet, Error> {
        let contents = matches!(intent.purpose, Purpose::Destroy { .. });
        let found = survey(observer, &intent.names(), contents).await?;
        Ok(assess(observer, intent, &found, &|path| self.line_of(path)))
    }
}
