//! What a service says once is kept: ids in the plan file, secrets where the user asked for them.

use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex, PoisonError};

use provision_core::file::{self, BYTE_ORDER_MARK, LARGEST_PLAN_FILE, Readers};
use provision_core::formats::assignments;
use provision_core::keeper::Keeper;
use provision_core::output::Output;
use provision_core::plan_file::PlanFile;
use provision_core::plan_file::edit::{Noted, edited};
use provision_core::{Error, ErrorKind, server};

use crate::arguments::{Global, Keeping};
use crate::exit::Failure;
use crate::plan_files::{Checked, can_write, env};
use crate::view;

/// A plan file and where secrets go.
#[derive(Debug)]
struct Files {
    plan_file: PathBuf,
    /// What the plan file said when it was last read or written.
    digest: Mutex<String>,
    keeping: Keeping,
}

/// Whoever keeps it for this plan file.
pub(crate) fn of(keeping: &Keeping, checked: &Checked) -> Arc<dyn Keeper> {
    let source = &checked.source;
    let digest = Mutex::new(source.digest.clone());
    Arc::new(Files { plan_file: source.name.clone().into(), digest, keeping: keeping.clone() })
}

/// Secrets that are given once need a place before anything is sent, and ids a plan file that can be written.
pub(crate) fn asked_for(keeping: &Keeping, checked: &[&Checked], global: &Global) -> Result<(), Failure> {
    for checked in checked {
        let path = Path::new(&checked.source.name);
        can_write(keeping.out.as_deref(), path)?;
        let [name, ..] = checked.settings.given_once() else { continue };
        if keeping.out.is_none() && !keeping.reveal {
            return Err(Failure::Usage(format!(
                "{name} is given once, when the app is made: add `--out FILE` to save it, or `--reveal` to print it"
            )));
        }
        if keeping.reveal && global.json {
            let message = "`--reveal` prints for people: with `--json` save the secret with `--out FILE`";
            return Err(Failure::Usage(message.to_owned()));
        }
        if let Some(out) = &keeping.out {
            // Nobody gives that secret a second time.
            if file::read(out, LARGEST_PLAN_FILE).is_ok_and(|bytes| !bytes.is_empty()) {
                let message =
                    format!("`--out {}` is there already, and may hold a secret: name a new file", out.display());
                return Err(Failure::Usage(message));
            }
            let writable = file::writable(out);
            writable
                .map_err(|error| Failure::Usage(format!("`--out {}` cannot be written: {error}", out.display())))?;
        }
        let noted = file::read(path, LARGEST_PLAN_FILE).and_then(|_| file::writable(path));
        noted.map_err(|error| {
            Failure::Usage(format!("the app's id is written into `{}`, which cannot be: {error}", path.display()))
        })?;
    }
    Ok(())
}

impl Keeper for Files {
    fn tell(&self, text: &str) {
        view::diagnostic(&format!("{}\n", view::error::wrapped(text)));
    }

    fn place(&self) -> Option<String> {
        self.keeping.out.as_ref().map(|path| from_folder_of(&self.plan_file, path))
    }

    fn keep(&self, outputs: &[Output]) -> Result<(), Error> {
        match &self.keeping.out {
            Some(path) => {
                let written = file::replace(path, &assignments(outputs), Readers::Owner);
                written.map_err(|error| failed("the secret cannot be saved in", path, &error.to_string()))
            }
            None => {
                view::result(&assignments(outputs));
                Ok(())
            }
        }
    }

    fn note(&self, section: &str, keys: &[Noted<'_>]) -> Result<(), Error> {
        let path = &self.plan_file;
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let error =
            |reason: &str| failed("ids cannot be written into", path, reason).with_hint(by_hand(path, section, keys));
        // Of two runs at once the second one finds what the first one wrote. Not every file system has locks.
        let there = std::fs::File::open(path).ok();
        let _ = there.as_ref().map(std::fs::File::lock);
        let bytes = file::read(path, LARGEST_PLAN_FILE).map_err(|reason| error(&reason.to_string()))?;
        let source = String::from_utf8(bytes).map_err(|_| error("it is not UTF-8"))?;
        if self.digest_of(&source).is_none_or(|found| found != *digest) {
            return Err(error("it does not say any more what was read"));
        }
        let edited = edited(&source, section, keys).map_err(|reason| error(&reason))?;
        let now = self.digest_of(&edited).ok_or_else(|| error("it would be no plan file any more"))?;
        file::replace(path, &edited, Readers::Usual).map_err(|reason| error(&reason.to_string()))?;
        *digest = now;
        Ok(())
    }
}

impl Files {
    fn digest_of(&self, source: &str) -> Option<String> {
        let text = source.strip_prefix(BYTE_ORDER_MARK).unwrap_or(source).to_owned();
        let file = PlanFile::parse(&self.plan_file.display().to_string(), text, &env).ok()?;
        Some(file.digest_without(server::SECTION))
    }
}

/// A path as a plan file has it: from the plan file's own folder, or else from the root.
fn from_folder_of(plan_file: &Path, path: &Path) -> String {
    let folder = absolute(plan_file).ok().and_then(|plan_file| Some(plan_file.parent()?.to_owned()));
    let full = absolute(path).unwrap_or_else(|_| path.to_owned());
    let inside = folder.and_then(|folder| Some(full.strip_prefix(folder).ok()?.to_owned()));
    inside.unwrap_or(full).display().to_string()
}

/// What to do in the place of the program.
fn by_hand(plan_file: &Path, section: &str, keys: &[Noted<'_>]) -> String {
    let lines = |values: bool| {
        let of_kind = keys.iter().filter(|(_, value)| value.is_some() == values);
        let line = |(key, value): &Noted<'_>| {
            value.map_or_else(|| format!("`{key}`"), |value| format!("`{key} = \"{value}\"`"))
        };
        of_kind.map(line).collect::<Vec<_>>().join(", ")
    };
    let (written, gone) = (lines(true), lines(false));
    let written =
        Some(written).filter(|lines| !lines.is_empty()).map(|lines| format!("put these lines there: {lines}"));
    let gone = Some(gone).filter(|lines| !lines.is_empty()).map(|keys| format!("take out {keys}"));
    let what: Vec<_> = written.into_iter().chain(gone).collect();
    format!("under [{section}] of `{}` {}", plan_file.display(), what.join(", and "))
}

fn failed(what: &str, path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{what} `{}`", path.display())).with_message(reason)
}
