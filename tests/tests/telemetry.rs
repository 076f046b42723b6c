//! Traces for OpenTelemetry: where the environment names a collector, and not otherwise.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use prost::Message;
use provision_tests::run::Ran;
use provision_tests::stage::Stage;

use crate::clouds::{AWS, AZURE};

/// What is looked at of a request
/// (<https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto>).
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Attributes>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Content>,
}

#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(int64, optional, tag = "3")]
    number: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "7")]
    begun: u64,
    #[prost(fixed64, tag = "8")]
    ended: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
}

/// The head and the body of each request.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that takes everything, or answers nothing at all.
struct Collector {
    url: String,
    received: Received,
}

impl Collector {
    fn start(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (url, received) = (format!("http://{}", listener.local_addr().unwrap()), Arc::default());
        let kept: Received = Arc::clone(&received);
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for mut connection in listener.incoming().flatten() {
                if !answers {
                    silent.push(connection);
                    continue;
                }
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut body = vec![0; length.and_then(|text| text.parse().ok()).unwrap_or(0)];
                reader.read_exact(&mut body).unwrap();
                kept.lock().unwrap().push((head, body));
                let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Self { url, received }
    }

    fn one(&self) -> (String, Vec<u8>) {
        let received = self.received.lock().unwrap();
        assert_eq!(received.len(), 1);
        received[0].clone()
    }
}

fn run(stage: &Stage, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let ran = stage.run_with(arguments, |command| {
        command.envs(variables.iter().copied());
    });
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran
}

fn spans(body: &[u8]) -> (BTreeMap<String, String>, Vec<Span>) {
    let mut request = Request::decode(body).unwrap();
    let ResourceSpans { resource, mut scope_spans } = request.resource_spans.remove(0);
    let text = |attribute: Attribute| (attribute.key, attribute.value.and_then(|value| value.text).unwrap_or_default());
    (resource.unwrap().attributes.into_iter().map(text).collect(), scope_spans.remove(0).spans)
}

#[test]
fn command_sections_operations_and_requests_are_spans_of_one_trace() {
    let (stage, collector) = (AWS.planned(), Collector::start(true));
    let ran = run(
        &stage,
        &["aws", "apply", "--yes"],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"),
            ("OTEL_SERVICE_NAME", "nightly"),
            ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ],
    );
    assert!(!ran.stderr.contains("traces"), "{}", ran.stderr);
    let (head, body) = collector.one();
    assert!(head.starts_with("POST /v1/traces ") && head.contains("x-key: a b\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    let (resource, spans) = spans(&body);
    assert_eq!(resource["service.name"], "nightly");
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}"));
    let within = |name: &str| spans.iter().find(|span| span.span_id == named(name).parent_span_id);
    let (root, section) = (named("provision aws apply"), named("section aws"));
    assert_eq!(root.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert!(spans.iter().all(|span| span.trace_id == root.trace_id && span.begun <= span.ended));
    assert_eq!(root.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(section.parent_span_id, root.span_id);
    // A request of an operation, and one of the look before.
    let operation = within("s3:CreateBucket").unwrap();
    assert!(operation.name.contains("bucket") && operation.parent_span_id == section.span_id, "{operation:?}");
    assert_eq!(within("sts:GetCallerIdentity").unwrap().span_id, root.span_id);
}

#[test]
fn spans_hold_no_secret() {
    let (stage, collector) = (AZURE.applied(), Collector::start(true));
    let variables = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url.as_str())];
    let ran = run(&stage, &["azure", "output", "--reveal"], &variables);
    let (head, body) = collector.one();
    assert!(head.starts_with("POST / "), "{head}");
    let text = String::from_utf8_lossy(&body).into_owned();
    let secrets = (AZURE.secrets)(&stage.hand());
    assert!(secrets.iter().any(|secret| ran.stdout.contains(secret)));
    assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
}

/// It is not there, or it says nothing: the command ends as it would without, and says so.
#[test]
fn collector_that_takes_nothing_changes_nothing() {
    let stage = AWS.applied();
    let silent = Collector::start(false);
    for url in ["http://127.0.0.1:9", &silent.url] {
        let ran = run(&stage, &["aws", "drift"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", url)]);
        assert!(ran.stderr.contains("warning: the traces of this command are not exported: "), "{}", ran.stderr);
        assert_eq!(ran.stdout, "wandb-prod: in sync\n");
    }
    let grpc = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    assert!(run(&stage, &["aws", "drift"], &grpc).stderr.contains("`grpc`"));
    let off = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_SDK_DISABLED", "true")];
    assert!(!run(&stage, &["aws", "drift"], &off).stderr.contains("traces"));
}
