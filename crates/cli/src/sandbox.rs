//! `--sandbox`: a copy of the cloud inside the command, with its state in a folder.

use std::path::Path;

use provision_core::{Error, ErrorKind};
use provision_sandbox::{CloudName, Options, Sandbox};

use crate::arguments::{Cloud, Global};
use crate::session::Checked;
use crate::view;

/// The account of a plan file that names none.
const ACCOUNT: &str = "123456789012";
/// The region of a plan file that names none.
const REGION: &str = "eu-west-1";

/// Start one that has what these plan files take for granted.
pub(crate) fn start(folder: &Path, checked: &[&Checked], global: &Global) -> Result<Sandbox, Error> {
    let mut clouds: Vec<CloudName> = checked.iter().map(|checked| name(checked.cloud)).collect();
    clouds.dedup();
    let options = Options { directory: Some(folder.to_owned()), clouds, ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|error| failed("cannot start the sandbox", folder, &error))?;
    for checked in checked {
        seed(&sandbox, checked).map_err(|error| failed("cannot prepare the sandbox", folder, &error))?;
    }
    if !global.quiet {
        view::diagnostic(&format!("sandbox {}: no real cloud is reached\n", folder.display()));
        sandbox.warnings().iter().for_each(|warning| view::diagnostic(&view::error::warning(warning)));
    }
    Ok(sandbox)
}

/// An error of the sandbox as everywhere else.
pub(crate) fn failed(tried: &str, folder: &Path, error: &provision_sandbox::Error) -> Error {
    let failed = Error::new(ErrorKind::Unexpected, tried).message(error.to_string());
    let folder = folder.display();
    match error {
        provision_sandbox::Error::Damaged { .. }
        | provision_sandbox::Error::Value { .. }
        | provision_sandbox::Error::Newer { .. } => {
            failed.hint(format!("`provision sandbox reset --dir {folder}` makes an empty one of it"))
        }
        provision_sandbox::Error::InUse { .. } => failed.hint(
            "wait for that command; beside `provision sandbox serve`, leave `--sandbox` out and set the variables that it \
             printed",
        ),
        _ => failed,
    }
}

const fn name(cloud: Cloud) -> CloudName {
    match cloud {
        Cloud::Aws => CloudName::Aws,
        Cloud::Gcp => CloudName::Google,
        Cloud::Azure => CloudName::Azure,
    }
}

/// Make what a plan file takes for granted.
fn seed(sandbox: &Sandbox, checked: &Checked) -> Result<(), provision_sandbox::Error> {
    let given = checked.settings.given();
    let of = |name: &str| given.get(name).map(String::as_str);
    match checked.cloud {
        Cloud::Aws => sandbox.seed_aws(of("account").unwrap_or(ACCOUNT), of("region").unwrap_or(REGION), of("role")),
        Cloud::Gcp => sandbox.seed_google(of("project").unwrap_or_default(), of("service_account")),
        Cloud::Azure => sandbox.seed_azure(of("subscription").unwrap_or_default(), TENANT, of("principal_id")),
    }
}

/// The directory of the sandbox's Azure subscriptions.
const TENANT: &str = "72f988bf-0000-4000-8000-000000000000";
