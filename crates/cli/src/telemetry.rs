//! Traces as OpenTelemetry has them, where the environment names a collector: a span for the command, each section, each operation and
//! each request, sent once when the command ends.
//!
//! The variables are those of the standard (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>,
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>), and `TRACEPARENT` names the span that the
//! command is a part of (<https://www.w3.org/TR/trace-context/#traceparent-header>). What is secret is in no span, as in `--trace`;
//! and whatever becomes of them, the command ends as it would without.

mod otlp;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use percent_encoding::percent_decode_str;
use provision_core::error::root_cause;
use provision_core::event::Event;
use provision_core::trace::{Exchange, TraceSink, text_without_secrets};

use otlp::{Kind, Span};

/// How long the end of a command waits for a collector.
const LIMIT: Duration = Duration::from_secs(2);
/// The most spans of one command that are kept; an apply has a hundred.
const MOST_SPANS: usize = 20_000;

/// Spans of this process, where they are wanted.
static COLLECTED: OnceLock<Arc<Collected>> = OnceLock::new();

/// What is collected until the command ends.
#[derive(Debug)]
struct Collected {
    to: Collector,
    name: String,
    begun: SystemTime,
    trace: u128,
    /// The span of the command, and the one that it is a part of.
    root: u64,
    parent: u64,
    spans: Mutex<Vec<Span>>,
    open: Mutex<BTreeMap<String, Open>>,
}

/// A span that has not ended: an operation by its number and address, a section by its name.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    begun: SystemTime,
    ended: SystemTime,
}

/// Where spans are sent.
#[derive(Debug)]
struct Collector {
    url: String,
    headers: Vec<(String, String)>,
    limit: Duration,
    resource: Vec<(String, String)>,
}

/// Begin to collect, where the environment asks for it; `name` is the command's. Gives why nothing is sent although it does.
pub(crate) fn begin(name: impl FnOnce() -> String) -> Option<String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let to = match collector(&variable) {
        Ok(Some(to)) => to,
        Ok(None) => return None,
        Err(reason) => return Some(reason),
    };
    let (trace, parent) = variable("TRACEPARENT").and_then(|text| parent(&text)).unwrap_or_else(|| (new_trace(), 0));
    let (begun, root) = (SystemTime::now(), random());
    let (spans, open) = (Mutex::default(), Mutex::default());
    let _ = COLLECTED.set(Arc::new(Collected { to, name: name(), begun, trace, root, parent, spans, open }));
    None
}

/// Who collects requests.
pub(crate) fn sink() -> Option<Arc<dyn TraceSink>> {
    COLLECTED.get().map(|collected| Arc::clone(collected) as _)
}

/// Take an event.
pub(crate) fn note(event: &Event) {
    let Some(collected) = COLLECTED.get() else { return };
    match event {
        Event::OperationStarted { id, address, .. } => collected.start(address.as_str(), *id),
        Event::OperationDone { id, address, text, .. } => collected.end(address.as_str(), *id, text, None),
        Event::OperationFailed { id, address, text, error } => {
            collected.end(address.as_str(), *id, text, Some(error.to_string()));
        }
        _ => {}
    }
}

/// Send what was collected, for a while. Gives why it was not taken.
pub(crate) async fn finish(code: u8) -> Option<String> {
    let collected = COLLECTED.get()?;
    let sent = tokio::time::timeout(collected.to.limit, collected.send(code)).await;
    sent.unwrap_or_else(|_| Err("the collector did not answer in time".to_owned())).err()
}

impl Collected {
    fn keep(&self, span: Span) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() < MOST_SPANS {
            spans.push(span);
        }
    }

    fn opened(&self, key: &str) -> Option<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    fn start(&self, address: &str, id: usize) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now();
        let new = || Open { id: random(), begun: now, ended: now };
        open.insert(operation_key(address, id), new());
        open.entry(section_of(address).to_owned()).or_insert_with(new);
    }

    fn end(&self, address: &str, id: usize, text: &str, error: Option<String>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(operation) = open.remove(&operation_key(address, id)) else { return };
        let now = SystemTime::now();
        let section = open.get_mut(section_of(address));
        let parent = section.map(|section| {
            section.ended = now;
            section.id
        });
        drop(open);
        self.keep(Span {
            id: operation.id,
            parent: parent.unwrap_or(self.root),
            name: text.to_owned(),
            kind: Kind::Internal,
            begun: operation.begun,
            ended: now,
            attributes: vec![("provision.address".to_owned(), address.to_owned().into())],
            error,
        });
    }

    async fn send(&self, code: u8) -> Result<(), String> {
        let mut spans = std::mem::take(&mut *self.spans.lock().unwrap_or_else(PoisonError::into_inner));
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        let now = SystemTime::now();
        for (key, open) in open {
            // What an operation did is not known where it did not end.
            let (name, error) = match key.split_once(' ') {
                Some((address, _)) => (address.to_owned(), Some("it did not end".to_owned())),
                None => (format!("section {key}"), None),
            };
            let ended = if error.is_some() { now } else { open.ended };
            let attributes = Vec::new();
            let (id, parent, kind) = (open.id, self.root, Kind::Internal);
            spans.push(Span { id, parent, name, kind, begun: open.begun, ended, attributes, error });
        }
        spans.push(Span {
            id: self.root,
            parent: self.parent,
            name: self.name.clone(),
            kind: Kind::Internal,
            begun: self.begun,
            ended: now,
            attributes: vec![("process.exit.code".to_owned(), i64::from(code).into())],
            error: (code != 0).then(|| format!("exit code {code}")),
        });
        let body = otlp::request(self.trace, &self.to.resource, &spans);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let mut request = client.map_err(|error| root_cause(&error))?.post(&self.to.url);
        for (name, value) in &self.to.headers {
            request = request.header(name, value);
        }
        let answer = request.header("content-type", "application/x-protobuf").body(body).send().await;
        let answer = answer.map_err(|error| text_without_secrets(&root_cause(&error.without_url())))?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("the collector answered {}", answer.status())) }
    }
}

impl TraceSink for Collected {
    fn record(&self, exchange: Exchange) {
        let ended = SystemTime::now();
        let begun = ended.checked_sub(Duration::from_millis(exchange.elapsed_ms)).unwrap_or(ended);
        let operation = exchange.within.as_ref().and_then(|(address, id)| self.opened(&operation_key(address, *id)));
        let mut attributes = vec![
            ("http.request.method".to_owned(), exchange.method.into()),
            ("url.full".to_owned(), text_without_secrets(&exchange.url).into()),
        ];
        attributes
            .extend(exchange.status.map(|status| ("http.response.status_code".to_owned(), i64::from(status).into())));
        let error = match exchange.status {
            None => Some("no answer came".to_owned()),
            Some(status) => (status >= 400).then(|| format!("status {status}")),
        };
        let parent = operation.map_or(self.root, |operation| operation.id);
        let (id, name, kind) = (random(), exchange.operation, Kind::Client);
        self.keep(Span { id, parent, name, kind, begun, ended, attributes, error });
    }
}

fn operation_key(address: &str, id: usize) -> String {
    format!("{address} {id}")
}

/// The cloud's name, which an address begins with.
fn section_of(address: &str) -> &str {
    address.split('.').next().unwrap_or(address)
}

/// Where the environment says that spans are sent to; the reason where it asks for what is not done.
fn collector(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Collector>, String> {
    let of_traces = |name: &str| {
        variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
            .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
    };
    let is = |name: &str, value: &str| variable(name).is_some_and(|text| text.trim().eq_ignore_ascii_case(value));
    let whole =
        || variable("OTEL_EXPORTER_OTLP_ENDPOINT").map(|url| format!("{}/v1/traces", url.trim_end_matches('/')));
    let Some(url) = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(whole) else { return Ok(None) };
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    if let Some(protocol) = of_traces("PROTOCOL").filter(|protocol| protocol != "http/protobuf") {
        return Err(format!(
            "the protocol `{protocol}` (OTEL_EXPORTER_OTLP_PROTOCOL) is not spoken: set `http/protobuf`"
        ));
    }
    let limit = of_traces("TIMEOUT").and_then(|text| text.trim().parse().ok()).map_or(LIMIT, Duration::from_millis);
    let mut resource = pairs(&variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default());
    let service = variable("OTEL_SERVICE_NAME");
    if service.is_some() || !resource.iter().any(|(name, _)| name == "service.name") {
        resource.retain(|(name, _)| name != "service.name");
        resource.push(("service.name".to_owned(), service.unwrap_or_else(|| "provision".to_owned())));
    }
    resource.push(("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    let headers = pairs(&of_traces("HEADERS").unwrap_or_default());
    Ok(Some(Collector { url, headers, limit: limit.min(LIMIT), resource }))
}

/// `a=b,c=d`, its values percent-encoded (<https://www.w3.org/TR/baggage/#header-content>).
fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// The trace and the span of `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
fn parent(text: &str) -> Option<(u128, u64)> {
    let mut parts = text.trim().split('-').skip(1);
    let (trace, span) = (parts.next().filter(|part| part.len() == 32)?, parts.next().filter(|part| part.len() == 16)?);
    let ids = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    (ids.0 != 0 && ids.1 != 0).then_some(ids)
}

fn new_trace() -> u128 {
    (u128::from(random()) << 64) | u128::from(random())
}

/// A number that nobody else has: the keys of the standard library's hashes are random.
fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Collector>, String> {
        collector(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn variables_of_the_standard_say_where_to() {
        let (endpoint, traces) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        assert!(of(&[]).unwrap().is_none());
        assert_eq!(of(&[(endpoint, "http://c:4318/")]).unwrap().unwrap().url, "http://c:4318/v1/traces");
        assert_eq!(of(&[(endpoint, "http://c"), (traces, "http://t/x")]).unwrap().unwrap().url, "http://t/x");
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(of(&[(endpoint, "http://c"), off]).unwrap().is_none());
        }
        assert!(of(&[(endpoint, "http://c"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err().contains("grpc"));
        let more = [
            (endpoint, "http://c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, d=e"),
            ("OTEL_RESOURCE_ATTRIBUTES", "x=y"),
        ];
        let found = of(&[&more[..], &[("OTEL_EXPORTER_OTLP_TIMEOUT", "100000")]].concat()).unwrap().unwrap();
        assert_eq!(found.headers, [("a".to_owned(), "b c".to_owned()), ("d".to_owned(), "e".to_owned())]);
        assert_eq!((found.limit, found.resource[1].1.as_str()), (LIMIT, "provision"));
    }

    #[test]
    fn command_is_a_part_of_the_span_that_the_environment_names() {
        let ids = parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(ids, (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7));
        assert!(
            ["", "00-0-0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"]
                .iter()
                .all(|text| parent(text).is_none())
        );
        assert_ne!(random(), random());
    }
}
