//! MiniStack, an AWS emulator that others wrote: one server for a test process, an account for each test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::python;

/// A running server. It dies with this process: its launcher ends when the pipe to it closes.
pub struct MiniStack {
    /// Where it listens.
    pub address: SocketAddr,
    _child: Child,
    _folder: tempfile::TempDir,
}

const LAUNCHER: &str = "
import os, sys, threading
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
from ministack.__main__ import main
sys.argv = ['ministack']
main()
";

impl MiniStack {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<MiniStack> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(python::interpreter())
            .arg("-c")
            .arg(LAUNCHER)
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let server = Self { address, _child: child, _folder: folder };
        server.wait();
        server
    }

    fn wait(&self) {
        let started = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let log = std::fs::read_to_string(self._folder.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < Duration::from_secs(60), "MiniStack does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
