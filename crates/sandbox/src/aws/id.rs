//! Ids: the same digits for the same number, so that a run can be repeated.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

fn digest(kind: &str, number: u64) -> Vec<u8> {
    Sha256::digest(format!("{kind} {number}")).to_vec()
}

/// `0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0`
pub(super) fn uuid(kind: &str, number: u64) -> String {
    let hex = HEXLOWER.encode(&digest(kind, number)[..16]);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Upper-case letters and digits.
pub(super) fn letters(kind: &str, number: u64, length: usize) -> String {
    let mut text = BASE32_NOPAD.encode(&digest(kind, number));
    text.truncate(length);
    text
}
