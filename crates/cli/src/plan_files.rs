//! Plan files: which one is meant, and whether it is free of problems.

use std::path::{Path, PathBuf, absolute};
use std::time::SystemTime;

use provision_core::assess::Intent;
use provision_core::change_set::{ChangeSet, PlanFileSource, Purpose};
use provision_core::deployment::Deployment;
use provision_core::event::EventSink;
use provision_core::file;
use provision_core::plan_file::{PlanFile, PlanFileError};
use provision_core::provider::Observer;
use provision_core::server::{self, Server};
use provision_core::{Error, engine, preflight};

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
        self.read(path, Secrets::Unused).map(|read| read.sections)
    }

    /// The same with what the server reads besides; of that one setting alone where it is named.
    pub(crate) fn check_with_server(self, path: &Path, name: Option<&str>) -> Result<ForServer, PlanFileError> {
        self.read(path, name.map_or(Secrets::Used, Secrets::Named))
    }

    /// The same where of the secrets only these are used.
    pub(crate) fn check_using(self, path: &Path, used: &[&str]) -> Result<ForServer, PlanFileError> {
        self.read(path, Secrets::Some(used))
    }

    fn read(self, path: &Path, secrets: Secrets<'_>) -> Result<ForServer, PlanFileError> {
        match self {
            Self::One(id) => check_for(path, |_| vec![id], secrets).map_err(|error| error.for_cloud(id.name())),
            Self::All => check_for(path, sections_of, secrets),
        }
    }
}

/// Whether a command uses the secrets of `[server]`: one that does not asks nobody for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrets<'a> {
    Used,
    /// That of one setting.
    Named(&'a str),
    /// Those of these settings; of the others the name.
    Some(&'a [&'a str]),
    Unused,
}

/// A plan file that is free of problems, for what prints the server's settings.
pub(crate) struct ForServer {
    pub(crate) sections: Vec<Checked>,
    pub(crate) deployment: Deployment,
    pub(crate) server: Server,
}

/// The sections of a plan file that are a cloud's.
fn sections_of(file: &PlanFile) -> Vec<ProviderId> {
    ProviderId::ALL.into_iter().filter(|cloud| file.has(cloud.name())).collect()
}

/// `provision.toml`, else the first of these clouds' files under `plans/`.
fn default_path(clouds: &[ProviderId]) -> Result<PathBuf, PlanFileError> {
    let named = clouds.iter().map(|cloud| format!("plans/{cloud}.toml"));
    let places: Vec<_> = std::iter::once("provision.toml".to_owned()).chain(named).collect();
    let there = places.iter().map(PathBuf::from).find(|path| path.exists());
    let cloud = if let [cloud] = clouds { cloud.name() } else { "CLOUD" };
    there.ok_or_else(|| PlanFileError::none_at(&places, cloud))
}

/// The plan files that these paths name; of a folder all that are in it and below, but for what is hidden.
pub(crate) fn named(paths: &[PathBuf]) -> Vec<Result<PathBuf, PlanFileError>> {
    paths.iter().flat_map(|path| if path.is_dir() { of_folder(path) } else { vec![Ok(path.clone())] }).collect()
}

fn of_folder(folder: &Path) -> Vec<Result<PathBuf, PlanFileError>> {
    let unreadable = |reason: String| {
        vec![Err(PlanFileError::Unreadable { path: folder.display().to_string(), reason, cloud: None })]
    };
    match below(folder) {
        Ok(found) if found.is_empty() => unreadable("no file in this folder ends in `.toml`".to_owned()),
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(error) => unreadable(error.to_string()),
    }
}

/// In the order of their names. Links to folders are not followed, so that there is no circle.
fn below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.retain(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            found.extend(below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "toml") && !path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
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
pub(crate) fn env(name: &str) -> Option<String> {
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
    Scope::One(cloud).check(path)?.pop().ok_or_else(|| incomplete(path))
}

fn incomplete(path: &Path) -> PlanFileError {
    PlanFileError::Unreadable { path: path.display().to_string(), reason: "it is incomplete".to_owned(), cloud: None }
}

fn check_for(
    path: &Path,
    clouds: impl Fn(&PlanFile) -> Vec<ProviderId>,
    secrets: Secrets<'_>,
) -> Result<ForServer, PlanFileError> {
    let file = PlanFile::read(path, &env)?;
    let used = secrets != Secrets::Unused;
    let mut problems = match secrets {
        Secrets::Used => file.problems(),
        Secrets::Named(name) => file.problems_with(server::SECTION, Some(&server::path_of(name))),
        Secrets::Some(used) => file.problems_where(|path| server::is_used(&file, path, used)),
        Secrets::Unused => file.problems_outside(server::SECTION),
    };
    // Sections of other clouds may stand in the same file; each command reads its own.
    let own = ["deployment", server::SECTION];
    let known: Vec<_> = own.into_iter().chain(ProviderId::ALL.map(ProviderId::name)).collect();
    file.top_level(&known, &mut problems);
    let deployment = Deployment::read(&file, &mut problems);
    let clouds = clouds(&file);
    if clouds.is_empty() && !(used && file.has(server::SECTION)) {
        problems.no_section(&ProviderId::ALL.map(ProviderId::name));
    }
    let settings = clouds.into_iter().map(|cloud| (cloud, cloud.read(deployment.clone(), &file, &mut problems)));
    let settings: Vec<_> = settings.collect();
    let server = match secrets {
        Secrets::Used => Server::read(&file, SystemTime::now(), &mut problems),
        Secrets::Named(name) => Server::read_one(&file, name, SystemTime::now(), &mut problems),
        Secrets::Some(used) => Server::read_using(&file, used, SystemTime::now(), &mut problems),
        Secrets::Unused => {
            Server::check(&file, &mut problems);
            None
        }
    };
    problems.finish()?;
    let source = PlanFileSource { name: file.name().to_owned(), digest: file.digest_without(server::SECTION) };
    let checked = settings.into_iter().filter_map(|(cloud, settings)| {
        Some(Checked { cloud, source: source.clone(), settings: settings?, file: Some(file.clone()) })
    });
    let sections = checked.collect();
    let deployment = deployment.ok_or_else(|| incomplete(path))?;
    Ok(ForServer { sections, deployment, server: server.unwrap_or_default() })
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

    /// The same, and ask which rights are missing to do it.
    pub(crate) async fn planned(
        &self,
        observer: &dyn Observer,
        intent: &Intent,
        events: &dyn EventSink,
    ) -> Result<ChangeSet, Error> {
        let look = self.change_set(observer, intent, events);
        preflight::inquiring(observer, &intent.purpose, look).await
    }
}
