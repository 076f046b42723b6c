//! boto3, the client that does everything behind the binary's back, in processes that stay: its import takes longer than
//! most calls.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::python;
use crate::stage::AWS_SECRET;

/// A process that waits for scripts. It ends with this one, whose end of the pipe closes.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Worker {
    fn start() -> Self {
        let mut command = Command::new(python::interpreter());
        command.args(["-c", include_str!("boto3_worker.py")]).env_clear();
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    fn run(&mut self, job: &Value) -> Value {
        writeln!(self.stdin, "{job}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the worker ended: {:?}", self.child.try_wait()))
    }
}

/// Workers that nobody uses at the moment.
static IDLE: Mutex<Vec<Worker>> = Mutex::new(Vec::new());

/// Run a script at an endpoint as an account; `s3`, `sqs` and `iam` are clients. Gives what it prints.
///
/// # Panics
///
/// The script fails.
#[must_use]
pub fn run(endpoint: &str, account: &str, script: &str) -> String {
    let idle = IDLE.lock().unwrap().pop();
    let mut worker = idle.unwrap_or_else(Worker::start);
    let answer = worker.run(&json!({"endpoint": endpoint, "account": account, "secret": AWS_SECRET, "script": script}));
    IDLE.lock().unwrap().push(worker);
    assert!(answer["failed"].is_null(), "{script}\n{}", answer["failed"].as_str().unwrap_or_default());
    answer["printed"].as_str().unwrap_or_default().trim().to_owned()
}
