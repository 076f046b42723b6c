//! A request as the services read it.

use bytes::Bytes;
use http::{HeaderMap, Request};
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::wire::Auth0Wire;
use crate::emulator::Wire as _;
use crate::world::World;

/// A request.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub world: &'a World,
    pub operation: String,
    /// The last word of its path.
    pub id: String,
    pub query: Vec<(String, String)>,
    pub headers: &'a HeaderMap,
    pub body: &'a Bytes,
    /// When it came.
    pub now_ms: u64,
}

impl<'a> Call<'a> {
    pub(super) fn new(world: &'a World, request: &'a Request<Bytes>) -> Self {
        let uri = request.uri();
        let last = uri.path().rsplit('/').next().unwrap_or_default();
        let id = percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned();
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let operation = Auth0Wire.operation(request);
        Self {
            world,
            operation,
            id,
            query,
            headers: request.headers(),
            body: request.body(),
            now_ms: world.clock.now_ms(),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is true or false.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let parse = |value: &str| match value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Refusal::query(format!("'Expected type boolean but found type string' on property {name}"))),
        };
        self.parameter(name).map(parse).transpose()
    }

    /// A parameter that is a number up to this one.
    pub(super) fn number(&self, name: &str, most: usize) -> Result<Option<usize>, Refusal> {
        let Some(value) = self.parameter(name) else { return Ok(None) };
        let number: usize = value
            .parse()
            .map_err(|_| Refusal::query(format!("'Expected type integer but found type string' on property {name}")))?;
        if number > most {
            return Err(Refusal::query(format!("'Value {number} is greater than maximum {most}' on property {name}")));
        }
        Ok(Some(number))
    }

    /// Refuse parameters other than these.
    pub(super) fn takes(&self, parameters: &[&str]) -> Result<(), Refusal> {
        match self.query.iter().find(|(name, _)| !parameters.contains(&name.as_str())) {
            Some((name, _)) => Err(Refusal::query(format!("'Additional properties not allowed: {name}'"))),
            None => Ok(()),
        }
    }

    /// The body, which is an object.
    pub(super) fn json(&self) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(body)) => Ok(body),
            Ok(_) => Err(Refusal::body("'Expected type object but found another type'")),
            Err(_) => Err(Refusal::new(400, "", "Invalid request payload JSON format")),
        }
    }

    /// Refuse a page in a browser on this machine, and a name that somebody else gave to the machine: the secret is known.
    pub(super) fn is_of_this_machine(&self, is_here: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        let host = self.header("host").unwrap_or("127.0.0.1");
        if !is_here(host) || self.headers.contains_key(http::header::ORIGIN) {
            return Err(Refusal::new(403, "", "the sandbox serves programs on this machine only"));
        }
        Ok(())
    }
}
