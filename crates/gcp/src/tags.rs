//! Tags, which Google calls labels; and whether somebody else writes them at the same time.

use provision_core::mark::TagChanges;
use provision_core::mark::{Tags, is_key};
use provision_core::{Error, ErrorKind, RetryClass};

/// Stop, to look again, where a label of a mark, or one that is written, is not as it was found.
pub(crate) fn unmoved(kind: &str, name: &str, found: &Tags, now: &Tags, changes: &TagChanges) -> Result<(), Error> {
    if !moved_on(found, now, changes) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Conflict, format!("the labels of {kind} `{name}` were changed meanwhile"));
    Err(error.with_retry(RetryClass::Conflict))
}

/// Whether a label of a mark, or one that is written, is not as it was found.
fn moved_on(found: &Tags, now: &Tags, changes: &TagChanges) -> bool {
    let mut keys = found.keys().chain(now.keys()).chain(changes.keys());
    keys.any(|key| (is_key(key) || changes.contains_key(key)) && found.get(key) != now.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_somebody_else_changes_meanwhile_stop_a_write_only_where_they_are_written() {
        let tags = |list: &[(&str, &str)]| -> Tags {
            list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let found = tags(&[("provision-deployment", "ab"), ("team", "x")]);
        let changes = TagChanges::from([("cost".to_owned(), Some("1".to_owned()))]);
        let of = |now: &[(&str, &str)]| moved_on(&found, &tags(now), &changes);
        assert!(!of(&[("provision-deployment", "ab"), ("team", "y"), ("other", "z")]));
        assert!(of(&[("provision-deployment", "cd"), ("team", "x")]) && of(&[("team", "x")]));
        assert!(of(&[("provision-deployment", "ab"), ("cost", "2")]));
    }
}
