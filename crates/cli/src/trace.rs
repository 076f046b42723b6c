//! `--trace FILE`: each request and its answer as one JSON line.

use std::fs::File;
use std::io::{LineWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use provision_core::file;
use provision_core::trace::{Exchange, TraceSink};
use provision_core::{Error, ErrorKind};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A file that exchanges are appended to, until it takes no more.
#[derive(Debug)]
struct Lines(Mutex<Option<LineWriter<File>>>);

/// Why a trace ends early.
static CUT_OFF: OnceLock<String> = OnceLock::new();

/// How each line of a trace begins.
const BEGINS: &[u8] = b"{\"operation\"";

/// Open a trace; one that exists is added to, so that several runs can be read as one, and what is none is left as it is.
pub(crate) fn open(path: &Path) -> Result<Arc<dyn TraceSink>, Error> {
    if !is_trace(path) {
        let text = format!("`--trace {}` holds something else than a trace: name another file", path.display());
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    // Bodies name accounts and resources: nobody else's to read.
    let file = file::append(path).map_err(|error| {
        let tried = format!("cannot write trace `{}`", path.display());
        Error::new(ErrorKind::Unexpected, tried).with_message(error.to_string())
    })?;
    Ok(Arc::new(Lines(Mutex::new(Some(LineWriter::new(file))))))
}

/// Whether a file is a trace, empty, or not there. What cannot be read is told where it is opened.
fn is_trace(path: &Path) -> bool {
    let mut begins = [0; BEGINS.len()];
    let read =
        File::open(path).and_then(|mut file| if file.metadata()?.is_file() { file.read(&mut begins) } else { Ok(0) });
    read.map_or(true, |read| read == 0 || begins == BEGINS)
}

/// Several that take the same exchanges.
#[derive(Debug)]
struct Both(Arc<dyn TraceSink>, Arc<dyn TraceSink>);

impl TraceSink for Both {
    fn record(&self, exchange: Exchange) {
        self.0.record(exchange.clone());
        self.1.record(exchange);
    }
}

/// Whoever there is of two.
pub(crate) fn both(one: Option<Arc<dyn TraceSink>>, other: Option<Arc<dyn TraceSink>>) -> Option<Arc<dyn TraceSink>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Arc::new(Both(one, other))),
        (one, other) => one.or(other),
    }
}

impl TraceSink for Lines {
    fn record(&self, exchange: Exchange) {
        let Ok(mut line) = serde_json::to_value(&exchange) else { return };
        line["time"] = timestamp().into();
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lines) = file.as_mut() else { return };
        // A full disk must not stop an apply half way; and nothing is to follow half a line.
        if let Err(error) = writeln!(lines, "{line}") {
            *file = None;
            CUT_OFF.get_or_init(|| error.to_string());
        }
    }
}

/// The time, as programs read it (<https://www.rfc-editor.org/rfc/rfc3339>).
pub(crate) fn timestamp() -> Option<String> {
    OffsetDateTime::now_utc().format(&Rfc3339).ok()
}

/// Why the trace lacks exchanges, if it does.
pub(crate) fn cut_off() -> Option<&'static str> {
    CUT_OFF.get().map(String::as_str)
}
