//! Identifiers that nobody had before.

use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::state::Transaction;

/// A new one.
pub(super) fn next(state: &mut Transaction<'_>) -> Result<String, Error> {
    let number = state.next_number("azure/guid")?;
    Ok(of(&format!("provision sandbox {number}")))
}

/// The one of a text.
pub(super) fn of(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex = data_encoding::HEXLOWER.encode(&digest[..16]);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Whether a text is one.
pub(super) fn is(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_look_like_identifiers_and_differ() {
        assert!(is(&of("a")) && of("a") != of("b"));
        assert!(!is("a-b") && !is("5a4db0c5-0000-4000-8000-5a4db0c5a4dz"));
    }
}
