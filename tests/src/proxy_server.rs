//! A forward proxy on this machine that remembers whom it was asked for, and lets everything through or nothing.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It ends with the process.
pub struct ForwardProxy {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl ForwardProxy {
    /// One that connects to whoever is asked for.
    ///
    /// # Panics
    ///
    /// It cannot listen.
    #[must_use]
    pub fn start() -> Self {
        Self::with(pass)
    }

    /// One that answers everything with this.
    ///
    /// # Panics
    ///
    /// It cannot listen.
    #[must_use]
    pub fn answering(answer: &'static str) -> Self {
        Self::with(move |mut client, _, _| {
            let _ = client.write_all(answer.as_bytes());
        })
    }

    fn with(serve: impl Fn(TcpStream, &str, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked, serve) = (listener.local_addr().unwrap(), Arc::default(), Arc::new(serve));
        let seen: Arc<Mutex<BTreeSet<String>>> = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (seen, serve) = (Arc::clone(&seen), Arc::clone(&serve));
                std::thread::spawn(move || {
                    let Some((place, head)) = head(&client) else { return };
                    seen.lock().unwrap().insert(place.clone());
                    serve(client, &place, head);
                });
            }
        });
        Self { address, asked }
    }

    /// As variables name it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The hosts and ports that were asked for.
    ///
    /// # Panics
    ///
    /// A connection has panicked.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The host and port that a client asks for, and what it has sent so far; nothing of it where it asks for a tunnel.
fn head(client: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let target = head.split(' ').nth(1)?.to_owned();
    if head.starts_with("CONNECT ") {
        return Some((target, Vec::new()));
    }
    let place = target.strip_prefix("http://")?.split('/').next()?.to_owned();
    let mut sent = head.into_bytes();
    sent.extend_from_slice(reader.buffer());
    Some((place, sent))
}

fn pass(mut client: TcpStream, place: &str, sent: Vec<u8>) {
    let Ok(mut server) = TcpStream::connect(place) else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
        return;
    };
    let begun = match sent.is_empty() {
        true => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n"),
        false => server.write_all(&sent),
    };
    let (Ok(()), Ok(from), Ok(to)) = (begun, server.try_clone(), client.try_clone()) else { return };
    std::thread::spawn(move || pump(from, to));
    pump(client, server);
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
