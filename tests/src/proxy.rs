//! A loopback proxy before an emulator: names and counts requests, adds latency, injects faults.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::aws_operation;
use crate::fault::{Fault, What, When};

/// One request that went through.
#[derive(Clone, Debug)]
pub struct Record {
    /// `s3:PutBucketCors`.
    pub operation: String,
    /// Headers of the request.
    pub headers: BTreeMap<String, String>,
    /// When it came.
    pub start: Instant,
    /// When it was answered.
    pub end: Instant,
}

type Hook = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    records: Mutex<Vec<Record>>,
    faults: Mutex<Vec<Fault>>,
    calls: Mutex<BTreeMap<String, usize>>,
    latency: Mutex<Duration>,
    hooks: Mutex<Vec<(String, usize, Arc<Hook>)>>,
}

/// A running proxy; it ends with the value.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// Start one before a server on this machine.
    ///
    /// # Panics
    ///
    /// The server is on another machine.
    #[must_use]
    pub fn start(upstream: SocketAddr) -> Self {
        assert!(upstream.ip().is_loopback(), "tests reach this machine only");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        runtime.spawn(serve(listener, upstream, Arc::clone(&state)));
        Self { address, state, _runtime: runtime }
    }

    /// Every request so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.state.records.lock().unwrap().clone()
    }

    /// Forget requests, faults and counts.
    pub fn clear(&self) {
        self.state.records.lock().unwrap().clear();
        self.state.faults.lock().unwrap().clear();
        self.state.calls.lock().unwrap().clear();
        self.state.hooks.lock().unwrap().clear();
    }

    /// How often an operation came.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        self.records().iter().filter(|record| record.operation == operation).count()
    }

    /// The operations that change something.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        let operations = self.records().into_iter().map(|record| record.operation);
        operations.filter(|operation| !aws_operation::reads(operation)).collect()
    }

    /// The longest chain of requests in which each starts after the former was answered.
    #[must_use]
    pub fn waves(&self) -> usize {
        let mut records = self.records();
        records.sort_by_key(|record| record.start);
        let mut chains: Vec<(Instant, usize)> = Vec::new();
        for record in &records {
            let before = chains.iter().filter(|(end, _)| *end <= record.start).map(|(_, length)| *length).max();
            chains.push((record.end, before.unwrap_or_default() + 1));
        }
        chains.into_iter().map(|(_, length)| length).max().unwrap_or_default()
    }

    /// Answer every request this much later.
    pub fn set_latency(&self, latency: Duration) {
        *self.state.latency.lock().unwrap() = latency;
    }

    /// Inject a fault.
    pub fn fault(&self, fault: Fault) {
        self.state.faults.lock().unwrap().push(fault);
    }

    /// Run something before the n-th call of an operation is forwarded.
    pub fn hook(&self, operation: &str, nth: usize, run: impl Fn() + Send + Sync + 'static) {
        self.state.hooks.lock().unwrap().push((operation.to_owned(), nth, Arc::new(Box::new(run))));
    }
}

async fn serve(listener: TcpListener, upstream: SocketAddr, state: Arc<State>) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (state, client) = (Arc::clone(&state), client.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (state, client) = (Arc::clone(&state), client.clone());
                // A task of its own: a call that came is forwarded and recorded even if the caller is killed meanwhile.
                let handled = tokio::spawn(async move { forward(request, upstream, &state, &client).await });
                async move { handled.await.unwrap_or(Err(Dropped)) }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Result<Response<Full<Bytes>>, Dropped>;

/// The connection is to end without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("dropped")
    }
}

impl std::error::Error for Dropped {}

async fn forward(
    request: Request<Incoming>,
    upstream: SocketAddr,
    state: &State,
    client: &Client<HttpConnector, Full<Bytes>>,
) -> Answer {
    let start = Instant::now();
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let query = parts.uri.query().unwrap_or_default();
    let form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let text = if form { String::from_utf8_lossy(&body).into_owned() } else { String::new() };
    let operation = aws_operation::name(parts.method.as_str(), parts.uri.path(), query, header("x-amz-target"), &text);
    let headers =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    let headers = headers.collect();
    let call = *state.calls.lock().unwrap().entry(operation.clone()).and_modify(|calls| *calls += 1).or_insert(1);
    run_hooks(state, &operation, call);
    let fault = chosen(state, &operation, call);
    let mut path = parts.uri.clone().into_parts();
    path.scheme = Some("http".parse().unwrap());
    path.authority = Some(upstream.to_string().parse().unwrap());
    let mut onward = Request::from_parts(parts, Full::new(body));
    *onward.uri_mut() = path.try_into().unwrap();
    let reaches = fault.as_ref().is_none_or(|fault| fault.at == When::After || matches!(fault.what, What::Delay(_)));
    let answer = if reaches { Some(sent(client, onward).await?) } else { None };
    let latency = *state.latency.lock().unwrap();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let answer = replaced(fault, answer).await;
    state.records.lock().unwrap().push(Record { operation, headers, start, end: Instant::now() });
    answer
}

fn run_hooks(state: &State, operation: &str, call: usize) {
    let hooks: Vec<_> =
        state.hooks.lock().unwrap().iter().map(|(name, nth, hook)| (name.clone(), *nth, Arc::clone(hook))).collect();
    hooks.iter().filter(|(name, nth, _)| name == operation && *nth == call).for_each(|(_, _, hook)| hook());
}

fn chosen(state: &State, operation: &str, call: usize) -> Option<Fault> {
    let faults = state.faults.lock().unwrap();
    faults.iter().find(|fault| fault.operation == operation && fault.nth.is(call)).cloned()
}

async fn sent(client: &Client<HttpConnector, Full<Bytes>>, request: Request<Full<Bytes>>) -> Answer {
    let answer = client.request(request).await.map_err(|_| Dropped)?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)))
}

async fn replaced(fault: Option<Fault>, answer: Option<Response<Full<Bytes>>>) -> Answer {
    match fault.map(|fault| fault.what) {
        Some(What::Answer { status, headers, body }) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Full::new(Bytes::from(body))).map_err(|_| Dropped)
        }
        Some(What::Drop) => Err(Dropped),
        Some(What::Delay(delay)) => {
            tokio::time::sleep(delay).await;
            answer.ok_or(Dropped)
        }
        None => answer.ok_or(Dropped),
    }
}
