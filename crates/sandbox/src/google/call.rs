//! A request as the services read it.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use serde::de::DeserializeOwned;

use super::refusal::Refusal;
use crate::emulator::Presence;
use crate::world::World;

/// Parameters that every REST service takes <https://cloud.google.com/apis/docs/system-parameters>. They change how an
/// answer is written, or who pays: here they change nothing, but that enumerations can be numbers.
const SYSTEM: [&str; 12] = [
    "alt",
    "$alt",
    "fields",
    "key",
    "prettyPrint",
    "quotaUser",
    "userIp",
    "userProject",
    "$.xgafv",
    "access_token",
    "projection",
    "uploadType",
];

/// A request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub world: &'a World,
    pub operation: String,
    /// The variables of its path.
    names: Vec<String>,
    pub method: Method,
    pub path: String,
    /// Where the caller found the sandbox: `http://127.0.0.1:4242`.
    pub address: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// When it came.
    pub now_ms: u64,
    /// Whether its caller still waits.
    pub presence: Presence,
}

impl<'a> Call<'a> {
    pub(super) fn new(world: &'a World, route: super::routes::Route, request: http::Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or(parts.uri.authority().map(|authority| authority.as_str())).unwrap_or("127.0.0.1");
        let address = format!("http://{host}");
        let query =
            url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Self {
            world,
            operation: route.operation,
            names: route.names,
            method: parts.method,
            path: parts.uri.path().to_owned(),
            address,
            query,
            headers: parts.headers,
            body,
            now_ms: world.clock.now_ms(),
            presence: parts.extensions.get::<Presence>().cloned().unwrap_or_default(),
        }
    }

    /// A REST call that stands for this one, of gRPC.
    pub(super) fn as_rest(
        &self,
        operation: String,
        names: Vec<String>,
        path: String,
        body: &serde_json::Value,
    ) -> Self {
        let body = Bytes::from(body.to_string());
        let (method, address, presence) = (Method::POST, self.address.clone(), self.presence.clone());
        let query = Vec::new();
        // Who calls is the same.
        let token = self.headers.get(AUTHORIZATION).map(|value| (AUTHORIZATION, value.clone()));
        let headers = token.into_iter().collect();
        Self {
            world: self.world,
            operation,
            names,
            method,
            path,
            address,
            query,
            headers,
            body,
            now_ms: self.now_ms,
            presence,
        }
    }

    /// The operation without its service.
    pub(super) fn verb(&self) -> &str {
        self.operation.split_once(':').map_or(&self.operation, |(_, verb)| verb)
    }

    /// A variable of the path.
    pub(super) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let parse =
            |value: &str| value.parse().map_err(|_| Refusal::invalid(format!("Invalid value for {name}: {value}")));
        self.parameter(name).map(parse).transpose()
    }

    /// A parameter that is a truth value; Google's Python client writes `True`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.parameter(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Refuse parameters other than these.
    pub(super) fn takes(&self, parameters: &[&str]) -> Result<(), Refusal> {
        let known = |name: &str| parameters.contains(&name) || SYSTEM.contains(&name);
        match self.query.iter().find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(Refusal::invalid(format!("Unknown name \"{name}\": Cannot bind query parameter."))),
            None => Ok(()),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body. A field that is not known is refused by its name.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        json(&self.body)
    }

    /// Whether enumerations are answered as numbers <https://cloud.google.com/apis/docs/system-parameters#definitions>.
    pub(super) fn numbers(&self) -> bool {
        self.parameter("$alt").is_some_and(|value| value.contains("enum-encoding=int"))
    }

    /// How much later others see a write of this kind.
    pub(super) fn delay(&self, name: &str) -> u64 {
        self.world.faults.propagation_ms(name)
    }
}

/// A value in JSON; nothing is an empty object.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refusal::invalid(format!("Invalid JSON payload received. {error}")))
}

/// One page of a list, and the token of the next one: a key of what was answered last.
pub(super) fn page<T>(items: Vec<(String, T)>, token: &str, size: usize) -> (Vec<T>, Option<String>) {
    let mut rest = items.into_iter().skip_while(|(key, _)| !token.is_empty() && key.as_str() <= token).peekable();
    let mut page = Vec::new();
    let mut last = String::new();
    while page.len() < size
        && let Some((key, item)) = rest.next()
    {
        last = key;
        page.push(item);
    }
    (page, rest.peek().is_some().then_some(last))
}
