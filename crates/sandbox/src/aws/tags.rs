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
        if set.insert(key, value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
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

fn check(key: &str, value: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_alphanumeric() || letter == ' ' || "_.:/=+-@".contains(letter);
    if !(1..=128).contains(&key.chars().count()) || !key.chars().all(plain) {
        return Err(invalid("The TagKey you have provided is invalid"));
    }
    if value.chars().count() > 256 || !value.chars().all(plain) {
        return Err(invalid("The TagValue you have provided is invalid"));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid("System tags cannot be added/updated by requester"));
    }
    Ok(())
}

fn invalid(message: &str) -> Error {
    Error::new(400, "InvalidTag", message)
}
