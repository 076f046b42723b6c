//! `provision sandbox`: the sandbox by itself, for other clients.

use std::path::{Path, PathBuf};
use std::time::Duration;

use provision_core::file::{self, Readers};
use provision_core::{Error, ErrorKind};
use provision_sandbox::fault::Faults;
use provision_sandbox::{EmulatorKind, Options, Sandbox};

use crate::arguments::quoted;
use crate::exit::{CommandResult, Exit, Failure};
use crate::plan_files::Scope;
use crate::sandbox::{failed, ignored_by_git};
use crate::signals::stops;
use crate::view;

/// The private key of Auth0's application, in the sandbox's folder.
const AUTH0_KEY: &str = "auth0-key.pem";

/// How to serve.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) faults: Option<PathBuf>,
    pub(crate) real_time: bool,
    pub(crate) identity: Vec<PathBuf>,
}

/// Serve every cloud until SIGINT, SIGTERM or the end of that many seconds.
pub(crate) async fn serve(
    Serving { dir, port, faults, real_time, identity }: Serving,
    plan_files: &[PathBuf],
    timeout: Option<u64>,
) -> CommandResult {
    let limit = tokio::time::sleep(Duration::from_secs(timeout.unwrap_or(u64::from(u32::MAX))));
    let checked = plan_files.iter().map(|path| Scope::All.check(path)).collect::<Result<Vec<_>, _>>()?;
    let faults = faults.as_deref().map(Faults::read).transpose();
    let faults = faults.map_err(|error| Failure::Usage(error.to_string()))?.unwrap_or_default();
    let options = Options { directory: Some(dir.clone()), port, faults, hastened: !real_time, ..Options::default() };
    let sandbox = Sandbox::start(options).map_err(|error| failed("cannot start the sandbox", &dir, &error))?;
    ignored_by_git(&dir);
    for plan in checked.iter().flatten() {
        let seeded = plan.cloud.seed(&sandbox, &plan.settings.prerequisites());
        seeded.map_err(|error| failed("cannot prepare the sandbox", &dir, &error))?;
    }
    identity.iter().try_for_each(|path| attach(&sandbox, path))?;
    sandbox.warnings().iter().for_each(|warning| view::diagnostic(&view::error::warning(warning)));
    let variables = sandbox.environment().into_iter().map(|(name, value)| format!("{name}={value}\n"));
    view::result(&variables.collect::<String>());
    if checked.iter().flatten().any(|plan| plan.cloud.emulator() == EmulatorKind::Auth0) {
        view::diagnostic(&auth0_key(&sandbox, &dir)?);
    }
    let ended = ended().map_err(|error| {
        Error::new(ErrorKind::Unexpected, "cannot listen to signals").with_message(error.to_string())
    })?;
    view::result("ready\n");
    tokio::select! {
        () = ended => {}
        () = limit => {}
    }
    Ok(Exit::Done)
}

/// What is said of the private key that Auth0's application may sign with, which is made anew and saved in the folder.
fn auth0_key(sandbox: &Sandbox, dir: &Path) -> Result<String, Failure> {
    let tried = "cannot make a key for Auth0";
    let (pem, path) = (sandbox.make_auth0_key().map_err(|error| failed(tried, dir, &error))?, dir.join(AUTH0_KEY));
    file::replace(&path, &pem, Readers::Owner)
        .map_err(|error| Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string()))?;
    Ok(format!(
        "in the place of AUTH0_CLIENT_SECRET: AUTH0_CLIENT_ASSERTION_PRIVATE_KEY=\"$(cat {})\"\n",
        quoted(&path)
    ))
}

/// Let the credentials that are printed do what a file says.
fn attach(sandbox: &Sandbox, path: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Usage(format!("`--identity {}`: {error}", path.display()));
    let document = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let cloud = sandbox.attach(&document).map_err(|error| failed(&error))?;
    // Google's libraries know no key but that in a file.
    let written = if cloud == EmulatorKind::Google { sandbox.write_google_credentials() } else { Ok(()) };
    written.map_err(|error| failed(&error))
}

/// Listening begins now, and not only when the future is first waited for.
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = stops()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Forget everything in it.
pub(crate) fn reset(dir: &Path) -> CommandResult {
    Sandbox::reset(dir).map_err(|error| failed("cannot reset the sandbox", dir, &error))?;
    view::result(&format!("the sandbox in {} is empty\n", dir.display()));
    Ok(Exit::Done)
}
