//! The sandbox under clients that mean it no good, and under many.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use provision_sandbox::{EmulatorKind, Options, Sandbox};

use super::{Random, rounds, try_each};

fn serving() -> (Sandbox, SocketAddr) {
    let sandbox = Sandbox::start(Options { clouds: vec![EmulatorKind::Aws], ..Options::default() }).unwrap();
    let address = sandbox.address(EmulatorKind::Aws).unwrap();
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

#[test]
fn malformed_requests() {
    let (_sandbox, address) = serving();
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

#[test]
fn many_clients_at_once() {
    let (_sandbox, address) = serving();
    let clients: Vec<usize> = (0..rounds(50, 4000)).collect();
    try_each("clients", &clients, |client| if serves(address) { Ok(()) } else { Err(client.to_string()) });
}
