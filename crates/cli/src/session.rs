//! A command's ground: the plan file found, checked and turned into a provider.

use std::path::{Path, PathBuf};

use provision_aws as aws;
use provision_azure as azure;
use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, PlanFileSource, Purpose};
use provision_core::deployment::Deployment;
use provision_core::plan_file::{PlanFile, PlanFileError, Problems};
use provision_core::provider::{Connection, Observer};
use provision_core::{Error, engine};
use provision_gcp as gcp;
use provision_sandbox::Sandbox;

use crate::arguments::{Cloud, Global};
use crate::view::progress::Lines;
use crate::{sandbox, trace};

/// The settings of a checked plan file, whichever cloud they are for.
type Settings = Box<dyn provision_core::provider::Cloud>;

/// Read and check a cloud's section of a plan file.
fn read(cloud: Cloud, deployment: Option<Deployment>, file: &PlanFile, problems: &mut Problems) -> Option<Settings> {
    match cloud {
        Cloud::Aws => Some(Box::new(aws::Settings::read(deployment, file, problems)?)),
        Cloud::Gcp => Some(Box::new(gcp::Settings::read(deployment, file, problems)?)),
        Cloud::Azure => Some(Box::new(azure::Settings::read(deployment, file, problems)?)),
    }
}

/// The settings that a saved change set carries.
fn saved(set: &ChangeSet) -> Option<(Cloud, Settings)> {
    let settings = set.settings.clone();
    match set.cloud.as_str() {
        "aws" => Some((Cloud::Aws, Box::new(serde_json::from_value::<aws::Settings>(settings).ok()?))),
        "gcp" => Some((Cloud::Gcp, Box::new(serde_json::from_value::<gcp::Settings>(settings).ok()?))),
        "azure" => Some((Cloud::Azure, Box::new(serde_json::from_value::<azure::Settings>(settings).ok()?))),
        _ => None,
    }
}

/// The plan file of a cloud where none is given.
pub(crate) fn plan_file_path(given: Option<PathBuf>, cloud: Cloud) -> PathBuf {
    given.unwrap_or_else(|| default_path(&[cloud]))
}

/// `provision.toml`, else the first of these clouds' files under `plans/`.
pub(crate) fn default_path(clouds: &[Cloud]) -> PathBuf {
    let first = PathBuf::from("provision.toml");
    let mut named = clouds.iter().map(|cloud| PathBuf::from(format!("plans/{cloud}.toml")));
    if first.exists() { first } else { named.find(|path| path.exists()).unwrap_or(first) }
}

/// The environment that `${env:NAME}` reads.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A plan file that is free of problems.
pub(crate) struct Checked {
    pub(crate) cloud: Cloud,
    pub(crate) source: PlanFileSource,
    pub(crate) settings: Settings,
    file: Option<PlanFile>,
}

/// Read and check a plan file for one cloud, everything in it at once.
pub(crate) fn check(path: &Path, cloud: Cloud) -> Result<Checked, PlanFileError> {
    let name = || path.display().to_string();
    let incomplete = || PlanFileError::Unreadable { path: name(), reason: "it is incomplete".to_owned(), cloud: None };
    let checked = check_for(path, |_| vec![cloud]).and_then(|mut checked| checked.pop().ok_or_else(incomplete));
    checked.map_err(|error| error.for_cloud(&cloud.to_string()))
}

/// The same for every cloud that the file has a section of.
pub(crate) fn check_all(path: &Path) -> Result<Vec<Checked>, PlanFileError> {
    check_for(path, |file| {
        let described = Cloud::ALL.into_iter().filter(|cloud| file.has(&cloud.to_string()));
        let described: Vec<_> = described.collect();
        // A file without any is told what the first one lacks.
        if described.is_empty() { vec![Cloud::ALL[0]] } else { described }
    })
}

fn check_for(path: &Path, clouds: impl Fn(&PlanFile) -> Vec<Cloud>) -> Result<Vec<Checked>, PlanFileError> {
    let file = PlanFile::read(path, &env)?;
    let mut problems = file.problems();
    // Sections of other clouds may stand in the same file; each command reads its own.
    file.top_level(&["deployment", "aws", "gcp", "azure"], &mut problems);
    let deployment = Deployment::read(&file, &mut problems);
    let settings =
        clouds(&file).into_iter().map(|cloud| (cloud, read(cloud, deployment.clone(), &file, &mut problems)));
    let settings: Vec<_> = settings.collect();
    problems.finish()?;
    let source = PlanFileSource { name: file.name().to_owned(), digest: file.digest() };
    let checked = settings.into_iter().filter_map(|(cloud, settings)| {
        Some(Checked { cloud, source: source.clone(), settings: settings?, file: Some(file.clone()) })
    });
    Ok(checked.collect())
}

impl Checked {
    /// The ground that a saved change set carries with it.
    pub(crate) fn of_saved(set: &ChangeSet) -> Option<Self> {
        let (cloud, settings) = saved(set)?;
        Some(Self { cloud, source: set.plan_file.clone(), settings, file: None })
    }

    /// What a change set is made for.
    pub(crate) fn intent(&self, purpose: Purpose, with_orphans: bool) -> Intent {
        let deployment = self.settings.deployment();
        Intent {
            purpose,
            with_orphans,
            deployment: deployment.name.clone(),
            was: deployment.was.clone(),
            protect: self.settings.protect(),
            plan_file: self.source.clone(),
            settings: self.settings.to_json(),
        }
    }

    fn line_of(&self, path: &str) -> Option<usize> {
        self.file.as_ref().map(|file| file.line_of(path))
    }

    /// Look at the cloud and compare.
    pub(crate) async fn change_set(&self, observer: &dyn Observer, intent: &Intent) -> Result<ChangeSet, Error> {
        engine::plan(observer, intent, &|path| self.line_of(path), &Lines { quiet: false }).await
    }
}

/// The way to the cloud that the flags ask for; a sandbox ends with it.
pub(crate) struct Session {
    pub(crate) connection: Connection,
    _sandbox: Option<Sandbox>,
}

impl Session {
    /// Open it for these plan files.
    pub(crate) fn open(checked: &[&Checked], global: &Global) -> Result<Self, Error> {
        let trace = global.trace.as_deref().map(trace::open).transpose()?;
        let sandbox = global.sandbox.as_deref().map(|folder| sandbox::start(folder, checked, global)).transpose()?;
        let variables = sandbox.as_ref().map(|sandbox| sandbox.environment().into_iter().collect());
        Ok(Self { connection: Connection { sandbox: variables, trace }, _sandbox: sandbox })
    }
}
