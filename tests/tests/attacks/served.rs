//! The sandbox under clients that mean it no good, and under many.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use provision_sandbox::{EmulatorKind, Options, Sandbox};
use provision_tests::run::binary;
use serde_json::Value;

use super::{Random, figures, rounds, try_each};

fn serving(cloud: EmulatorKind) -> (Sandbox, SocketAddr) {
    let sandbox = Sandbox::start(Options { clouds: vec![cloud], ..Options::default() }).unwrap();
    let address = sandbox.address(cloud).unwrap();
    (sandbox, address)
}

/// Send some bytes, and read what comes for a short while.
fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether it still serves.
fn serves(address: SocketAddr) -> bool {
    send(address, b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").starts_with("HTTP/1.1 ")
}

/// Requests that are none. Azure's server is the same behind TLS.
#[test]
fn malformed_requests() {
    [EmulatorKind::Aws, EmulatorKind::Google].into_iter().for_each(malformed_requests_to);
}

fn malformed_requests_to(cloud: EmulatorKind) {
    let (_sandbox, address) = serving(cloud);
    let long = "a".repeat(1 << 20);
    let mut requests: Vec<Vec<u8>> = [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /%ff%00 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "PUT /v1/projects/p/topics/t HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n[]",
        "POST /storage/v1/b?project=p HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4\r\n\r\nnull",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense",
        "PUT /b?tagging HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n<Tagging>",
        "POST / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-amz-target: AmazonSQS.CreateQueue\r\ncontent-length: 2\r\n\r\n[]",
        "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: AWS4-HMAC-SHA256 Credential=/////\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    requests.push(format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes());
    requests.push(format!("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: {long}\r\n\r\n").into_bytes());
    let mut random = Random(7);
    let bytes =
        |random: &mut Random| (0..random.below(400)).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
    requests.extend((0..rounds(20, 1500)).map(|_| bytes(&mut random)));
    try_each("malformed requests", &requests, |request| {
        let _ = send(address, request);
        if serves(address) { Ok(()) } else { Err(String::from_utf8_lossy(request).into_owned()) }
    });
}

/// A server is killed under writers: whatever it acknowledged is there when it is started again.
#[test]
fn killed_under_writers() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Mutex::new(BTreeSet::new());
    let mut random = Random(5);
    let rounds = rounds(3, 15);
    for round in 0..rounds {
        let (mut server, address) = served_in(folder.path());
        std::thread::scope(|scope| {
            for writer in 0..6 {
                let acknowledged = &acknowledged;
                scope.spawn(move || write_until_it_ends(address, &format!("t{round}-{writer}"), acknowledged));
            }
            std::thread::sleep(Duration::from_millis(50 + random.below(400) as u64));
            server.kill().unwrap();
            server.wait().unwrap();
        });
    }
    let (mut server, address) = served_in(folder.path());
    let kept = topics(address);
    server.kill().unwrap();
    server.wait().unwrap();
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost = acknowledged.difference(&kept).count();
    let area = format!("{rounds} kills of a server under writers: acknowledged writes");
    figures(&area, acknowledged.len(), acknowledged.len() - lost);
    assert!(lost == 0 && acknowledged.len() > rounds, "{lost} of {} are lost", acknowledged.len());
}

/// The binary's own server, and where it serves Google.
fn served_in(folder: &Path) -> (Child, SocketAddr) {
    let mut command = Command::new(binary());
    command.args(["sandbox", "serve"]).current_dir(folder).env_clear().stdin(Stdio::null());
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told: Vec<_> = lines.take_while(|line| line != "ready").collect();
    let address = told.iter().find_map(|line| line.strip_prefix("PUBSUB_EMULATOR_HOST=")).unwrap();
    (server, address.parse().unwrap())
}

/// Make topics until nobody answers.
fn write_until_it_ends(address: SocketAddr, name: &str, acknowledged: &Mutex<BTreeSet<String>>) {
    let topic = |number: i32| format!("{name}-{number}");
    for made in (0..).map(topic) {
        match asked(address, "PUT", &format!("/v1/projects/provision-sandbox/topics/{made}")) {
            Some(answer) if answer.starts_with("HTTP/1.1 200") => drop(acknowledged.lock().unwrap().insert(made)),
            _ => return,
        }
    }
}

/// The names of all topics, from every page.
fn topics(address: SocketAddr) -> BTreeSet<String> {
    let (mut names, mut next) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/v1/projects/provision-sandbox/topics?pageSize=1000&pageToken={next}");
        let answer = asked(address, "GET", &path).unwrap();
        let page: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let listed = page["topics"].as_array().cloned().unwrap_or_default();
        names.extend(listed.iter().filter_map(|topic| topic["name"].as_str()?.rsplit('/').next().map(str::to_owned)));
        match page["nextPageToken"].as_str() {
            Some(token) if !token.is_empty() => next = token.to_owned(),
            _ => return names,
        }
    }
}

/// A whole answer.
fn asked(address: SocketAddr, method: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close");
    let body = if method == "PUT" { "{}" } else { "" };
    let kind = "content-type: application/json";
    write!(stream, "{head}\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    String::from_utf8(answer).ok()
}

#[test]
fn many_clients_at_once() {
    let (_sandbox, address) = serving(EmulatorKind::Aws);
    let clients: Vec<usize> = (0..rounds(50, 4000)).collect();
    try_each("clients", &clients, |client| if serves(address) { Ok(()) } else { Err(client.to_string()) });
}
