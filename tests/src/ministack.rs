//! MiniStack, an AWS emulator that others wrote: one server for a test process, an account for each test.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::listening::listening;
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
        let path = folder.path().join("log");
        let start = |port: u16| {
            let log = std::fs::File::create(&path)?;
            Command::new(python::interpreter())
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
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
        };
        let log = || std::fs::read_to_string(&path).unwrap_or_default();
        let (address, child) = listening(("/_ministack/health", "\"edition\""), start, log).unwrap();
        Self { address, _child: child, _folder: folder }
    }
}
