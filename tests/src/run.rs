//! Runs of the built binary.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed as its result.
    pub stdout: String,
    /// What it printed as progress and diagnostics.
    pub stderr: String,
    /// How long it was waited for.
    pub elapsed: Duration,
}

/// Wait for a run to end.
///
/// # Panics
///
/// Its output cannot be read.
#[must_use]
pub fn finished(child: Child) -> Ran {
    let started = Instant::now();
    let watchdog = Watchdog::over(&child);
    let output = child.wait_with_output().unwrap();
    drop(watchdog);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    let signal = output.status.signal();
    Ran { code, signal, stdout: text(output.stdout), stderr: text(output.stderr), elapsed: started.elapsed() }
}

/// Kills a run that hangs, so that its test fails instead of the suite.
struct Watchdog {
    _done: std::sync::mpsc::Sender<()>,
}

impl Watchdog {
    fn over(child: &Child) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let id = child.id().to_string();
        std::thread::spawn(move || {
            if receiver.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                // Its group too, where it leads one: what it has started would hold its output open.
                let group = format!("-{id}");
                let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        Self { _done: sender }
    }
}

/// How long one run of the binary may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Send a signal to a run.
///
/// # Panics
///
/// There is no `kill` command.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// The built binary, beside the test's own, or the one that `PROVISION_BINARY` names.
///
/// # Panics
///
/// It is not built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("PROVISION_BINARY") {
        return PathBuf::from(named);
    }
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(|deps| deps.parent()).unwrap().join("provision");
    assert!(binary.exists(), "build the binary first: `cargo build -p provision`");
    binary
}
