//! `--trace FILE`: each request and its answer as one JSON line.

use std::fs::File;
use std::io::{LineWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use provision_core::trace::{Exchange, TraceSink};
use provision_core::{Error, ErrorKind};

/// A file that exchanges are appended to.
#[derive(Debug)]
struct Lines(Mutex<LineWriter<File>>);

/// Open a trace; one that exists is added to, so that several runs can be read as one.
pub(crate) fn open(path: &Path) -> Result<Arc<dyn TraceSink>, Error> {
    let mut options = File::options();
    options.create(true).append(true);
    // Bodies name accounts and resources: nobody else's to read.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| {
        let tried = format!("cannot write trace `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })?;
    Ok(Arc::new(Lines(Mutex::new(LineWriter::new(file)))))
}

impl TraceSink for Lines {
    fn record(&self, exchange: Exchange) {
        let Ok(line) = serde_json::to_string(&exchange) else { return };
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop an apply half way.
        let _ = writeln!(file, "{line}");
    }
}
