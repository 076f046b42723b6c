//! Google's own clients before the sandbox: the storage library for Python, and gcloud and gsutil where they are present.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use provision_sandbox::{EmulatorKind, Options, Sandbox};

use crate::listening::listening;
use crate::python;

/// The project that tests use.
pub const PROJECT: &str = "acme-ml";

/// The server's service account in it.
pub const SERVER: &str = "wandb@acme-ml.iam.gserviceaccount.com";

/// The Google part of a sandbox, and what its clients need. It ends with the value.
#[derive(Debug)]
pub struct Google {
    /// Where the clients keep their files.
    folder: tempfile::TempDir,
    /// The sandbox.
    pub sandbox: Sandbox,
}

impl Google {
    /// A sandbox with a project and a service account.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn start() -> Self {
        let options = Options { clouds: vec![EmulatorKind::Google], recording: true, ..Options::default() };
        let sandbox = Sandbox::start(options).unwrap();
        sandbox.seed_google(PROJECT, Some(SERVER)).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), sandbox }
    }

    fn address(&self) -> SocketAddr {
        self.sandbox.address(EmulatorKind::Google).unwrap()
    }

    /// Run a script for Google's Python clients; gives what it printed.
    ///
    /// # Panics
    ///
    /// The script fails.
    #[must_use]
    pub fn python(&self, script: &str) -> String {
        let mut env = self.sandbox.environment();
        env.extend(closed());
        env.push(("HOME".to_owned(), self.folder.path().display().to_string()));
        env.push(("SERVER".to_owned(), SERVER.to_owned()));
        text(python::GOOGLE.run(&format!("{PRELUDE}{script}"), &env))
    }

    /// Run gcloud, if it is there; gives what it printed.
    ///
    /// # Panics
    ///
    /// It fails.
    #[must_use]
    pub fn gcloud(&self, arguments: &[&str]) -> String {
        let url = format!("http://{}/", self.address());
        let mut command = Command::new("gcloud");
        command.args(arguments).env_clear().envs(closed()).envs(self.sdk());
        command.env("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", format!("{url}storage/v1/"));
        for service in ["PUBSUB", "IAM", "CLOUDRESOURCEMANAGER"] {
            command.env(format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}"), &url);
        }
        text(command.output().unwrap())
    }

    /// Run gsutil, if it is there, through TLS; gives what it printed.
    ///
    /// # Panics
    ///
    /// It fails.
    #[must_use]
    pub fn gsutil(&self, tls: &Tls, arguments: &[&str]) -> String {
        let settings = self.folder.path().join("boto");
        let state = self.folder.path().display();
        let text_of_settings = format!(
            "[Credentials]\ngs_json_host = 127.0.0.1\ngs_json_port = {}\n\
             [Boto]\nhttps_validate_certificates = False\n\
             [GSUtil]\nprefer_api = json\nsoftware_update_check_period = 0\nstate_dir = {state}\n",
            tls.port
        );
        std::fs::write(&settings, text_of_settings).unwrap();
        let mut command = Command::new("gsutil");
        command.args(arguments).env_clear().envs(self.sdk());
        command.env("BOTO_CONFIG", settings).env("CLOUDSDK_CORE_PASS_CREDENTIALS_TO_GSUTIL", "false");
        text(command.output().unwrap())
    }

    /// The port of the sandbox behind TLS.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn tls(&self) -> Tls {
        let mut command = Command::new(python::GOOGLE.interpreter());
        command.arg(python::workspace().join("tests/src/tls.py")).arg(self.address().port().to_string());
        let mut child = command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Tls { port: line.trim().parse().unwrap(), child }
    }

    /// Variables of the Cloud SDK: nobody's settings, no credentials, and no word to anybody.
    fn sdk(&self) -> Vec<(String, String)> {
        let folder = self.folder.path().display();
        let variables = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", folder.to_string()),
            ("CLOUDSDK_CONFIG", format!("{folder}/gcloud")),
            ("CLOUDSDK_CORE_PROJECT", PROJECT.to_owned()),
            ("CLOUDSDK_CORE_DISABLE_PROMPTS", "1".to_owned()),
            ("CLOUDSDK_CORE_DISABLE_FILE_LOGGING", "true".to_owned()),
            ("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true".to_owned()),
            ("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true".to_owned()),
            ("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true".to_owned()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

/// What scripts begin with.
const PRELUDE: &str = "
import base64, json, os, urllib.error, urllib.request
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

SERVER, PROJECT, URL = os.environ['SERVER'], os.environ['GOOGLE_CLOUD_PROJECT'], os.environ['STORAGE_EMULATOR_HOST']
client = storage.Client(project=PROJECT, credentials=AnonymousCredentials())

def http(method, url, body=None, headers={}):
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()

def pubsub(method, path, body=None, host='http://' + os.environ['PUBSUB_EMULATOR_HOST']):
    status, _, answer = http(method, f'{host}/v1/projects/{PROJECT}/{path}', body, {'content-type': 'application/json'})
    return status, json.loads(answer)

def queue():
    pubsub('PUT', 'topics/files', {'labels': {'team': 'ml'}})
    pubsub('PUT', 'subscriptions/files', {'topic': f'projects/{PROJECT}/topics/files'})

def grant():
    binding = {'role': 'roles/pubsub.publisher', 'members': ['serviceAccount:' + client.get_service_account_email()]}
    assert pubsub('POST', 'topics/files:setIamPolicy', {'policy': {'bindings': [binding]}})[0] == 200

def pull():
    answer = pubsub('POST', 'subscriptions/files:pull', {'maxMessages': 100, 'returnImmediately': True})[1]
    return answer.get('receivedMessages', [])
";

/// Whatever goes to another machine ends here: there is no such proxy.
fn closed() -> Vec<(String, String)> {
    let variables =
        [("HTTPS_PROXY", "http://127.0.0.1:9"), ("HTTP_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "127.0.0.1")];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// A running front of the sandbox that speaks TLS.
#[derive(Debug)]
pub struct Tls {
    port: u16,
    child: Child,
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Pub/Sub emulator of Google's Cloud SDK.
#[derive(Debug)]
pub struct PubsubEmulator {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl PubsubEmulator {
    /// Start it, if it and Java are on this machine; else say what is missing.
    ///
    /// # Errors
    ///
    /// What is missing.
    ///
    /// # Panics
    ///
    /// It is there and does not answer.
    pub fn start() -> Result<Self, String> {
        let program = emulator()?;
        let start = |port: u16| {
            let mut command = Command::new("java");
            command.arg("-jar").arg(&program).arg("--host=127.0.0.1").arg(format!("--port={port}"));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let started = listening(("/", "Ok"), start, String::new);
        let (address, child) = started.map_err(|error| format!("`java` ({error})"))?;
        Ok(Self { address, child })
    }
}

impl Drop for PubsubEmulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A front of the Pub/Sub emulator that does what the emulator does not.
#[derive(Debug)]
pub struct PubsubFront {
    /// Where it listens.
    pub address: SocketAddr,
    printed: BufReader<ChildStdout>,
    child: Child,
}

impl PubsubFront {
    /// Start it.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn start(emulator: &PubsubEmulator) -> Self {
        let mut command = Command::new(python::GOOGLE.interpreter());
        command.arg(python::workspace().join("tests/src/pubsub_front.py")).arg(emulator.address.to_string());
        let mut child = command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        Self { address: SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap())), printed, child }
    }

    /// End it; gives the gaps of the emulator that were met.
    ///
    /// # Panics
    ///
    /// It ended before.
    #[must_use]
    pub fn gaps(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.printed.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for PubsubFront {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The emulator's program, in the folder of `gcloud` or where Debian's package puts it.
fn emulator() -> Result<PathBuf, String> {
    let gcloud = find("gcloud").and_then(|path| path.canonicalize().ok());
    let root = gcloud.and_then(|path| Some(path.parent()?.parent()?.to_owned()));
    let roots = root.into_iter().chain([PathBuf::from("/usr/lib/google-cloud-sdk")]);
    let folders = roots.map(|root| root.join("platform/pubsub-emulator/lib"));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let program =
        files.map(|file| file.path()).find(|path| path.extension().is_some_and(|extension| extension == "jar"));
    program.ok_or_else(|| "the Pub/Sub emulator of the Google Cloud SDK".to_owned())
}

/// A program on the path.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file: &PathBuf| Path::is_file(file))
}

/// What a program printed.
fn text(output: Output) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}
