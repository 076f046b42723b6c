//! The hand that changes a cloud behind the binary's back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use provision_sandbox::{EmulatorKind, Sandbox};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::names::Names;
use crate::boto3;

/// The cloud's own REST, or boto3, as somebody else.
#[derive(Clone)]
pub struct Hand {
    client: reqwest::Client,
    way: Arc<Way>,
}

/// How requests of a cloud are sent.
enum Way {
    /// boto3, past the fault layer where that is a proxy.
    Aws { address: SocketAddr, names: Names },
    /// Everything at one address, nobody asks for credentials.
    Google { base: String },
    /// A token for the Management API of the one tenant.
    Auth0 { base: String, token: Mutex<Option<(Instant, String)>>, login: String, form: String },
    /// A token for Resource Manager; for blobs and queues the account's key signs.
    Azure {
        manager: String,
        blob: String,
        queue: String,
        token: Mutex<Option<(Instant, String)>>,
        login: String,
        form: String,
        sign: Box<Sign>,
    },
}

/// Signs a text for an account.
type Sign = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

/// The version of Resource Manager's APIs that is asked for, where the place names none.
const API_VERSION: &str = "api-version=2024-01-01";
/// The tenant of Auth0 that hands change.
pub const AUTH0_TENANT: &str = "acme.eu.auth0.com";
/// How long a token is used: an hour of a sandbox's passes quickly.
const TOKEN: Duration = Duration::from_secs(20);

impl Hand {
    pub(super) fn boto3(address: SocketAddr, names: Names) -> Self {
        Self { client: plain().build().unwrap(), way: Arc::new(Way::Aws { address, names }) }
    }

    /// Run Python with boto3: `s3`, `sqs` and `iam` are clients. Gives what it prints.
    ///
    /// # Panics
    ///
    /// The script fails, or this is another cloud than AWS.
    #[must_use]
    pub fn python(&self, script: &str) -> String {
        let Way::Aws { address, names } = self.way.as_ref() else { panic!("boto3 is for AWS") };
        names.empty(boto3::run(&format!("http://{address}"), &names.account, &names.fill(script)))
    }

    pub(super) fn of(sandbox: &Sandbox, cloud: EmulatorKind) -> Self {
        let environment = sandbox.environment();
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        if matches!(cloud, EmulatorKind::Google | EmulatorKind::Slack) {
            let base = format!("http://{}", sandbox.address(cloud).unwrap());
            return Self { client: plain().build().unwrap(), way: Arc::new(Way::Google { base }) };
        }
        if cloud == EmulatorKind::Auth0 {
            sandbox.seed_auth0(AUTH0_TENANT, None).unwrap();
            let base = variable("PROVISION_AUTH0_ENDPOINT");
            let (id, secret) = (variable("AUTH0_CLIENT_ID"), variable("AUTH0_CLIENT_SECRET"));
            let audience = format!("https%3A%2F%2F{AUTH0_TENANT}%2Fapi%2Fv2%2F");
            let form =
                format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&audience={audience}");
            let way = Way::Auth0 { login: format!("{base}/oauth/token"), base, token: Mutex::default(), form };
            return Self { client: plain().build().unwrap(), way: Arc::new(way) };
        }
        let pem = std::fs::read(variable("SSL_CERT_FILE")).unwrap();
        let roots = reqwest::Certificate::from_pem_bundle(&pem).unwrap();
        let manager = variable("AZURE_RESOURCE_MANAGER_ENDPOINT");
        let login = format!("{manager}/common/oauth2/v2.0/token");
        let form = format!(
            "grant_type=client_credentials&scope=https%3A%2F%2Fmanagement.azure.com%2F.default&client_id={}&client_secret={}",
            variable("AZURE_CLIENT_ID"),
            variable("AZURE_CLIENT_SECRET")
        );
        let (blob, queue) = (variable("AZURE_STORAGE_BLOB_ENDPOINT"), variable("AZURE_STORAGE_QUEUE_ENDPOINT"));
        let sign = Box::new(sandbox.azure_signer());
        let way = Way::Azure { manager, blob, queue, token: Mutex::default(), login, form, sign };
        Self { client: plain().tls_certs_only(roots).build().unwrap(), way: Arc::new(way) }
    }

    /// Send a request to a place: a path of the cloud's management, a whole URL, or on Azure `blob:` or `queue:` and a
    /// path; there the members of a body are headers. A body of text is sent as it is. What Azure does not find yet, or still keeps a name of, is asked for again.
    ///
    /// # Panics
    ///
    /// It is refused.
    pub fn send(&self, method: &str, place: &str, body: Value) -> Value {
        let patient = matches!(self.way.as_ref(), Way::Azure { .. });
        let mut tries = if patient { 40 } else { 1 };
        loop {
            let (status, answer) = self.ask(method, place, &body);
            tries -= 1;
            if tries > 0 && [404, 409].contains(&status) {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            assert!(status < 300, "{method} {place} is answered {status}: {answer}");
            return answer;
        }
    }

    /// Send a request; gives status and answer. What goes on after its answer is waited for, and so is what is not shown at once.
    ///
    /// # Panics
    ///
    /// There is no answer.
    pub fn ask(&self, method: &str, place: &str, body: &Value) -> (u16, Value) {
        runtime().block_on(async {
            let response = self.request(method, place, body).await.send().await.unwrap();
            self.wait_for(&response).await;
            let answered = read(response).await;
            let made = method == "PUT" && answered.0 < 300 && place.starts_with("/v1/projects/");
            if made && matches!(self.way.as_ref(), Way::Google { .. }) {
                self.wait_until_shown(place).await;
            }
            answered
        })
    }

    /// Pub/Sub does not show at once what was made.
    async fn wait_until_shown(&self, place: &str) {
        for _ in 0..500 {
            let shown = self.request("GET", place, &Value::Null).await.send().await.unwrap().status();
            if shown != 404 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{place} is never shown");
    }

    async fn request(&self, method: &str, place: &str, body: &Value) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let method_puts = method == Method::PUT;
        let request = match self.way.as_ref() {
            Way::Aws { .. } => panic!("AWS is changed by boto3"),
            Way::Google { base } => self.client.request(method, whole(base, place)),
            Way::Auth0 { base, .. } => self.client.request(method, whole(base, place)).bearer_auth(self.token().await),
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
                let blobs = method_puts && service == "blob";
                let request = if blobs { request.header("x-ms-blob-type", "BlockBlob") } else { request };
                return self.signed(account, with_body(request, place, body));
            }
        };
        with_body(request, place, body)
    }

    /// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
    fn signed(&self, account: &str, request: RequestBuilder) -> RequestBuilder {
        let Way::Azure { sign, .. } = self.way.as_ref() else { return request };
        let mut request = request.build().unwrap();
        let length = request.body().and_then(reqwest::Body::as_bytes).map_or(0, <[u8]>::len);
        request.headers_mut().insert("content-length", length.into());
        let text = string_to_sign(account, &request);
        let signature = sign(account, &text).unwrap_or_else(|| "of nobody".to_owned());
        request.headers_mut().insert("authorization", format!("SharedKey {account}:{signature}").parse().unwrap());
        RequestBuilder::from_parts(self.client.clone(), request)
    }

    async fn token(&self) -> String {
        let (Way::Azure { token, login, form, .. } | Way::Auth0 { token, login, form, .. }) = self.way.as_ref() else {
            return String::new();
        };
        let got = token.lock().unwrap().clone();
        if let Some((_, token)) = got.filter(|(at, _)| at.elapsed() < TOKEN) {
            return token;
        }
        let request = self.client.post(login).header("content-type", "application/x-www-form-urlencoded");
        let (_, answer) = read(request.body(form.clone()).send().await.unwrap()).await;
        let got = answer["access_token"].as_str().unwrap().to_owned();
        *token.lock().unwrap() = Some((Instant::now(), got.clone()));
        got
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

fn with_body(request: RequestBuilder, place: &str, body: &Value) -> RequestBuilder {
    match body {
        Value::Null => request.header("content-length", "0"),
        Value::String(text) => request.body(text.clone()),
        Value::Object(headers) if place.starts_with("blob:") => {
            let said = |request: RequestBuilder, (name, value): (&String, &Value)| {
                request.header(name, value.as_str().unwrap_or_default())
            };
            headers.iter().fold(request.header("content-length", "0"), said)
        }
        json => request.json(json),
    }
}

/// What is signed of a request to a storage service, as the documentation has it.
fn string_to_sign(account: &str, request: &reqwest::Request) -> String {
    const PLACED: [&str; 11] = [
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "if-modified-since",
        "if-match",
        "if-none-match",
        "if-unmodified-since",
        "range",
    ];
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let placed = PLACED.map(header).map(|value| if value == "0" { "" } else { value });
    let own: BTreeMap<_, _> = request.headers().keys().map(|name| (name.as_str(), header(name.as_str()))).collect();
    let own = own.iter().filter(|(name, _)| name.starts_with("x-ms-")).map(|(name, value)| format!("{name}:{value}\n"));
    let query: BTreeMap<_, _> = request.url().query_pairs().collect();
    let query = query.iter().map(|(name, value)| format!("\n{name}:{value}"));
    let (own, query) = (own.collect::<String>(), query.collect::<String>());
    format!("{}\n{}\n{own}/{account}{}{query}", request.method(), placed.join("\n"), request.url().path())
}

/// A client without the certificates of the system, which take long to read.
fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).tls_certs_only([])
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
