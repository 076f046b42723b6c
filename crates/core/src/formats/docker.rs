//! `docker`: what `docker run --env-file` reads: `NAME=value`, one a line, the value as it is
//! (<https://docs.docker.com/reference/cli/docker/container/run/#env>).

use super::written::{Unwritable, known};
use crate::output::Output;

/// The longest line that it reads, its end included (`bufio.MaxScanTokenSize`, <https://pkg.go.dev/bufio#pkg-constants>).
const LONGEST_LINE: usize = (64 << 10) - 1;

pub(super) fn write(outputs: &[Output]) -> Result<String, Unwritable> {
    known(outputs).map(|(output, value)| line(output, value)).collect()
}

fn line(output: &Output, value: &str) -> Result<String, Unwritable> {
    if value.contains(['\n', '\r']) {
        return Err(Unwritable::setting(output, "a value is one line there, without an end"));
    }
    let line = format!("{}={value}\n", output.name);
    if line.len() > LONGEST_LINE {
        return Err(Unwritable::setting(output, "a line has at most 64 KB there"));
    }
    Ok(line)
}
