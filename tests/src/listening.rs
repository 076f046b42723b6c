//! A server that others wrote and that cannot choose its port: it is told one. Between our choice of a free one and its start
//! somebody else may take it: then it ends, and is started again on another.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

/// How often a port is chosen.
const ATTEMPTS: usize = 5;
/// How long a server may take to start.
const LIMIT: Duration = Duration::from_secs(60);

/// Start a server with `start`, which is given a port, until it answers a request for this path with this word in it.
///
/// # Errors
///
/// It cannot be started.
///
/// # Panics
///
/// It does not answer.
pub(crate) fn listening(
    (path, word): (&str, &str),
    start: impl Fn(u16) -> std::io::Result<Child>,
    log: impl Fn() -> String,
) -> std::io::Result<(SocketAddr, Child)> {
    for _ in 0..ATTEMPTS {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut child = start(port)?;
        let started = Instant::now();
        while child.try_wait()?.is_none() {
            if answer(address, path).is_some_and(|answer| answer.contains(word)) {
                return Ok((address, child));
            }
            assert!(started.elapsed() < LIMIT, "no answer with {word:?} comes from port {port}:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    panic!("it ended {ATTEMPTS} times:\n{}", log());
}

/// What whoever listens there says to a request.
fn answer(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    // Whatever came before the time was over is looked at.
    let _ = stream.take(65_536).read_to_end(&mut bytes);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
