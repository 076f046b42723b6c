//! The lines of journal and snapshot: a checksum, a space, JSON.
//!
//! A checksum is also one of the line before, so that a line that is missing, doubled or moved is found.

use crc_fast::{CrcAlgorithm, checksum};

/// A line of some JSON that comes after a line.
pub(super) fn seal(json: &str, after: &str) -> String {
    format!("{:08x} {json}\n", sum(json.as_bytes(), after.as_bytes()))
}

/// The JSON of a line that comes after a line, if its checksum is right.
pub(super) fn unseal<'a>(line: &'a [u8], after: &[u8]) -> Option<&'a [u8]> {
    let (sealed, json) = (line.get(..9)?, line.get(9..)?);
    let expected = format!("{:08x} ", sum(json, after));
    (sealed == expected.as_bytes()).then_some(json)
}

/// What the line after this one is sealed with: its checksum.
pub(super) fn link(line: &[u8]) -> &[u8] {
    line.get(..8).unwrap_or_default()
}

/// The whole lines of a file, and how many bytes they are; what comes after the last line end is torn.
pub(super) fn whole(bytes: &[u8]) -> (Vec<&[u8]>, usize) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let lines = bytes[..end].split(|byte| *byte == b'\n').collect::<Vec<_>>();
    (lines[..lines.len().saturating_sub(1)].to_vec(), end)
}

fn sum(json: &[u8], after: &[u8]) -> u64 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, &[after, json].concat())
}
