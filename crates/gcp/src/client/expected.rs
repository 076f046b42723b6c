//! Whether an answer that says "done" is what its call gives. A proxy, or a sign-in page, may have answered in the service's place:
//! in a document without its name every field looks as if it were at its default.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::names::short;

/// What is said of another document.
const ANOTHER: &str = "it is not what was asked for";

/// Where the services say which page comes next.
const NEXT: &str = "nextPageToken";

/// What has a name of its own.
pub(super) trait Named: DeserializeOwned {
    /// Its name, short or in full; empty where it is not whole.
    fn name(&self) -> &str;
}

/// What stands in a list.
pub(super) trait Listed: DeserializeOwned {
    /// Where the list is in a page.
    const ITEMS: &'static str;
    /// What a page says that it is. Where it does, one without a list is known by that.
    const KIND: Option<&'static str>;

    /// What is to be there of each; empty where it is not.
    fn id(&self) -> &str;
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Where the next one is; empty at the end.
    pub(super) next: String,
}

/// An answer as a document, whatever it is.
pub(super) fn parsed<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|error| error.to_string())
}

/// An answer as what has this name.
pub(super) fn named<T: Named>(answer: Value, name: &str) -> Result<T, String> {
    let found: T = parsed(answer)?;
    if short(found.name()) == short(name) { Ok(found) } else { Err(ANOTHER.to_owned()) }
}

/// Of the permissions that were asked about, those that the caller has; `kind` is what the answer says that it is, where it does.
pub(super) fn permissions(mut answer: Value, kind: Option<&str>) -> Result<Vec<String>, String> {
    let Some(said) = answer.as_object_mut() else { return Err(ANOTHER.to_owned()) };
    let held = said.remove("permissions").map_or_else(|| Ok(Vec::new()), parsed)?;
    let is_one = said.remove("kind") == kind.map(Value::from) && said.is_empty();
    if is_one { Ok(held) } else { Err(ANOTHER.to_owned()) }
}

/// A page of a list: everything in it is whole, and has an id that leads nowhere else in a path. One with nothing in it says nothing at all, or what it is.
pub(super) fn page<T: Listed>(mut answer: Value) -> Result<Page<T>, String> {
    let Some(said) = answer.as_object_mut() else { return Err(ANOTHER.to_owned()) };
    let items = said.remove(T::ITEMS).map_or_else(|| Ok(Vec::new()), parsed::<Vec<T>>)?;
    let next = said.remove(NEXT).map_or_else(|| Ok(String::new()), parsed)?;
    let is_one = match T::KIND {
        _ if !items.is_empty() => items.iter().all(|item| !matches!(item.id(), "" | "." | "..")),
        Some(kind) => said.get("kind").is_some_and(|said| said == kind),
        None => said.is_empty(),
    };
    if is_one { Ok(Page { items, next }) } else { Err(ANOTHER.to_owned()) }
}

/// The answer to a deletion: nothing.
pub(super) fn nothing(answer: Value) -> Result<(), String> {
    let empty = answer.as_object().is_none_or(|said| said.is_empty());
    if empty { Ok(()) } else { Err(ANOTHER.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    struct Thing {
        #[serde(default)]
        name: String,
    }

    impl Named for Thing {
        fn name(&self) -> &str {
            &self.name
        }
    }

    impl Listed for Thing {
        const ITEMS: &'static str = "things";
        const KIND: Option<&'static str> = None;

        fn id(&self) -> &str {
            &self.name
        }
    }

    #[derive(Debug, Deserialize)]
    struct Kinded(String);

    impl Listed for Kinded {
        const ITEMS: &'static str = "items";
        const KIND: Option<&'static str> = Some("storage#things");

        fn id(&self) -> &str {
            &self.0
        }
    }

    #[test]
    fn what_has_not_the_name_that_was_asked_for_is_not_the_answer() {
        let read = |answer: Value| named::<Thing>(answer, "projects/p/things/t").is_ok();
        assert!(read(json!({"name": "projects/p/things/t"})) && read(json!({"name": "t", "newer": [1]})));
        for other in
            [json!({}), json!({"name": "projects/p/things/u"}), json!({"name": 1}), json!({"error": "sign in"})]
        {
            assert!(!read(other.clone()), "{other}");
        }
    }

    #[test]
    fn a_page_is_known_by_what_is_in_it() {
        let read = |answer: Value| page::<Thing>(answer).map(|page| (page.items.len(), page.next)).ok();
        assert_eq!(read(json!({})), Some((0, String::new())));
        assert_eq!(read(json!({"nextPageToken": "a"})), Some((0, "a".to_owned())));
        assert_eq!(read(json!({"things": [{"name": "t"}], "more": 1})), Some((1, String::new())));
        for other in
            [json!({"things": [{}]}), json!({"things": null}), json!({"error": "sign in"}), json!({"nextPageToken": 1})]
        {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn a_page_that_says_what_it_is_is_known_by_that() {
        let read = |answer: Value| page::<Kinded>(answer).map(|page| page.items.len()).ok();
        assert_eq!((read(json!({"kind": "storage#things"})), read(json!({"items": ["a"]}))), (Some(0), Some(1)));
        for other in
            [json!({}), json!({"items": [""]}), json!({"items": {}}), json!({"items": null}), json!({"kind": "x"})]
        {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn a_deletion_is_answered_with_nothing() {
        assert!(nothing(Value::Null).is_ok() && nothing(json!({})).is_ok());
        assert!(nothing(json!({"error": "sign in"})).is_err());
    }
}
