//! Tags of groups and accounts, metadata of containers and queues: the two spellings of a mark.

use provision_core::mark::TagChanges;
use provision_core::mark::{ACCESS_KEY, DEPLOYMENT_KEY, ORIGIN_KEY, PARTS_KEY, SPEC_KEY, Tags, is_key};

/// The tags of a group or account. Names of tags are compared without case, and what is written may come back in another
/// (<https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>): the mark's have ours,
/// and those that the plan file names have the plan file's.
pub(crate) fn tags(found: Option<&Tags>, known: &Tags) -> Tags {
    let spelled = |name: &str| match known.keys().find(|known| known.eq_ignore_ascii_case(name)) {
        _ if is_key(name) => name.to_ascii_lowercase(),
        Some(known) => known.clone(),
        None => name.to_owned(),
    };
    found.into_iter().flatten().map(|(name, value)| (spelled(name), value.clone())).collect()
}

/// Tags with changes made, whatever the case of their names.
pub(crate) fn changed(found: &Tags, changes: &TagChanges) -> Tags {
    let named = |name: &str| changes.keys().any(|changed| changed.eq_ignore_ascii_case(name));
    let kept = found.iter().filter(|(name, _)| !named(name)).map(|(name, value)| (name.clone(), value.clone()));
    let set = changes.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    kept.chain(set).collect()
}

/// Metadata takes identifiers as names (<https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata#metadata-names>):
/// the mark's keys lose their `-` there.
pub(crate) fn metadata_name(key: &str) -> String {
    key.replace('-', "")
}

/// The mark's key that a name of metadata stands for, whatever its case: `provisionspec2` is `provision-spec-2`.
fn mark_key(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let key = |key: &str| match name.strip_prefix(&metadata_name(key))? {
        "" => Some(key.to_owned()),
        number => Some(format!("{key}-{number}")).filter(|key| is_key(key)),
    };
    [DEPLOYMENT_KEY, ORIGIN_KEY, SPEC_KEY, PARTS_KEY, ACCESS_KEY].into_iter().find_map(key)
}

/// The metadata of a container or queue, the mark's under the tags' names.
pub(crate) fn metadata(found: Option<&Tags>) -> Tags {
    let members = found.into_iter().flatten();
    members.map(|(name, value)| (mark_key(name).unwrap_or_else(|| name.clone()), value.clone())).collect()
}

/// Tags as metadata.
pub(crate) fn to_metadata(tags: &Tags) -> Tags {
    let name = |key: &String| if is_key(key) { metadata_name(key) } else { key.clone() };
    tags.iter().map(|(key, value)| (name(key), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::mark::{Mark, Origin, without_mark};
    use serde_json::json;

    /// So long that its spec goes on under a number.
    fn mark() -> Mark {
        let mut mark = Mark::unfinished("wandb-prod", Origin::Created, "/subscriptions/s");
        (0..30).for_each(|role| mark.outside.begin('r', Some(&role.to_string()), &json!(role)));
        mark.access = ["5a4db0c5-0000-4000-8000-000000000001".to_owned()].into();
        mark
    }

    fn respelled(tags: Tags) -> Tags {
        tags.into_iter().map(|(key, value)| (key.to_ascii_uppercase(), value)).collect()
    }

    #[test]
    fn mark_survives_metadata() {
        let mut tags = mark().to_tags();
        tags.insert("theirs".to_owned(), "x".to_owned());
        let written = to_metadata(&tags);
        assert!(written.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_alphanumeric())), "{written:?}");
        assert!(written.contains_key("provisiondeployment") && written.contains_key("provisionspec2"));
        let read = metadata(Some(&respelled(written)));
        assert_eq!(Mark::from_tags(&read), Some(mark()));
        assert_eq!(without_mark(&read).len(), 1);
    }

    #[test]
    fn tags_are_found_in_any_case() {
        let known = Tags::from([("CostCenter".to_owned(), "42".to_owned())]);
        let mut answered = mark().to_tags();
        answered.insert("costcenter".to_owned(), "42".to_owned());
        answered.insert("Theirs".to_owned(), "x".to_owned());
        let mut answered = respelled(answered);
        answered.insert("Team".to_owned(), "ml".to_owned());
        let read = tags(Some(&answered), &known);
        assert_eq!(Mark::from_tags(&read), Some(mark()));
        assert_eq!((read["CostCenter"].as_str(), read["THEIRS"].as_str(), read["Team"].as_str()), ("42", "x", "ml"));
    }

    #[test]
    fn change_finds_its_tag_in_any_case() {
        let found = Tags::from([("team".to_owned(), "ml".to_owned()), ("Cost".to_owned(), "1".to_owned())]);
        let changes = TagChanges::from([("Team".to_owned(), Some("ops".to_owned())), ("cost".to_owned(), None)]);
        assert_eq!(changed(&found, &changes), Tags::from([("Team".to_owned(), "ops".to_owned())]));
    }
}
