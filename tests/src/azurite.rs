//! Azurite, Microsoft's emulator of the Blob and Queue services, pinned and installed on first use in the target folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::python::workspace;

/// How long it may take to start.
const LIMIT: Duration = Duration::from_secs(300);

const PACKAGE: &str = "azurite@3.37.0";

/// Ends when the pipe from this process does.
const LAUNCHER: &str = "
process.stdin.resume();
process.stdin.on('end', () => process.exit());
require(process.env.AZURITE);
";

/// Running servers of blobs and queues, with one account. It ends with the value, or with this process.
#[derive(Debug)]
pub struct Azurite {
    blobs: SocketAddr,
    queues: SocketAddr,
    account: String,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// Start one that has this account with this key, if Node is on this machine; else say what is missing.
    ///
    /// # Errors
    ///
    /// What is missing.
    ///
    /// # Panics
    ///
    /// It cannot be installed, or does not answer.
    pub fn start(account: &str, key: &str) -> Result<Self, String> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = std::fs::File::create(&path).unwrap();
        let mut command = Command::new("node");
        // The name that Node itself puts before a script's arguments.
        command.arg("-e").arg(LAUNCHER).args(["--", "azurite", "--disableTelemetry", "--inMemoryPersistence"]);
        // It chooses its ports itself, and says which.
        for service in ["blob", "queue", "table"] {
            command.args([format!("--{service}Host"), "127.0.0.1".to_owned()]);
            command.args([format!("--{service}Port"), "0".to_owned()]);
        }
        command.current_dir(folder.path()).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
        command.env("HOME", folder.path()).env("TMPDIR", folder.path()).env("AZURITE", &program);
        command.env("AZURITE_ACCOUNTS", format!("{account}:{key}"));
        let mut child = command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let blobs = address(&mut child, &path, "Blob");
        let queues = address(&mut child, &path, "Queue");
        Ok(Self { blobs, queues, account: account.to_owned(), child, _folder: folder })
    }

    /// Where the account's blobs are.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}/{}", self.blobs, self.account)
    }

    /// Where its queues are.
    #[must_use]
    pub fn queue_endpoint(&self) -> String {
        format!("http://{}/{}", self.queues, self.account)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where it says that a service listens.
fn address(child: &mut Child, log: &Path, service: &str) -> SocketAddr {
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let told = text
            .split_once(&format!("Azurite {service} service is successfully listening at http://"))
            .and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((address, _)) = told {
            return address.trim().parse().unwrap();
        }
        let waiting = started.elapsed() < LIMIT && child.try_wait().unwrap().is_none();
        assert!(waiting, "it does not listen:\n{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The server's program; installs it if it is not there.
fn program() -> Result<PathBuf, String> {
    for tool in ["node", "npm"] {
        Command::new(tool).arg("--version").output().map_err(|error| format!("`{tool}` ({error})"))?;
    }
    let place = workspace().join("target/emulators").join(PACKAGE.replace('@', "-"));
    if !place.exists() {
        install(&place);
    }
    Ok(place.join("node_modules/azurite/dist/src/azurite.js"))
}

/// Install it beside its place and move it there, so that two processes may do so at once.
fn install(place: &Path) {
    let parent = place.parent().unwrap();
    std::fs::create_dir_all(parent).unwrap();
    let making = tempfile::tempdir_in(parent).unwrap();
    let mut command = Command::new("npm");
    command.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(making.path()).arg(PACKAGE);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    let made = making.keep();
    // Another process was first: its copy is the same.
    if std::fs::rename(&made, place).is_err() {
        let _ = std::fs::remove_dir_all(made);
    }
}
