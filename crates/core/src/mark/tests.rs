//! Marks and the tags that hold them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const BUCKET: &str = "arn:aws:s3:::acme-wandb-files";

fn written(facets: &str) -> Mark {
    let mut mark = Mark { state: State::Written, ..Mark::unfinished("wandb-prod", Origin::Created, BUCKET) };
    for key in facets.chars() {
        mark.own.put(key, Record::written(&json!(key.to_string())));
    }
    mark.parts.insert("bucket".to_owned(), PartRecord::new(Some(Origin::Created), BUCKET));
    mark.parts.insert("run_queue".to_owned(), PartRecord::new(None, "q"));
    mark
}

/// The same through a holder that spells keys without `-`, as Azure's metadata does.
fn survives(mark: &Mark) {
    let tags = mark.to_tags();
    for (key, value) in &tags {
        assert!(is_key(key), "{key}");
        for text in [key, value] {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
            assert!(text.len() <= MOST_CHARACTERS && text.bytes().all(plain), "{text}");
        }
    }
    assert_eq!(Mark::from_tags(&tags).as_ref(), Some(mark));
}

#[test]
fn mark_survives_its_tags() {
    for mark in [written("ac"), written(""), Mark::unfinished("a", Origin::Adopted, "x")] {
        survives(&mark);
    }
    let mut mark = written("");
    mark.access = ["wandb@acme-ml.iam.gserviceaccount.com".to_owned()].into();
    survives(&mark);
    mark.access.insert("Wandb+Node,=.@_-/x".to_owned());
    survives(&mark);
    mark.outside.put('a', Record::written(&json!(1)));
    survives(&mark);
    mark.outside = Ledger::default();
    mark.outside.put('a', Record::preexisting(&json!(1)));
    survives(&mark);
}

/// The record has room for any number of facets and members.
#[test]
fn mark_holds_twenty_facets_and_forty_tags() {
    let mut mark = written("abcdefghijklmnopqrst");
    survives(&mark);
    for number in 0..40 {
        mark.own.put_member('g', &format!("tag-{number}"), Record::written(&json!(number)));
        mark.outside.put_member('a', &format!("role-{number}"), Record::preexisting(&json!(number)));
    }
    mark.deployment = "a".repeat(40);
    survives(&mark);
    assert!(mark.to_tags().len() > 10);
}

#[test]
fn mark_of_an_unfinished_run_tells_what_was_there_before() {
    let mut mark = Mark::unfinished("a", Origin::Adopted, "x");
    mark.own.put('c', Record::preexisting(&json!(1)));
    mark.outside.begin('k', None, &json!(2));
    mark.own.begin('n', Some("role"), &json!(3));
    survives(&mark);
    assert_eq!(mark.recorded('a'), Recorded::Unfinished);
    assert!(!mark.recorded('c').is_ours() && mark.recorded('c').is(&json!(1)));
}

#[test]
fn mark_of_a_newer_version_is_known_as_such_and_written_back_as_it_was() {
    let mut tags = written("").to_tags();
    tags.insert(SPEC_KEY.to_owned(), "v2-abc-def".to_owned());
    let mark = Mark::from_tags(&tags).unwrap();
    assert_eq!(mark.newer_version(), Some("v2-abc-def"));
    assert_eq!(mark.to_tags()[SPEC_KEY], "v2-abc-def");
}

#[test]
fn mark_that_lost_some_of_its_tags_is_damaged() {
    let read = |edit: &dyn Fn(&mut Tags)| {
        let mut tags = written("").to_tags();
        edit(&mut tags);
        let mark = Mark::from_tags(&tags).unwrap();
        (mark.state == State::Damaged, mark.origin)
    };
    assert_eq!(read(&|_| ()), (false, Origin::Created));
    assert_eq!(read(&|tags| drop(tags.remove(ORIGIN_KEY))), (true, Origin::Created));
    assert_eq!(read(&|tags| drop(tags.insert(ORIGIN_KEY.to_owned(), "x".to_owned()))), (true, Origin::Created));
    assert_eq!(read(&|tags| drop(tags.remove(PARTS_KEY))), (true, Origin::Created));
    let both = |tags: &mut Tags| {
        tags.remove(PARTS_KEY);
        tags.remove(ORIGIN_KEY);
    };
    assert_eq!(read(&both), (true, Origin::Adopted));
}

#[test]
fn mark_copied_to_another_resource_is_not_for_it() {
    assert!(written("").is_for(BUCKET));
    assert!(!written("").is_for("arn:aws:s3:::acme-wandb-other"));
}

#[test]
fn part_is_known_by_its_name_alone() {
    let mark = written("");
    assert!(mark.parts["bucket"].is_of(BUCKET) && !mark.parts["bucket"].is_of("arn:aws:s3:::other"));
}

#[test]
fn keys_of_the_mark_are_told_from_others() {
    for key in ["provision-spec", "provision-spec-2", "Provision-Parts-3", "provision-access"] {
        assert!(is_key(key), "{key}");
    }
    for key in ["provision-spec-1", "provision-spec-x", "provision", "provision-specs", "team"] {
        assert!(!is_key(key), "{key}");
    }
}

proptest! {
    #[test]
    fn mark_reads_any_tags_without_a_panic(spec in ".{0,80}", parts in ".{0,80}", access in ".{0,80}") {
        let tags = [(DEPLOYMENT_KEY, "a"), (SPEC_KEY, &spec), (PARTS_KEY, &parts), (ACCESS_KEY, &access)];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let _ = Mark::from_tags(&tags);
    }

    #[test]
    fn access_survives_any_text(access in ".{1,80}") {
        prop_assert_eq!(decoded(&encoded(&access)), access);
    }
}
