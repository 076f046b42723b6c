//! Rules for names and labels.

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// Labels of a resource.
pub(super) type Labels = BTreeMap<String, String>;

/// Bucket names: 3-63 lowercase letters, digits, `-`, `_` and `.`, up to 222 with dots, beginning and ending with a
/// letter or digit, without `goog` at the beginning or `google` in it
/// <https://cloud.google.com/storage/docs/buckets#naming>.
pub(super) fn check_bucket(name: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let at_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let longest = if name.contains('.') { 222 } else { 63 };
    let parts = name.split('.').all(|part| !part.is_empty() && part.len() <= 63);
    let reserved = name.starts_with("goog") || name.contains("google") || name.contains("g00gle");
    let address = name.parse::<std::net::Ipv4Addr>().is_ok();
    let fits = (3..=longest).contains(&bytes.len()) && bytes.iter().all(|byte| allowed(*byte));
    if fits && at_end(bytes.first()) && at_end(bytes.last()) && parts && !reserved && !address {
        return Ok(());
    }
    Err(Refusal::invalid(format!("Invalid bucket name: '{name}'")))
}

/// Topic and subscription names: 3-255 of letters, digits and `-_.~+%`, beginning with a letter and not with `goog`
/// <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>.
pub(super) fn check_pubsub(resource: &str, name: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte);
    let fits = (3..=255).contains(&name.len()) && name.bytes().all(allowed);
    if fits && name.starts_with(|first: char| first.is_ascii_alphabetic()) && !name.starts_with("goog") {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "Invalid [{resource}] name: (name={name}). Refer to \
         https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information."
    )))
}

/// Labels: at most 64; keys of 1-63 lowercase letters, digits, `_` and `-` that begin with a letter, values of up to 63
/// of the same; letters of other scripts count <https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels>,
/// <https://cloud.google.com/pubsub/docs/create-topic#labels>.
pub(super) fn check_labels(labels: &Labels) -> Result<(), Refusal> {
    if labels.len() > 64 {
        return Err(Refusal::invalid(format!("A resource can have at most 64 labels; these are {}.", labels.len())));
    }
    labels.iter().try_for_each(|(key, value)| check_label(key, value))
}

fn check_label(key: &str, value: &str) -> Result<(), Refusal> {
    let letter = |letter: char| letter.is_alphabetic() && !letter.is_uppercase();
    let allowed = |text: &str| text.chars().all(|sign| letter(sign) || sign.is_numeric() || "_-".contains(sign));
    let short = |text: &str| text.chars().count() <= 63;
    if !key.starts_with(letter) || !short(key) || !allowed(key) {
        return Err(Refusal::invalid(format!(
            "Invalid label key '{key}': keys can contain lowercase letters, numeric characters, underscores, and dashes, \
             must start with a letter, and must be no longer than 63 characters."
        )));
    }
    if short(value) && allowed(value) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "Invalid value '{value}' of label '{key}': values can contain lowercase letters, numeric characters, underscores, \
         and dashes, and must be no longer than 63 characters."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_keep_to_the_rules() {
        for name in ["abc", "acme-wandb_files", "0ab", "files.example.com", &"a".repeat(63)] {
            assert!(check_bucket(name).is_ok(), "{name}");
        }
        let wrong = ["ab", "Abc", "-abc", "abc-", "goog-a", "my-google-b", "a..b", "10.0.0.1", "a b", &"a".repeat(64)];
        for name in wrong {
            assert!(check_bucket(name).is_err(), "{name}");
        }
    }

    #[test]
    fn pubsub_names_keep_to_the_rules() {
        for name in ["abc", "Files.events~1+2%", &"a".repeat(255)] {
            assert!(check_pubsub("topics", name).is_ok(), "{name}");
        }
        for name in ["ab", "1ab", "googabc", "a b c", "a/b", &"a".repeat(256)] {
            assert!(check_pubsub("topics", name).is_err(), "{name}");
        }
    }

    #[test]
    fn labels_keep_to_the_grammar() {
        let one = |key: &str, value: &str| check_labels(&Labels::from([(key.to_owned(), value.to_owned())]));
        for (key, value) in [("a", ""), ("provision-spec", "v1_ab-1"), ("\u{e9}t\u{e9}", "1"), (&"a".repeat(63), "x")] {
            assert!(one(key, value).is_ok(), "{key}");
        }
        for (key, value) in
            [("", ""), ("A", ""), ("1a", ""), ("a.b", ""), ("a", "B"), ("a", "x/y"), (&"a".repeat(64), "")]
        {
            assert!(one(key, value).is_err(), "{key}={value}");
        }
        let many = (0..65).map(|number| (format!("k{number}"), String::new())).collect();
        assert!(check_labels(&many).is_err());
    }
}
