//! MiniStack, an AWS emulator that others wrote: one server for a test process, an account for each test.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::python;
use crate::stage::AWS_SECRET;

/// A running server. It dies with this process: its launcher ends when the pipe to it closes.
pub struct MiniStack {
    /// Where it listens.
    pub address: SocketAddr,
    _child: Child,
    _folder: tempfile::TempDir,
}

/// Binds a port itself, so that nobody else can have it, and says which; whatever else it prints is its log.
const LAUNCHER: &str = "
import asyncio, os, resource, socket, sys, threading
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
told = os.dup(1)
os.dup2(2, 1)
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
listener = socket.create_server(('127.0.0.1', 0))
port = listener.getsockname()[1]
os.environ['GATEWAY_PORT'] = str(port)
from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
config = Config()
config.bind = [f'fd://{listener.fileno()}']
config.keep_alive_timeout = 75
os.write(told, f'{port}\\n'.encode())
asyncio.run(serve(app, config))
";

impl MiniStack {
    /// The server of this test process.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<MiniStack> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new(python::interpreter());
        command.arg("-c").arg(LAUNCHER).current_dir(folder.path()).env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default());
        // It checks the signatures of presigned URLs.
        command.env("AWS_SECRET_ACCESS_KEY", AWS_SECRET);
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let told = || panic!("it ended:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
        let address = SocketAddr::from(([127, 0, 0, 1], port.trim().parse().unwrap_or_else(|_| told())));
        Self { address, _child: child, _folder: folder }
    }
}
