//! One test's world: a folder, an account, a proxy, the binary, and Python for everything done behind its back.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use provision_sandbox::aws::AwsWire;
use provision_sandbox::proxy::Proxy;

use crate::backend::Backend;
use crate::{boto3, python};

/// One test's world.
pub struct Rig {
    /// The account: a number that no other test has.
    pub account: String,
    /// A suffix for names, which S3 shares between accounts.
    pub suffix: String,
    /// What stands in for the cloud.
    pub backend: Backend,
    /// The proxy before it.
    pub proxy: Proxy,
    folder: tempfile::TempDir,
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// What it printed as its result.
    pub stdout: String,
    /// What it printed as progress and diagnostics.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
}

impl Rig {
    /// A new world.
    ///
    /// # Panics
    ///
    /// The server cannot be started.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            account: format!("{:012}", 100_000_000_000 + number),
            suffix: format!("t{number}"),
            backend,
            proxy: Proxy::start(AwsWire, backend.address()).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Write a file into the working folder; `{s}` stands for the suffix, `{a}` for the account.
    pub fn write(&self, name: &str, text: &str) {
        let text = text.replace("{s}", &self.suffix).replace("{a}", &self.account);
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Read a file of the working folder.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Run the binary.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, |_| {})
    }

    /// Run the binary in another environment.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
        let started = Instant::now();
        let child = self.start(arguments, change);
        finished(child, started)
    }

    /// Start the binary, to be interrupted.
    #[must_use]
    pub fn start(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Child {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.proxy.address));
        command.envs(self.credentials());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        command.spawn().unwrap()
    }

    /// Run the binary on a pseudo terminal of its own, and type each answer when the text before it is seen. Gives the
    /// exit code and all that the screen was sent.
    ///
    /// # Panics
    ///
    /// A text is not seen within a minute and a half.
    #[must_use]
    pub fn run_on_terminal(&self, arguments: &[&str], answers: &[(&str, &str)]) -> (i32, String) {
        self.run_on_terminal_slowly(arguments, answers, 0)
    }

    /// The same, with each answer this many seconds after its question.
    ///
    /// # Panics
    ///
    /// A text is not seen within a minute and a half.
    #[must_use]
    pub fn run_on_terminal_slowly(&self, arguments: &[&str], answers: &[(&str, &str)], seconds: u32) -> (i32, String) {
        let job = serde_json::json!({
            "command": std::iter::once(binary().display().to_string()).chain(arguments.iter().map(ToString::to_string)).collect::<Vec<_>>(),
            "answers": answers,
            "folder": self.folder.path(),
        });
        let mut env = self.environment();
        env.push(("TERM".to_owned(), "xterm".to_owned()));
        env.push(("JOB".to_owned(), job.to_string()));
        env.push(("ANSWER_AFTER".to_owned(), seconds.to_string()));
        let output = python::run(include_str!("terminal.py"), &env);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = seen["code"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
        (code, seen["screen"].as_str().unwrap_or_default().to_owned())
    }

    /// The working folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the binary runs with, for other programs.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut env = self.credentials();
        env.push(("AWS_ENDPOINT_URL".to_owned(), format!("http://{}", self.proxy.address)));
        env.push(("HOME".to_owned(), self.folder.path().display().to_string()));
        env
    }

    fn credentials(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", self.account.as_str()),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Make a role that a server may run as: it is there before `provision` comes.
    pub fn make_role(&self, name: &str) {
        self.boto3(&format!(
            "iam.create_role(RoleName='{name}', AssumeRolePolicyDocument=json.dumps({{'Version': '2012-10-17', 'Statement': \
             [{{'Effect': 'Allow', 'Principal': {{'Service': 'ec2.amazonaws.com'}}, 'Action': 'sts:AssumeRole'}}]}}))"
        ));
    }

    /// Run Python with boto3, past the proxy: `s3`, `sqs` and `iam` are clients, `{s}` and `{a}` are replaced. Gives what
    /// it prints.
    ///
    /// # Panics
    ///
    /// The script fails.
    pub fn boto3(&self, script: &str) -> String {
        self.boto3_at(self.backend.address(), script)
    }

    /// The same through the proxy and in a process of its own, to be slowed down and timed like the binary.
    ///
    /// # Panics
    ///
    /// The script fails.
    pub fn boto3_through_proxy(&self, script: &str) {
        let prelude = "import boto3, json\ns3, sqs, iam = [boto3.client(name, region_name='eu-west-1') for name in ('s3', 'sqs', 'iam')]\n";
        let script = script.replace("{s}", &self.suffix).replace("{a}", &self.account);
        let output = python::run(&format!("{prelude}{script}"), &self.environment());
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    }

    fn boto3_at(&self, address: SocketAddr, script: &str) -> String {
        let script = script.replace("{s}", &self.suffix).replace("{a}", &self.account);
        boto3::run(&format!("http://{address}"), &self.account, &script)
    }

    /// What a person sees, with what differs from run to run replaced.
    #[must_use]
    pub fn transcript(&self, ran: &Ran) -> String {
        let text = format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr);
        let text = text.replace(&self.proxy.address.to_string(), "127.0.0.1:PORT");
        // Who the credentials are is the server's own invention.
        let text = text.replace(&format!("{}:root", self.account), "ACCOUNT:PRINCIPAL");
        let text = text.replace(&format!("{}:user/sandbox", self.account), "ACCOUNT:PRINCIPAL");
        let text = text.replace(&self.account, "ACCOUNT").replace(&format!("-{}", self.suffix), "-SUFFIX");
        without_digests(&without_digests(&text, "provision-"), "Provision")
    }
}

/// The text without the twelve characters after a prefix that come from a deployment's name.
fn without_digests(text: &str, prefix: &str) -> String {
    let mut parts = text.split(prefix);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.get(..12) {
        Some(digest) if digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            format!("{text}{prefix}DIGEST{}", &part[12..])
        }
        _ => format!("{text}{prefix}{part}"),
    })
}

/// Wait for a run to end.
///
/// # Panics
///
/// Its output cannot be read.
#[must_use]
pub fn finished(child: Child, started: Instant) -> Ran {
    let watchdog = Watchdog::over(&child);
    let output = child.wait_with_output().unwrap();
    drop(watchdog);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr), elapsed: started.elapsed() }
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

/// The built binary, beside the test's own.
///
/// # Panics
///
/// It is not built.
#[must_use]
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let binary = test.parent().and_then(|deps| deps.parent()).unwrap().join("provision");
    assert!(binary.exists(), "build the binary first: `cargo build -p provision`");
    binary
}
