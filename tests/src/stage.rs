//! A sandbox of one cloud inside the test, the built binary on it, and a hand that changes the cloud behind its back.
//!
//! The binary gets the sandbox's variables and nothing else; the hand speaks the cloud's own REST.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use provision_sandbox::layer::FaultLayer;
use provision_sandbox::record::{self, Record};
use provision_sandbox::{CloudName, Options, Sandbox};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::rig::{Ran, binary, finished};

/// A sandbox of one cloud, a working folder, and the binary. It ends with the value.
pub struct Stage {
    /// The sandbox.
    pub sandbox: Sandbox,
    hand: Hand,
    folder: tempfile::TempDir,
}

impl Stage {
    /// A new one, in memory.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn start(cloud: CloudName) -> Self {
        Self::with(Options { clouds: vec![cloud], recording: true, ..Options::default() })
    }

    /// A new one whose sandbox keeps its state in a folder, to be copied.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn start_in(cloud: CloudName, state: &Path) -> Self {
        let directory = Some(state.to_owned());
        Self::with(Options { directory, clouds: vec![cloud], recording: true, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let cloud = options.clouds[0];
        let sandbox = Sandbox::start(options).unwrap();
        let hand = Hand::of(&sandbox, cloud);
        Self { sandbox, hand, folder: tempfile::tempdir().unwrap() }
    }

    /// How the sandbox misbehaves, and what it was asked.
    #[must_use]
    pub fn faults(&self) -> &FaultLayer {
        self.sandbox.faults()
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

    /// Write a file into the working folder.
    ///
    /// # Panics
    ///
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
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

    /// Run the binary in another environment.
    #[must_use]
    pub fn run_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
        let started = Instant::now();
        let child = self.spawn(arguments, change);
        finished(child, started)
    }

    /// Start the binary, to be interrupted.
    ///
    /// # Panics
    ///
    /// It cannot be started.
    #[must_use]
    pub fn spawn(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Child {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.envs(self.sandbox.environment());
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

/// The cloud's own REST, as somebody else.
#[derive(Clone)]
pub struct Hand {
    client: reqwest::Client,
    way: Arc<Way>,
}

/// How requests of a cloud are sent.
enum Way {
    /// Everything at one address, nobody asks for credentials.
    Google { base: String },
    /// A token for Resource Manager; blobs and queues take a signature that nobody verifies.
    Azure { manager: String, blob: String, queue: String, token: OnceLock<String>, login: String, form: String },
}

/// The version of Resource Manager's APIs that is asked for, where the place names none.
const API_VERSION: &str = "api-version=2024-01-01";

impl Hand {
    fn of(sandbox: &Sandbox, cloud: CloudName) -> Self {
        let environment = sandbox.environment();
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
        if cloud != CloudName::Azure {
            let base = format!("http://{}", sandbox.address(cloud).unwrap());
            return Self { client: builder.build().unwrap(), way: Arc::new(Way::Google { base }) };
        }
        let pem = std::fs::read(variable("SSL_CERT_FILE")).unwrap();
        let roots = reqwest::Certificate::from_pem_bundle(&pem).unwrap();
        let manager = variable("AZURE_RESOURCE_MANAGER_ENDPOINT");
        let login = format!("{manager}/common/oauth2/v2.0/token");
        let form = format!(
            "grant_type=client_credentials&client_secret=x&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&client_id={}",
            variable("AZURE_CLIENT_ID")
        );
        let (blob, queue) = (variable("AZURE_STORAGE_BLOB_ENDPOINT"), variable("AZURE_STORAGE_QUEUE_ENDPOINT"));
        let way = Way::Azure { manager, blob, queue, token: OnceLock::new(), login, form };
        Self { client: builder.tls_certs_only(roots).build().unwrap(), way: Arc::new(way) }
    }

    /// Send a request to a place: a path of the cloud's management, a whole URL, or on Azure `blob:` or `queue:` and a
    /// path. A body of text is sent as it is.
    ///
    /// # Panics
    ///
    /// It is refused.
    pub fn send(&self, method: &str, place: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, place, &body);
        assert!(status < 300, "{method} {place} is answered {status}: {answer}");
        answer
    }

    /// Send a request; gives status and answer. What goes on after its answer is waited for.
    ///
    /// # Panics
    ///
    /// There is no answer.
    pub fn ask(&self, method: &str, place: &str, body: &Value) -> (u16, Value) {
        runtime().block_on(async {
            let response = self.request(method, place, body).await.send().await.unwrap();
            self.wait_for(&response).await;
            read(response).await
        })
    }

    async fn request(&self, method: &str, place: &str, body: &Value) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let method_puts = method == Method::PUT;
        let request = match self.way.as_ref() {
            Way::Google { base } => self.client.request(method, whole(base, place)),
            Way::Azure { manager, .. } if place.starts_with('/') || place.starts_with(manager.as_str()) => {
                let versioned = match place.contains("api-version=") {
                    true => place.to_owned(),
                    false => format!("{place}?{API_VERSION}"),
                };
                self.client.request(method, whole(manager, &versioned)).bearer_auth(self.token().await)
            }
            Way::Azure { blob, queue, .. } => {
                let (service, path) = place.split_once(':').unwrap_or_default();
                let account = path.split('/').nth(1).unwrap_or_default();
                let url = format!("{}{path}", if service == "queue" { queue } else { blob });
                let request = self.client.request(method, url).header("x-ms-date", "Tue, 24 Nov 2026 00:00:00 GMT");
                let request = request.header("x-ms-version", "2025-01-05");
                let request = if method_puts { request.header("x-ms-blob-type", "BlockBlob") } else { request };
                request.header("authorization", format!("SharedKey {account}:signature"))
            }
        };
        match body {
            Value::Null => request.header("content-length", "0"),
            Value::String(text) => request.body(text.clone()),
            json => request.json(json),
        }
    }

    async fn token(&self) -> String {
        let Way::Azure { token, login, form, .. } = self.way.as_ref() else { return String::new() };
        if let Some(token) = token.get() {
            return token.clone();
        }
        let request = self.client.post(login).header("content-type", "application/x-www-form-urlencoded");
        let (_, answer) = read(request.body(form.clone()).send().await.unwrap()).await;
        token.get_or_init(|| answer["access_token"].as_str().unwrap().to_owned()).clone()
    }

    async fn wait_for(&self, response: &Response) {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let started = response.status() == 202;
        let address = header("azure-asyncoperation").or(header("location").filter(|_| started)).map(str::to_owned);
        let Some(address) = address else { return };
        for _ in 0..500 {
            let response = self.request("GET", &address, &Value::Null).await.send().await.unwrap();
            let (status, answer) = read(response).await;
            if status != 202 && answer["status"] != "InProgress" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{address} does not end");
    }
}

fn whole(base: &str, place: &str) -> String {
    if place.starts_with('/') { format!("{base}{place}") } else { place.to_owned() }
}

/// Status and body; what is no JSON is text.
async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let answer = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    (status, answer)
}

/// The threads on which hands wait.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
}
