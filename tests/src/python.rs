//! A pinned Python environment for emulators and clients, made on first use in the target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The workspace's folder.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What is for AWS.
pub static AWS: Environment = Environment::new("aws", include_str!("../requirements-aws.txt"));

/// What is for Google Cloud.
pub static GOOGLE: Environment = Environment::new("google", include_str!("../requirements-google.txt"));

/// What is for Azure.
pub static AZURE: Environment = Environment::new("azure", include_str!("../requirements-azure.txt"));

/// What is for Auth0.
pub static AUTH0: Environment = Environment::new("auth0", include_str!("../requirements-auth0.txt"));

/// What is for Slack.
pub static SLACK: Environment = Environment::new("slack", include_str!("../requirements-slack.txt"));

/// Helm's engine, for who has W&B's chart.
pub static HELM: Environment = Environment::new("helm", include_str!("../requirements-helm.txt"));

/// What looks at the files for CI, and stands in for what a runner has.
pub static CI: Environment = Environment::new("ci", include_str!("../requirements-ci.txt"));

/// What makes wheels, and judges what a release is made of.
pub static RELEASE: Environment = Environment::new("release", include_str!("../requirements-release.txt"));

/// The packages of one file of requirements.
pub struct Environment {
    name: &'static str,
    requirements: &'static str,
    made: OnceLock<PathBuf>,
}

impl Environment {
    const fn new(name: &'static str, requirements: &'static str) -> Self {
        Self { name, requirements, made: OnceLock::new() }
    }

    /// Its interpreter; makes the environment if it is not there.
    ///
    /// # Panics
    ///
    /// Python 3 is missing, or the packages cannot be installed.
    pub fn interpreter(&self) -> &Path {
        self.made.get_or_init(|| {
            let version =
                self.requirements.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
            let folder = workspace().join("target/emulators").join(format!("{}-{version:08x}", self.name));
            if !folder.join("complete").exists() {
                install(&folder, self.name);
            }
            folder.join("bin/python")
        })
    }

    /// Run a script with these variables and nothing else of ours.
    ///
    /// # Panics
    ///
    /// The interpreter cannot be started.
    pub fn run(&self, script: &str, env: &[(String, String)]) -> Output {
        let mut command = Command::new(self.interpreter());
        command.arg("-c").arg(script).env_clear().envs(env.iter().cloned());
        command.output().unwrap()
    }
}

/// The interpreter for AWS.
///
/// # Panics
///
/// Python 3 is missing, or the packages cannot be installed.
pub fn interpreter() -> &'static Path {
    AWS.interpreter()
}

/// Make the environment beside its place and move it there, so that two processes may do so at once.
fn install(place: &Path, name: &str) {
    let parent = place.parent().unwrap();
    std::fs::create_dir_all(parent).unwrap();
    let making = tempfile::tempdir_in(parent).unwrap();
    let folder = making.path();
    let python =
        ["python3.11", "python3"].into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let python = python.expect("Python 3.11 is needed for the emulators: install `python3`");
    succeed(Command::new(python).args(["-m", "venv"]).arg(folder));
    let requirements = workspace().join(format!("tests/requirements-{name}.txt"));
    succeed(Command::new(folder.join("bin/python")).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements));
    std::fs::write(folder.join("complete"), "").unwrap();
    let made = making.keep();
    // Another process was first: its environment is the same.
    if std::fs::rename(&made, place).is_err() {
        let _ = std::fs::remove_dir_all(made);
    }
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Run a script with what is for AWS, these variables and nothing else of ours.
///
/// # Panics
///
/// The interpreter cannot be started.
pub fn run(script: &str, env: &[(String, String)]) -> Output {
    AWS.run(script, env)
}

/// Run the AWS command line with these variables and nothing else of ours, in a folder, which is its home too.
///
/// # Panics
///
/// It cannot be started.
pub fn aws(arguments: &[&str], folder: &Path, env: &[(String, String)]) -> Output {
    // By the interpreter, since the script names one in the folder where the environment was made.
    let mut command = Command::new(interpreter());
    command.arg(interpreter().with_file_name("aws")).args(arguments).current_dir(folder);
    command.env_clear().env("HOME", folder).env("AWS_PAGER", "").envs(env.iter().cloned());
    command.output().unwrap()
}
