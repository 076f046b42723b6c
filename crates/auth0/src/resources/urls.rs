//! Lists of URLs in an application: ours among those of others.

use std::collections::BTreeMap;

use provision_core::Error;
use provision_core::facet::{Entries, Entry};
use serde_json::{Value, json};

use crate::config::callback_of;
use crate::resources::typed;

/// The URLs of a list.
pub(crate) fn entries(urls: Option<&[String]>, what: &str) -> Entries {
    let entry = |url: &String| Entry::new(json!(url), format!("{what} {url}"));
    Entries { list: urls.into_iter().flatten().map(entry).collect(), limit: None }
}

/// The callbacks, by what asks for them.
pub(crate) fn callbacks(urls: Option<&[String]>) -> Entries {
    let entries = entries(urls, "callback");
    let of = |entry: Entry| {
        let member = entry.value.as_str().map(callback_of).map(str::to_owned);
        Entry { member, ..entry }
    };
    Entries { list: entries.list.into_iter().map(of).collect(), ..entries }
}

/// The URLs of a value: one, several by name, or none.
pub(crate) fn of_value(value: &Value) -> Result<Vec<String>, Error> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(_) => Ok(typed::<BTreeMap<String, String>>(value)?.into_values().collect()),
        one => Ok(vec![typed(one)?]),
    }
}

/// The list with ours changed: in the same place where there is one, and others' as they were. Auth0 sends people to the first
/// callback where none is asked for (<https://auth0.com/docs/get-started/applications/application-settings>).
pub(crate) fn merged(urls: &[String], before: &[String], after: &[String]) -> Vec<String> {
    let mut merged = urls.to_vec();
    let mut added: Vec<_> = after.iter().filter(|url| !urls.contains(url)).cloned().collect();
    for gone in before.iter().filter(|url| !after.contains(url)) {
        match merged.iter().position(|url| url == gone) {
            Some(place) if added.is_empty() => drop(merged.remove(place)),
            Some(place) => merged[place] = added.remove(0),
            None => {}
        }
    }
    merged.extend(added);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn ours_changes_in_its_place_and_others_stay() {
        let of = |urls: &[&str], before: &[&str], after: &[&str]| merged(&list(urls), &list(before), &list(after));
        assert_eq!(of(&["x", "a", "y"], &["a"], &["b"]), ["x", "b", "y"]);
        assert_eq!(of(&["x", "a", "y"], &["a"], &[]), ["x", "y"]);
        assert_eq!(of(&["x"], &[], &["b"]), ["x", "b"]);
        assert_eq!(of(&["x", "b"], &["a"], &["b"]), ["x", "b"]);
        assert_eq!(of(&["x", "a"], &["a"], &["a", "c"]), ["x", "a", "c"]);
        assert_eq!(of(&["a", "x", "a"], &["a"], &[]), ["x", "a"]);
    }

    #[test]
    fn callbacks_are_told_apart_by_their_path() {
        let urls = list(&["https://a.example", "https://a.example/oidc/callback", "http://b/c/oidc/callback", "app:x"]);
        let found = callbacks(Some(&urls)).list;
        let members: Vec<_> = found.iter().map(|entry| entry.member.as_deref().unwrap()).collect();
        assert_eq!(members, ["server", "oidc", "server", "server"]);
        assert_eq!(found[0].text, "callback https://a.example");
        assert!(callbacks(None).list.is_empty());
    }

    #[test]
    fn values_are_one_or_several() {
        assert_eq!(of_value(&json!("a")).unwrap(), ["a"]);
        assert_eq!(of_value(&json!({"server": "a", "oidc": "b"})).unwrap(), ["b", "a"]);
        assert!(of_value(&Value::Null).unwrap().is_empty() && of_value(&json!(1)).is_err());
    }
}
