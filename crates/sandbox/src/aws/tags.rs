//! Tags: what is a valid set of them.

use std::collections::BTreeMap;

use super::error::Error;

/// Tags of a resource.
pub(super) type Tags = BTreeMap<String, String>;

/// A set of tags: each key once, 50 at most, no key of AWS's own
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>.
pub(super) fn checked(tags: impl IntoIterator<Item = (String, String)>) -> Result<Tags, Error> {
    let mut set = Tags::new();
    for (key, value) in tags {
        check(&key, &value)?;
        if set.contains_key(&key) {
            return Err(invalid(TWICE).with_detail("TagKey", key));
        }
        set.insert(key, value);
    }
    within_limit(set)
}

/// A set with no more than 50 tags.
pub(super) fn within_limit(tags: Tags) -> Result<Tags, Error> {
    const LIMIT: usize = 50;
    if tags.len() > LIMIT {
        return Err(Error::new(400, "BadRequest", "Object tags cannot be greater than 50"));
    }
    Ok(tags)
}

/// What `PutBucketTagging` says of a key that comes twice, and of one of AWS's own.
pub(super) const TWICE: &str = "Cannot provide multiple Tags with the same key";
pub(super) const SYSTEM: &str = "System tags cannot be added/updated by requester";
/// What the newer calls say of one of AWS's own.
pub(super) const RESERVED: &str = "User-defined tag keys can't start with \"aws:\". This prefix is reserved for system tags. \
                                   Remove \"aws:\" from your tag keys and try again.";

fn check(key: &str, value: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_alphanumeric() || letter == ' ' || "_.:/=+-@".contains(letter);
    if !(1..=128).contains(&key.chars().count()) || !key.chars().all(plain) {
        return Err(invalid("The TagKey you have provided is invalid").with_detail("TagKey", key));
    }
    if value.chars().count() > 256 || !value.chars().all(plain) {
        let error = invalid("The TagValue you have provided is invalid");
        return Err(error.with_detail("TagKey", key).with_detail("TagValue", value));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid(SYSTEM).with_detail("TagKey", key));
    }
    Ok(())
}

fn invalid(message: &str) -> Error {
    Error::new(400, "InvalidTag", message)
}
