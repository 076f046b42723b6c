//! The fault layer, in the sandbox and as a proxy before it, seen from outside.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use provision_sandbox::aws::AwsWire;
use provision_sandbox::fault::{Fault, Nth, What, When};
use provision_sandbox::layer::FaultLayer;
use provision_sandbox::proxy::Proxy;
use provision_sandbox::{EmulatorKind, Options, Sandbox};

/// By a key that the sandbox did not give out: who has its secret, it does not know.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";

fn sandbox() -> (Sandbox, SocketAddr) {
    let sandbox = Sandbox::start(Options { recording: true, ..Options::default() }).unwrap();
    let address = sandbox.address(EmulatorKind::Aws).unwrap();
    (sandbox, address)
}

fn sent(address: SocketAddr, method: &str, path: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: {SIGNED}\r\n{more}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// The status; `None` if the connection ended without an answer.
fn status(address: SocketAddr, method: &str, path: &str) -> Option<u16> {
    let mut answer = String::new();
    sent(address, method, path, "\r\n").read_to_string(&mut answer).unwrap_or_default();
    answer.split(' ').nth(1).map(|status| status.parse().unwrap())
}

fn inject(layer: &FaultLayer, operation: &str, nth: Nth, at: When, what: What) {
    layer.fault(Fault { operation: operation.to_owned(), nth, at, what });
}

#[test]
fn fault_before_the_effect_has_none_and_after_it_has_it() {
    let (sandbox, address) = sandbox();
    let conflict = || What::Conflict;
    inject(sandbox.faults(), "s3:CreateBucket", Nth::Number(1), When::Before, conflict());
    inject(sandbox.faults(), "s3:CreateBucket", Nth::Number(2), When::After, conflict());
    assert_eq!((status(address, "PUT", "/one"), status(address, "HEAD", "/one")), (Some(409), Some(404)));
    assert_eq!((status(address, "PUT", "/one"), status(address, "HEAD", "/one")), (Some(409), Some(200)));
}

#[test]
fn dropped_connection_gives_no_answer() {
    let (sandbox, address) = sandbox();
    inject(sandbox.faults(), "s3:CreateBucket", Nth::Number(1), When::After, What::Drop);
    assert_eq!(status(address, "PUT", "/one"), None);
    assert_eq!(status(address, "HEAD", "/one"), Some(200));
    assert_eq!(sandbox.faults().records()[0].status, None);
}

#[test]
fn pattern_counts_the_calls_of_all_operations_it_names() {
    let (sandbox, address) = sandbox();
    inject(sandbox.faults(), "s3:*", Nth::Number(2), When::Before, What::Throttle);
    let statuses =
        [("PUT", "/one"), ("HEAD", "/one"), ("HEAD", "/one")].map(|(method, path)| status(address, method, path));
    assert_eq!(statuses, [Some(200), Some(503), Some(200)]);
}

/// Another call of the operation comes while the first is held, and has its answer before.
#[test]
fn fault_is_of_the_call_that_came_as_the_nth() {
    let (sandbox, address) = sandbox();
    inject(sandbox.faults(), "s3:HeadBucket", Nth::Number(1), When::Before, What::Throttle);
    sandbox.faults().hook("s3:HeadBucket", 1, move || assert_eq!(status(address, "HEAD", "/one"), Some(404)));
    assert_eq!((status(address, "HEAD", "/one"), sandbox.faults().count("s3:HeadBucket")), (Some(503), 2));
}

#[test]
fn latency_and_delay_come_later() {
    let (sandbox, address) = sandbox();
    sandbox.faults().set_latency(Duration::from_millis(60));
    inject(sandbox.faults(), "s3:CreateBucket", Nth::Every, When::Before, What::Delay(Duration::from_millis(60)));
    let started = Instant::now();
    assert_eq!(status(address, "PUT", "/one"), Some(200));
    assert!(started.elapsed() >= Duration::from_millis(120));
}

#[test]
fn hooks_run_before_and_after_the_effect() {
    let (sandbox, address) = sandbox();
    let order = Arc::new(AtomicUsize::new(0));
    for (at, position) in [(When::After, 1), (When::Before, 0)] {
        let order = Arc::clone(&order);
        let run = move || assert_eq!(order.fetch_add(1, Ordering::SeqCst), position);
        sandbox.faults().hook_at("s3:CreateBucket", 1, at, run);
    }
    assert_eq!((status(address, "PUT", "/one"), order.load(Ordering::SeqCst)), (Some(200), 2));
}

#[test]
fn proxy_is_the_same_layer_before_another_server() {
    let (sandbox, upstream) = sandbox();
    let proxy = Proxy::start(AwsWire, upstream).unwrap();
    inject(&proxy, "s3:HeadBucket", Nth::Number(2), When::Before, What::Conflict);
    assert_eq!(status(proxy.address, "PUT", "/one"), Some(200));
    assert_eq!((status(proxy.address, "HEAD", "/one"), status(proxy.address, "HEAD", "/one")), (Some(200), Some(409)));
    assert_eq!((proxy.count("s3:HeadBucket"), sandbox.faults().count("s3:HeadBucket")), (2, 1));
    assert_eq!((proxy.writes(), proxy.waves()), (vec!["s3:CreateBucket".to_owned()], 3));
    let record = proxy.records().remove(0);
    assert_eq!((record.method.as_str(), record.path.as_str(), record.status), ("PUT", "/one", Some(200)));
    assert_eq!(record.headers["authorization"], SIGNED);
    proxy.clear();
    assert!(proxy.records().is_empty());
}

#[test]
fn waiting_call_whose_caller_left_takes_no_message() {
    let (sandbox, address) = sandbox();
    let call = |operation: &str, body: &str| {
        let length = body.len();
        sent(
            address,
            "POST",
            "/",
            &format!("x-amz-target: AmazonSQS.{operation}\r\ncontent-length: {length}\r\n\r\n{body}"),
        )
    };
    let answer = |operation: &str, body: &str| {
        let mut answer = String::new();
        call(operation, body).read_to_string(&mut answer).unwrap();
        answer
    };
    answer("CreateQueue", r#"{"QueueName":"q"}"#);
    let url = format!("\"QueueUrl\":\"http://{address}/123456789012/q\"");
    let waiting = call("ReceiveMessage", &format!("{{{url},\"WaitTimeSeconds\":20}}"));
    std::thread::sleep(Duration::from_millis(100));
    drop(waiting);
    std::thread::sleep(Duration::from_millis(200));
    answer("SendMessage", &format!("{{{url},\"MessageBody\":\"hello\"}}"));
    std::thread::sleep(Duration::from_millis(200));
    assert!(answer("ReceiveMessage", &format!("{{{url}}}")).contains("hello"));
    drop(sandbox);
}

#[test]
fn sandbox_starts_and_ends_inside_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (sandbox, address) = sandbox();
        drop(sandbox);
        assert!(TcpStream::connect(address).is_err());
    });
}
