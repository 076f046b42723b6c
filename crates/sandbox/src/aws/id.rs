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

/// Letters that end with the number, so that an id which was given is told from one that was made up.
pub(super) fn numbered(kind: &str, number: u64, length: usize) -> String {
    format!("{}{number:08X}", letters(kind, number, length.saturating_sub(8)))
}

/// Whether an id was given by [`numbered`].
pub(super) fn was_given(kind: &str, id: &str) -> bool {
    let number = id.get(id.len().saturating_sub(8)..).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.is_some_and(|number| numbered(kind, number, id.len()) == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_were_given_are_known() {
        let id = numbered("version", 17, 32);
        assert!(id.len() == 32 && was_given("version", &id), "{id}");
        for made_up in ["", "17", "null", "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD", &id[1..], &id.to_lowercase()] {
            assert!(!was_given("version", made_up), "{made_up}");
        }
    }
}
