//! A tenant that answers as one was recorded to, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::recorded::{Client, Recorded};

/// What is there, and how it misbehaves.
pub(super) struct Tenant {
    recorded: Recorded,
    clients: Vec<Client>,
    made: usize,
    asked: Vec<String>,
    /// A request by method that is refused, with the body.
    refused: Option<(String, Value)>,
    /// The method of the request to one client before which ours is deleted.
    goes: Option<String>,
}

/// It ends with the process.
pub(super) struct Replay {
    address: SocketAddr,
    tenant: Arc<Mutex<Tenant>>,
}

impl Replay {
    pub(super) fn start(tenant: Tenant) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, tenant) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(tenant)));
        let served = Arc::clone(&tenant);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let tenant = Arc::clone(&served);
                std::thread::spawn(move || serve(client, &tenant));
            }
        });
        Self { address, tenant }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.tenant.lock().unwrap()
    }

    /// Each request: method, path with parameters, and body.
    pub(super) fn asked(&self) -> Vec<String> {
        self.tenant().asked.clone()
    }

    pub(super) fn count(&self) -> usize {
        self.tenant().clients.len()
    }

    /// Those with our mark.
    pub(super) fn ours(&self) -> Vec<Value> {
        self.tenant().clients.iter().filter(|client| is_ours(client)).cloned().map(Value::Object).collect()
    }

    /// Change ours by hand.
    pub(super) fn change(&self, change: impl Fn(&mut Client)) {
        self.tenant().clients.iter_mut().filter(|client| is_ours(client)).for_each(change);
    }

    pub(super) fn refuses(&self, method: &str, refusal: &Value) {
        self.tenant().refused = Some((method.to_owned(), refusal.clone()));
    }

    pub(super) fn goes_before(&self, method: &str) {
        self.tenant().goes = Some(method.to_owned());
    }
}

fn is_ours(client: &Client) -> bool {
    client.get("client_metadata").is_some_and(|metadata| metadata["provision-deployment"].is_string())
}

impl Tenant {
    pub(super) fn new(clients: Vec<Client>) -> Self {
        Self { recorded: Recorded::read(), clients, made: 0, asked: Vec::new(), refused: None, goes: None }
    }

    fn answer(&mut self, method: &str, place: &str, body: &str) -> (u16, Value) {
        self.asked.push(format!("{method} {place} {body}"));
        let url = reqwest::Url::parse(&format!("http://tenant{place}")).unwrap();
        if url.path() == "/oauth/token" {
            let scope = "read:clients create:clients update:clients delete:clients";
            return (
                200,
                json!({"access_token": "a.b.c", "scope": scope, "expires_in": 86_400, "token_type": "Bearer"}),
            );
        }
        if let Some((_, refusal)) = self.refused.iter().find(|(refused, _)| refused == method) {
            let status = refusal["statusCode"].as_u64().unwrap();
            return (u16::try_from(status).unwrap(), refusal.clone());
        }
        let body = serde_json::from_str(body).unwrap_or_default();
        match (method, url.path().strip_prefix("/api/v2/clients/")) {
            ("GET", None) => (200, self.list(&url)),
            ("POST", None) => (201, self.create(body)),
            (method, Some(id)) => self.of_one(method, id, body),
            other => panic!("{other:?} was not recorded"),
        }
    }

    fn list(&self, url: &reqwest::Url) -> Value {
        let number = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.parse::<usize>().unwrap();
        let (page, size) = (number("page"), number("per_page"));
        let mut answer = self.recorded.page();
        let clients: Vec<_> = self.clients.iter().skip(page * size).take(size).collect();
        for (key, value) in [("start", page * size), ("limit", size), ("total", self.clients.len())] {
            answer.insert(key.to_owned(), json!(value));
        }
        answer.insert("clients".to_owned(), json!(clients));
        Value::Object(answer)
    }

    fn create(&mut self, asked: Value) -> Value {
        let Value::Object(asked) = asked else { panic!("{asked} is no client") };
        let mut client = self.recorded.client(&asked);
        self.made += 1;
        client.insert("client_id".to_owned(), json!(format!("madeApplication{:04}", self.made)));
        self.clients.push(client.clone());
        Value::Object(client)
    }

    fn of_one(&mut self, method: &str, id: &str, body: Value) -> (u16, Value) {
        if self.goes.as_deref() == Some(method) {
            self.clients.retain(|client| !is_ours(client));
        }
        let found = self.clients.iter_mut().find(|client| client["client_id"] == id);
        match (method, found) {
            ("DELETE", _) => {
                self.clients.retain(|client| client["client_id"] != id);
                (204, Value::Null)
            }
            (_, None) => (404, self.recorded.refusal("inexistent_client")),
            ("PATCH", Some(client)) => (200, changed(client, body)),
            (_, Some(client)) => (200, Value::Object(client.clone())),
        }
    }
}

/// Metadata is merged by key, everything else is replaced.
fn changed(client: &mut Client, changes: Value) -> Value {
    let Value::Object(mut changes) = changes else { panic!("{changes} are no changes") };
    let metadata = changes.remove("client_metadata");
    client.extend(changes);
    for (key, value) in metadata.iter().filter_map(Value::as_object).flatten() {
        let present = client["client_metadata"].as_object_mut().unwrap();
        present.insert(key.clone(), value.clone());
        present.retain(|_, value| !value.is_null());
    }
    Value::Object(client.clone())
}

/// Answer one request.
fn serve(client: TcpStream, tenant: &Mutex<Tenant>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let (method, rest) = head.first()?.split_once(' ')?;
    let place = rest.split(' ').next()?;
    let length =
        head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).ok()?;
    let (status, answer) = tenant.lock().ok()?.answer(method, place, &String::from_utf8_lossy(&body));
    let answer = if answer.is_null() { String::new() } else { answer.to_string() };
    let mut client = client;
    write!(
        client,
        "HTTP/1.1 {status} recorded\r\ncontent-type: application/json; charset=utf-8\r\nx-ratelimit-limit: 50\r\n\
         x-ratelimit-remaining: 49\r\nx-ratelimit-reset: 1700000000\r\n{}connection: close\r\n\r\n{answer}",
        if status == 204 { String::new() } else { format!("content-length: {}\r\n", answer.len()) },
    )
    .ok()
}
