//! Tags as the services take them.

use provision_core::mark::TagChanges;
use provision_core::mark::Tags;

/// Changes for calls that add tags, and take some off. Those that add go first: a mark that is half written says too much
/// and not too little.
pub(crate) fn set_and_removed(changes: &TagChanges) -> (Tags, Vec<&str>) {
    let set = changes.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
    let removed = changes.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
    (set, removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_set_and_removed_one_by_one() {
        let changes: TagChanges =
            [("a", Some("1")), ("b", None)].map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).into();
        let (set, removed) = set_and_removed(&changes);
        assert_eq!((set, removed), (Tags::from([("a".to_owned(), "1".to_owned())]), vec!["b"]));
    }
}
