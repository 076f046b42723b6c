//! The lines of journal and snapshot: a checksum, a space, JSON.

use crc_fast::{CrcAlgorithm, checksum};

/// A line of some JSON.
pub(super) fn seal(json: &str) -> String {
    format!("{:08x} {json}\n", sum(json.as_bytes()))
}

/// The JSON of a line, if its checksum is right.
pub(super) fn unseal(line: &[u8]) -> Option<&[u8]> {
    let (sealed, json) = (line.get(..9)?, line.get(9..)?);
    let expected = format!("{:08x} ", sum(json));
    (sealed == expected.as_bytes()).then_some(json)
}

/// The whole lines of a file, and how many bytes they are; what comes after the last line end is torn.
pub(super) fn whole(bytes: &[u8]) -> (Vec<&[u8]>, usize) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let lines = bytes[..end].split(|byte| *byte == b'\n').collect::<Vec<_>>();
    (lines[..lines.len().saturating_sub(1)].to_vec(), end)
}

fn sum(bytes: &[u8]) -> u64 {
    checksum(CrcAlgorithm::Crc32IsoHdlc, bytes)
}
