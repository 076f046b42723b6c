//! Plan files: which one is meant, and whether it is free of problems.

use std::path::{Path, PathBuf, absolute};

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, PlanFileSource, Purpose};
use provision_core::deployment::Deployment;
use provision_core::event::EventSink;
use provision_core::file;
use provision_core::plan_file::{PlanFile, PlanFileError};
use provision_core::provider::Observer;
use provision_core::{Error, engine};

use crate::exit::Failure;
use crate::providers::{ProviderId, Settings};

/// The plan file of a cloud where none is given.
pub(crate) fn plan_file_path(given: Option<PathBuf>, cloud: ProviderId) -> Result<PathBuf, PlanFileError> {
    given.map_or_else(|| default_path(&[cloud]), Ok)
}

/// Which sections of a plan file a command is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    /// One of them.
    One(ProviderId),
    /// Every one that is there.
    All,
}

impl Scope {
    /// The plan file where none is given.
    pub(crate) fn plan_file_path(self, given: Option<PathBuf>) -> Result<PathBuf, PlanFileError> {
        match self {
            Self::One(id) => plan_file_path(given, id),
            Self::All => given.map_or_else(|| default_path(&ProviderId::ALL), Ok),
        }
    }

    /// Read and check a plan file, everything in these sections at once.
    pub(crate) fn check(self, path: &Path) -> Result<Vec<Checked>, PlanFileError> {
        match self {
            Self::One(id) => Ok(vec![check(path, id)?]),
            Self::All => check_all(path),
        }
    }
}

/// `provision.toml`, else the first of these clouds' files under `plans/`.
fn default_path(clouds: &[ProviderId]) -> Result<PathBuf, PlanFileError> {
    let named = clouds.iter().map(|cloud| format!("plans/{cloud}.toml"));
    let places: Vec<_> = std::iter::once("provision.toml".to_owned()).chain(named).collect();
    let there = places.iter().map(PathBuf::from).find(|path| path.exists());
    let cloud = if let [cloud] = clouds { cloud.name() } else { "CLOUD" };
    there.ok_or_else(|| PlanFileError::none_at(&places, cloud))
}

/// What is written must be a file, and another one than the plan file: known before anything is sent.
pub(crate) fn can_write(out: Option<&Path>, plan_file: &Path) -> Result<(), Failure> {
    out.map_or(Ok(()), |out| can_replace(&format!("--out {}", out.display()), out, plan_file))
}

/// The same for what that flag names.
pub(crate) fn can_replace(flag: &str, path: &Path, plan_file: &Path) -> Result<(), Failure> {
    if is_same(path, plan_file) {
        return Err(Failure::Usage(format!("`{flag}` is the plan file itself: name another file")));
    }
    file::replaceable(path).map_err(|error| Failure::Usage(format!("`{flag}` cannot be written: {error}")))
}

/// Whether two paths name one file, as they are written or by links.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let written = matches!((absolute(one), absolute(other)), (Ok(one), Ok(other)) if one == other);
    written || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The environment that `${env:NAME}` reads.
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A plan file that is free of problems.
pub(crate) struct Checked {
    pub(crate) cloud: ProviderId,
    pub(crate) source: PlanFileSource,
    pub(crate) settings: Settings,
    file: Option<PlanFile>,
}

/// Read and check a plan file for one cloud, everything in it at once.
pub(crate) fn check(path: &Path, cloud: ProviderId) -> Result<Checked, PlanFileError> {
    let name = || path.display().to_string();
    let incomplete = || PlanFileError::Unreadable { path: name(), reason: "it is incomplete".to_owned(), cloud: None };
    let checked = check_for(path, |_| vec![cloud]).and_then(|mut checked| checked.pop().ok_or_else(incomplete));
    checked.map_err(|error| error.for_cloud(cloud.name()))
}

/// The same for every cloud that the file has a section of.
fn check_all(path: &Path) -> Result<Vec<Checked>, PlanFileError> {
    check_for(path, |file| ProviderId::ALL.into_iter().filter(|cloud| file.has(cloud.name())).collect())
}

fn check_for(path: &Path, clouds: impl Fn(&PlanFile) -> Vec<ProviderId>) -> Result<Vec<Checked>, PlanFileError> {
    let file = PlanFile::read(path, &env)?;
    let mut problems = file.problems();
    // Sections of other clouds may stand in the same file; each command reads its own.
    let sections: Vec<_> = std::iter::once("deployment").chain(ProviderId::ALL.map(ProviderId::name)).collect();
    file.top_level(&sections, &mut problems);
    let deployment = Deployment::read(&file, &mut problems);
    let clouds = clouds(&file);
    if clouds.is_empty() {
        problems.no_section(&ProviderId::ALL.map(ProviderId::name));
    }
    let settings = clouds.into_iter().map(|cloud| (cloud, cloud.read(deployment.clone(), &file, &mut problems)));
    let settings: Vec<_> = settings.collect();
    problems.finish()?;
    let source = PlanFileSource { name: file.name().to_owned(), digest: file.digest() };
    let checked = settings.into_iter().filter_map(|(cloud, settings)| {
        Some(Checked { cloud, source: source.clone(), settings: settings?, file: Some(file.clone()) })
    });
    Ok(checked.collect())
}

impl Checked {
    /// The plan file that a saved change set was made from.
    pub(crate) fn of_saved(set: &ChangeSet) -> Option<Self> {
        let cloud = ProviderId::named(&set.cloud)?;
        let settings = cloud.restore(set.settings.clone())?;
        Some(Self { cloud, source: set.plan_file.clone(), settings, file: None })
    }

    /// Taking the deployment down, with the data of the bucket that is named.
    ///
    /// # Errors
    ///
    /// Another bucket is named than the plan file's.
    pub(crate) fn destroying(&self, delete_data: Option<String>) -> Result<Purpose, Failure> {
        let bucket = self.settings.data_resource_name();
        match delete_data.as_deref().filter(|named| *named != bucket) {
            Some(named) => Err(Failure::Usage(format!(
                "`--delete-data {named}` names another bucket than the plan file's, `{bucket}`"
            ))),
            None => Ok(Purpose::Destroy { delete_data }),
        }
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

    pub(crate) fn line_of(&self, path: &str) -> Option<usize> {
        self.file.as_ref().map(|file| file.line_of(path))
    }

    /// Look at the cloud and compare.
    pub(crate) async fn change_set(
        &self,
        observer: &dyn Observer,
        intent: &Intent,
        events: &dyn EventSink,
    ) -> Result<ChangeSet, Error> {
        engine::plan(observer, intent, &|path| self.line_of(path), events).await
    }
}
