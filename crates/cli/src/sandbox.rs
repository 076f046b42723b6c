//! `--sandbox`: a copy of the cloud inside the command, with its state in a folder.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use provision_core::{Error, ErrorKind};
use provision_sandbox::{EmulatorKind, Options, Sandbox};

use crate::arguments::quoted;
use crate::providers::{Prerequisites, ProviderId};
use crate::view::{View, error};

/// Start one of these clouds that has what plan files take for granted.
pub(crate) fn start(folder: &Path, given: &[(ProviderId, Prerequisites)], view: &dyn View) -> Result<Sandbox, Error> {
    let mut clouds: Vec<EmulatorKind> = given.iter().map(|(cloud, _)| cloud.emulator()).collect();
    clouds.dedup();
    let options = Options { directory: Some(folder.to_owned()), clouds, hastened: true, ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|error| failed("cannot start the sandbox", folder, &error))?;
    ignored_by_git(folder);
    for (cloud, given) in given {
        cloud.seed(&sandbox, given).map_err(|error| failed("cannot prepare the sandbox", folder, &error))?;
    }
    view.note(&format!("sandbox {}: no real cloud is reached\n", folder.display()));
    sandbox.warnings().iter().for_each(|warning| view.note(&error::warning(warning)));
    Ok(sandbox)
}

/// Keep the default folder out of the user's repository. One that cannot be written to is the sandbox's own error.
pub(crate) fn ignored_by_git(folder: &Path) {
    if let Some(parent) = folder.parent().filter(|parent| parent.ends_with(".provision")) {
        let _ = fs::File::create_new(parent.join(".gitignore")).and_then(|mut file| file.write_all(b"*\n"));
    }
}

/// An error of the sandbox as everywhere else.
pub(crate) fn failed(tried: &str, folder: &Path, error: &provision_sandbox::Error) -> Error {
    let failed = Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string());
    let folder = quoted(folder);
    match error {
        provision_sandbox::Error::Damaged { .. }
        | provision_sandbox::Error::Value { .. }
        | provision_sandbox::Error::Newer { .. } => {
            failed.with_hint(format!("`provision sandbox reset --dir {folder}` makes an empty one of it"))
        }
        provision_sandbox::Error::InUse { .. } => failed.with_hint(
            "wait for that command; beside `provision sandbox serve`, leave `--sandbox` out and set the variables that it \
             printed",
        ),
        _ => failed,
    }
}
