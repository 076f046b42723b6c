//! A server that writes bytes as they are, with TLS where the client insists on it, and runs whose endpoints it is.

use std::net::SocketAddr;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provision_tests::stage::Stage;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::clouds::CloudFixture;

/// What the first request of a connection is answered with: a beginning, and then the same again and again, if anything, as fast
/// as it is read or once in a while.
pub(super) struct Answer {
    pub(super) first: Vec<u8>,
    pub(super) again: Option<Vec<u8>>,
    pub(super) every: Duration,
}

impl Answer {
    /// One answer, after which the connection ends.
    pub(super) fn once(first: String) -> Self {
        Self { first: first.into_bytes(), again: None, every: Duration::ZERO }
    }
}

/// A request to its answer.
type Answers = Arc<dyn Fn(&[u8]) -> Answer + Send + Sync>;

/// A running server. It ends with the value.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// What is to be trusted, if it speaks TLS.
    certificate: Option<String>,
    heard: Arc<Mutex<Vec<u8>>>,
    runtime: Option<Runtime>,
}

impl Server {
    pub(super) fn start(tls: bool, answers: impl Fn(&[u8]) -> Answer + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (certificate, acceptor) = tls.then(certified).unzip();
        let heard = Arc::default();
        runtime.spawn(serve(listener, acceptor, Arc::new(answers), Arc::clone(&heard)));
        Self { address, certificate, heard, runtime: Some(runtime) }
    }

    /// The first request of each connection.
    pub(super) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// A certificate of its own making.
fn certified() -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(rustls::DEFAULT_VERSIONS).unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, answers: Answers, heard: Arc<Mutex<Vec<u8>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, answers, heard) = (acceptor.clone(), Arc::clone(&answers), Arc::clone(&heard));
        tokio::spawn(async move {
            let Some(acceptor) = acceptor else { return answer(stream, &answers, &heard).await };
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream, &answers, &heard).await;
            }
        });
    }
}

/// Answer the first request, until nobody listens.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answers: &Answers, heard: &Mutex<Vec<u8>>) {
    let asked = request(&mut stream).await;
    if asked.is_empty() {
        return;
    }
    heard.lock().unwrap().extend_from_slice(&asked);
    let Answer { first, again, every } = answers(&asked);
    let mut goes_on = stream.write_all(&first).await.is_ok() && stream.flush().await.is_ok();
    while let Some(again) = again.as_ref().filter(|_| goes_on) {
        goes_on = stream.write_all(again).await.is_ok() && stream.flush().await.is_ok();
        tokio::time::sleep(every).await;
    }
    let _ = stream.shutdown().await;
}

/// A request with its body; of one of HTTP/2, how it begins.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let (mut asked, mut some) = (Vec::new(), [0; 4096]);
    while let Ok(size @ 1..) = stream.read(&mut some).await {
        asked.extend_from_slice(&some[..size]);
        if asked.starts_with(b"PRI ") || is_whole(&asked) {
            break;
        }
    }
    asked
}

fn is_whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(str::to_owned));
    body.len() >= length.and_then(|length| length.trim().parse().ok()).unwrap_or_default()
}

/// A cloud, and which of its endpoints are in such hands, by the beginning of their variables' names.
pub(super) type Place = (&'static CloudFixture, &'static [&'static str]);

/// Start a command for which these endpoints are this server, with more variables.
pub(super) fn spawn(
    stage: &Stage,
    (cloud, endpoints): Place,
    server: &Server,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> Child {
    let mut env = stage.environment();
    // What is not there is like the endpoint of all.
    env.push(("AWS_ENDPOINT_URL_S3".to_owned(), "http://".to_owned()));
    let replaced = env.into_iter().filter(|(name, _)| endpoints.contains(&name.as_str()));
    let at = |value: String| match value.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://{}", server.address),
        None => server.address.to_string(),
    };
    let replaced: Vec<_> = replaced.map(|(name, value)| (name, at(value))).collect();
    stage.spawn(&[&[cloud.name], arguments].concat(), |command| {
        command.envs(replaced).envs(more.iter().copied());
        if let Some(certificate) = &server.certificate {
            stage.write("both.pem", &(trusted(stage) + certificate));
            command.env("SSL_CERT_FILE", stage.path().join("both.pem"));
        }
    })
}

/// The certificates that a stage's runs trust.
fn trusted(stage: &Stage) -> String {
    let (_, file) = stage.environment().into_iter().find(|(name, _)| name == "SSL_CERT_FILE").unwrap();
    std::fs::read_to_string(file).unwrap()
}

/// All endpoints of a cloud, by their variables.
pub(super) const AWS_WHOLE: &[&str] = &["AWS_ENDPOINT_URL"];
pub(super) const GOOGLE_WHOLE: &[&str] =
    &["STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "PROVISION_GCP_API_ENDPOINT"];
pub(super) const AZURE_WHOLE: &[&str] = &[
    "AZURE_RESOURCE_MANAGER_ENDPOINT",
    "AZURE_AUTHORITY_HOST",
    "AZURE_STORAGE_BLOB_ENDPOINT",
    "AZURE_STORAGE_QUEUE_ENDPOINT",
];
