//! Short digests of canonical values, as the mark holds them.

use data_encoding::BASE32_NOPAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Characters of a facet's digest: 20 bits. It only decides whether a difference is called drift or pending; whether
/// there is a difference is decided by the values themselves.
pub const FACET_DIGEST_LENGTH: usize = 4;

/// Characters of the hash of a resource's full name: 30 bits, so that a tag copied by hand does not pass for ours.
pub const NAME_DIGEST_LENGTH: usize = 6;

/// The first `length` characters of the base-32 SHA-256 of `text`, in lower case (`a-z2-7`).
#[must_use]
pub fn short(text: &str, length: usize) -> String {
    let mut encoded = BASE32_NOPAD.encode(&Sha256::digest(text.as_bytes()));
    encoded.truncate(length);
    encoded.to_ascii_lowercase()
}

/// The first eight bytes of the SHA-256 of `text` as a number, the same on every machine.
#[must_use]
pub fn number(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The digest of a facet's value, in canonical form.
#[must_use]
pub fn of_value(value: &Value) -> String {
    short(&canonical(value).to_string(), FACET_DIGEST_LENGTH)
}

/// The value with sorted keys and without `null` members, so that a field added later, absent, moves no digest.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().filter(|(_, member)| !member.is_null()).collect();
            sorted.sort_by_key(|(key, _)| *key);
            Value::Object(sorted.into_iter().map(|(key, member)| (key.clone(), canonical(member))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Golden vectors: a digest that moves makes every deployed mark look stale.
    #[test]
    fn digest_golden_vectors() {
        assert_eq!(short("arn:aws:s3:::acme-wandb-files", NAME_DIGEST_LENGTH), "zxvhxe");
        assert_eq!(of_value(&json!(null)), "oqru");
        assert_eq!(of_value(&json!({"origins": ["https://wandb.example.com"], "max_age_s": 3000})), "vwq2");
    }

    #[test]
    fn digest_ignores_order_of_keys_and_absent_members() {
        let left = json!({"a": 1, "b": {"c": 2, "d": null}});
        let right = json!({"b": {"c": 2}, "a": 1, "e": null});
        assert_eq!(of_value(&left), of_value(&right));
        assert_ne!(of_value(&left), of_value(&json!({"a": 1})));
    }
}
