//! A cloud inside the test, the built binary on it, and a hand that changes the cloud behind its back.
//!
//! The binary gets the cloud's variables and nothing else. The hand speaks the cloud's own REST; on AWS it is boto3, a client
//! that others wrote.
//!
//! Names on AWS end with a suffix, since those of buckets are shared by all accounts of a server: `{s}` stands for it, and
//! `{a}` for the account, in whatever is written, asked and printed. So cases need not know what they are.

mod hand;
mod names;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use provision_sandbox::aws::AwsWire;
use provision_sandbox::fault::When;
use provision_sandbox::layer::FaultLayer;
use provision_sandbox::proxy::Proxy;
use provision_sandbox::record::{self, Record};
use provision_sandbox::{EmulatorKind, Options, Sandbox};
use serde_json::Value;

use crate::backend::Backend;
use crate::documents;
use crate::ministack::MiniStack;
use crate::run::{Ran, binary, finished};
use crate::{python, roots};
use names::Names;

pub use hand::{AUTH0_TENANT, Hand};

/// How much faster than ours a sandbox's time passes, so that the binary's waits are as much shorter.
pub const PACE: u32 = 20;
/// What was kept in a folder was made by a sandbox whose time was ahead.
const PAST: Duration = Duration::from_hours(1);

/// A cloud, a working folder, and the binary. It ends with the value.
pub struct Stage {
    server: Server,
    hand: Hand,
    names: Names,
    folder: tempfile::TempDir,
    /// Whether something that was done in between went wrong: nobody waits for it there.
    hook_failed: Arc<AtomicBool>,
    /// How much later AWS shows what is new, and goes on showing what is gone.
    late: Duration,
}

/// The secret key of every key of AWS: no output may hold it.
pub(crate) const AWS_SECRET: &str = "hunter2-secret";

/// What AWS is late with, by the sandbox's names.
const LATE: [&str; 6] = ["s3.bucket", "sqs.queue", "sqs.gone", "sqs.policy", "tags", "tags.gone"];

/// What stands in for the cloud.
enum Server {
    /// A sandbox of this stage's own.
    Sandbox(Sandbox),
    /// The fault layer before a server that all stages share.
    Shared(Proxy),
}

/// A pseudo terminal.
struct Screen {
    /// What it says that it is (`TERM`).
    kind: &'static str,
    columns: u16,
    /// Whether the first answer waits for something to be done.
    held: bool,
}

impl Default for Screen {
    fn default() -> Self {
        Self { kind: "xterm", columns: 120, held: false }
    }
}

impl Stage {
    /// A new one on a sandbox, in memory.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn start(cloud: EmulatorKind) -> Self {
        Self::with(Options { clouds: vec![cloud], recording: true, ..Options::default() })
    }

    /// A new one on a sandbox that keeps its state in a folder, to be copied.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn start_in(cloud: EmulatorKind, state: &Path) -> Self {
        let (directory, kept) = (Some(state.to_owned()), state.join("journal").exists());
        let stage = Self::with(Options { directory, clouds: vec![cloud], recording: true, ..Options::default() });
        if kept {
            stage.sandbox().world().clock.put_forward(PAST);
        }
        stage
    }

    /// A new one of a cloud, on whatever stands in for it.
    ///
    /// # Panics
    ///
    /// It cannot be started, or MiniStack is asked to be another cloud than AWS.
    #[must_use]
    pub fn start_on(backend: Backend, cloud: EmulatorKind) -> Self {
        if backend == Backend::Sandbox {
            return Self::start(cloud);
        }
        assert_eq!(cloud, EmulatorKind::Aws, "MiniStack is AWS");
        let (names, address) = (Names::unique(), MiniStack::shared().address);
        let proxy = Proxy::start(AwsWire, address).unwrap();
        let hand = Hand::boto3(address, names.clone());
        Self::of(Server::Shared(proxy), hand, names)
    }

    fn with(options: Options) -> Self {
        let cloud = options.clouds[0];
        let sandbox = Sandbox::start(Options { aws_secret: AWS_SECRET.to_owned(), ..options }).unwrap();
        sandbox.world().clock.hasten(PACE);
        let names = if cloud == EmulatorKind::Aws { Names::alone() } else { Names::default() };
        let hand = match cloud {
            EmulatorKind::Aws => Hand::boto3(sandbox.address(cloud).unwrap(), names.clone()),
            EmulatorKind::Google | EmulatorKind::Azure | EmulatorKind::Auth0 | EmulatorKind::Slack => {
                Hand::of(&sandbox, cloud)
            }
        };
        Self::of(Server::Sandbox(sandbox), hand, names)
    }

    /// Let AWS show what is new so much later, and go on showing what is gone; runs begin when all of it is seen.
    pub fn late(&mut self, by: Duration) {
        self.late = by;
        LATE.iter().for_each(|name| self.faults().set_propagation(name, by));
    }

    fn of(server: Server, hand: Hand, names: Names) -> Self {
        let folder = tempfile::tempdir().unwrap();
        roots::write(folder.path());
        Self { server, hand, names, folder, hook_failed: Arc::default(), late: Duration::ZERO }
    }

    /// The sandbox.
    ///
    /// # Panics
    ///
    /// It is another server.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        match &self.server {
            Server::Sandbox(sandbox) => sandbox,
            Server::Shared(_) => panic!("this is no sandbox"),
        }
    }

    /// How the cloud misbehaves, and what it was asked.
    #[must_use]
    pub fn faults(&self) -> &FaultLayer {
        match &self.server {
            Server::Sandbox(sandbox) => sandbox.faults(),
            Server::Shared(proxy) => proxy,
        }
    }

    /// Do something right before the n-th call of an operation has its effect, or right after it. If it panics, the run does
    /// when it has ended.
    pub fn hook(&self, operation: &str, nth: usize, at: When, run: impl Fn(&Hand) + Send + Sync + 'static) {
        let (hand, failed) = (self.hand(), Arc::clone(&self.hook_failed));
        self.faults().hook_at(operation, nth, at, move || {
            let done = catch_unwind(AssertUnwindSafe(|| run(&hand)));
            failed.fetch_or(done.is_err(), Ordering::Relaxed);
        });
    }

    /// Let the cloud's time pass faster still while something runs, if the cloud has a time of its own.
    ///
    /// # Panics
    ///
    /// What runs does.
    pub fn hastened<T>(&self, run: impl FnOnce() -> T) -> T {
        let Server::Sandbox(sandbox) = &self.server else { return run() };
        let clock = &sandbox.world().clock;
        let former = clock.hasten(3 * PACE);
        let done = run();
        clock.hasten(former);
        done
    }

    /// The text with the names of this stage.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        self.names.fill(text)
    }

    /// The operations that change something, in order; what clients do to be let in is none.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        self.faults().writes()
    }

    /// What was asked, without the requests for credentials.
    #[must_use]
    pub fn calls(&self) -> Vec<Record> {
        let is_login = |record: &Record| record.operation.starts_with("login:");
        self.faults().records().into_iter().filter(|record| !is_login(record)).collect()
    }

    /// The longest chain of requests, without those for credentials and those that only poll.
    #[must_use]
    pub fn waves(&self) -> usize {
        record::waves(&self.calls())
    }

    /// The reverse of [`Stage::fill`].
    #[must_use]
    pub fn emptied(&self, text: &str) -> String {
        self.names.empty(text.to_owned())
    }

    /// Write a file into the working folder.
    ///
    /// # Panics
    ///
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), self.fill(text)).unwrap();
    }

    /// Read a file of the working folder.
    ///
    /// # Panics
    ///
    /// It cannot be read.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// The same; nothing if there is no such file.
    #[must_use]
    pub fn read_if_there(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Run the binary.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, |_| {})
    }

    /// Run the binary in another environment. What it prints for programs is judged.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
        let started = Instant::now();
        let ran = self.finished(self.spawn(arguments, change));
        documents::judge(arguments, &ran);
        Ran { elapsed: started.elapsed(), ..ran }
    }

    /// Wait for a run to end.
    ///
    /// # Panics
    ///
    /// Something that was done in between did.
    #[must_use]
    pub fn finished(&self, child: Child) -> Ran {
        let ran = finished(child);
        assert!(!self.hook_failed.load(Ordering::Relaxed), "what was done in between failed; it is told above");
        Ran { stdout: self.names.empty(ran.stdout), stderr: self.names.empty(ran.stderr), ..ran }
    }

    /// Run the binary on a pseudo terminal of its own, and type each answer when the text before it is seen. Gives the
    /// exit code and all that the screen was sent.
    ///
    /// # Panics
    ///
    /// A text is not seen within a minute and a half.
    #[must_use]
    pub fn run_on_terminal(&self, arguments: &[&str], answers: &[(&str, &str)]) -> (i32, String) {
        self.on_terminal(arguments, answers, &Screen::default())
    }

    /// The same on a terminal of that kind and width.
    ///
    /// # Panics
    ///
    /// It does not end within a minute and a half.
    #[must_use]
    pub fn run_on_screen(&self, arguments: &[&str], kind: &'static str, columns: u16) -> (i32, String) {
        self.on_terminal(arguments, &[], &Screen { kind, columns, held: false })
    }

    /// The same, with something done between the first question and its answer.
    ///
    /// # Panics
    ///
    /// A text is not seen within a minute and a half.
    #[must_use]
    pub fn run_on_terminal_while(
        &self,
        arguments: &[&str],
        answers: &[(&str, &str)],
        meanwhile: impl FnOnce(),
    ) -> (i32, String) {
        std::thread::scope(|scope| {
            let answered =
                scope.spawn(|| self.on_terminal(arguments, answers, &Screen { held: true, ..Screen::default() }));
            while !self.folder.path().join("asked").exists() && !answered.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
            }
            meanwhile();
            self.write("may-answer", "");
            answered.join().unwrap()
        })
    }

    fn on_terminal(&self, arguments: &[&str], answers: &[(&str, &str)], screen: &Screen) -> (i32, String) {
        let binary = binary().display().to_string();
        let arguments = arguments.iter().map(|argument| self.fill(argument));
        let job = serde_json::json!({
            "command": std::iter::once(binary).chain(arguments).collect::<Vec<_>>(),
            "answers": answers,
            "folder": self.folder.path(),
            "held": screen.held,
            "columns": screen.columns,
        });
        let mut env = self.environment();
        env.push(("TERM".to_owned(), screen.kind.to_owned()));
        env.push(("JOB".to_owned(), job.to_string()));
        let output = python::run(include_str!("terminal.py"), &env);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = seen["code"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
        (code, self.names.empty(seen["screen"].as_str().unwrap_or_default().to_owned()))
    }

    /// The working folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the binary runs with, for other programs too.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut env = match &self.server {
            Server::Sandbox(sandbox) if self.names.suffix.is_empty() => sandbox.environment(),
            Server::Sandbox(sandbox) => {
                // The key that it prints is that of the identity, where one was attached.
                let key = sandbox.environment().into_iter().find(|(name, _)| name == "AWS_ACCESS_KEY_ID");
                let key = key.map_or_else(|| self.names.account.clone(), |(_, key)| key);
                credentials(sandbox.address(EmulatorKind::Aws).unwrap(), key)
            }
            Server::Shared(proxy) => credentials(proxy.address, self.names.account.clone()),
        };
        env.push(("HOME".to_owned(), self.folder.path().display().to_string()));
        env.push(("PROVISION_TEST_WAITS".to_owned(), PACE.to_string()));
        if !env.iter().any(|(name, _)| name == "SSL_CERT_FILE") {
            env.extend(roots::variables(self.folder.path()));
        }
        env
    }

    /// What a person sees on AWS, with what differs from run to run replaced.
    #[must_use]
    pub fn transcript(&self, ran: &Ran) -> String {
        let text = format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr);
        let address = |(name, value): (String, String)| (name == "AWS_ENDPOINT_URL").then_some(value);
        let address = self.environment().into_iter().find_map(address).unwrap_or_default();
        let text = text.replace(&address, "http://127.0.0.1:PORT");
        // Who the credentials are is the server's own invention.
        let text = text.replace("{a}:root", "ACCOUNT:PRINCIPAL").replace("{a}:user/sandbox", "ACCOUNT:PRINCIPAL");
        let text = text.replace("{a}", "ACCOUNT").replace("-{s}", "-SUFFIX");
        without_digests(&without_digests(&text, "provision-"), "Provision")
    }

    /// Start the binary, to be interrupted.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Child {
        // What the hand has made by now.
        std::thread::sleep(self.late);
        let mut command = Command::new(binary());
        command.args(arguments.iter().map(|argument| self.fill(argument)));
        command.current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default()).envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        command.spawn().unwrap()
    }

    /// A hand that can be taken elsewhere.
    #[must_use]
    pub fn hand(&self) -> Hand {
        self.hand.clone()
    }

    /// Send a request behind the binary's back, and forget that it was sent; gives the answer.
    ///
    /// # Panics
    ///
    /// It is refused.
    pub fn send(&self, method: &str, place: &str, body: Value) -> Value {
        let answer = self.hand.send(method, place, body);
        self.faults().clear();
        answer
    }

    /// The same, for what may be refused; gives `null` then.
    pub fn ask(&self, method: &str, place: &str, body: Value) -> Value {
        let (status, answer) = self.hand.ask(method, place, &body);
        self.faults().clear();
        if status < 300 { answer } else { Value::Null }
    }
}

fn credentials(address: SocketAddr, key: String) -> Vec<(String, String)> {
    let variables = [
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", AWS_SECRET.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
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
