//! `azure.cors`: our rule among those of the account's Blob service, one document for everybody in the account.

use provision_core::cors::{self, CorsRule, Listed};
use provision_core::facet::{Creation, Entries, Entry, Extent, Facet, Seen, Sharing, Want};
use provision_core::refusal::Refusal;
use provision_core::resource::{Observation, Present};
use provision_core::{Error, ErrorKind};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Writer};
use crate::config::Settings;
use crate::marks::{Looking, Marks};
use crate::provider::Names;
use crate::resources::account::{missing, not_there};

/// Rules have no id: whose one is stands in the marks alone.
pub(crate) static RULE: Facet =
    Facet { name: "rule", key: 'c', extent: Extent::Whole, sharing: Sharing::Anonymous, creation: Creation::OwnCall };
pub(crate) static FACETS: &[&Facet] = &[&RULE];

/// "Up to five CORS rules can be specified per storage service"
/// (<https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services#usage-notes>).
const MOST_RULES: usize = 5;

/// What is wanted.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    vec![Want { facet: &RULE, value: wanted(settings).to_value(), path: "azure.cors".to_owned() }]
}

fn wanted(settings: &Settings) -> CorsRule {
    settings.azure.cors.rule(&settings.deployment.host, "*")
}

/// A rule of the service in normal form.
fn listed(rule: &Value) -> Listed {
    let list = |key: &str| {
        let items = rule[key].as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let rule = CorsRule {
        origins: list("allowedOrigins"),
        methods: list("allowedMethods"),
        headers: list("allowedHeaders"),
        expose: list("exposedHeaders"),
        max_age_s: rule["maxAgeInSeconds"].as_i64().unwrap_or_default(),
    };
    Listed { rule: rule.normal(), id: None }
}

/// A rule as the service takes it.
fn rule_of(value: &Value) -> Value {
    json!({
        "allowedOrigins": value["origins"],
        "allowedMethods": value["methods"],
        "allowedHeaders": value["headers"],
        "exposedHeaders": value["expose"],
        "maxAgeInSeconds": value["max_age_s"],
    })
}

/// The rules of the Blob service; a document of another form says nothing about them.
fn rules(service: &Value) -> Result<Vec<Value>, Error> {
    let cors = service.get("properties").and_then(Value::as_object).map(|properties| properties.get("cors"));
    let found = match cors {
        Some(None | Some(Value::Null)) => Some(Vec::new()),
        Some(Some(cors)) => match cors.get("corsRules") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(rules) => rules.as_array().cloned(),
        },
        None => None,
    };
    found.ok_or_else(|| {
        let error = Error::new(ErrorKind::Unexpected, "cannot read the CORS rules of the blob service");
        error.message("the answer has none where they should be").hint("look at the answer with `--trace`")
    })
}

pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    looking: &Looking,
) -> Result<Observation, Error> {
    let id = names.account_id();
    let (service, marks) = futures::join!(reader.get_blob_service(&id), looking.marks(reader, names));
    let Some(service) = service? else {
        return if names.shared { Err(missing(names)) } else { Ok(Observation::Absent) };
    };
    let list = entries(&rules(&service)?, &wanted(settings), names, &*marks?);
    let entries = Entries { list, limit: Some((MOST_RULES, too_many(names))) };
    let seen = vec![(RULE.name, Seen::Entries(entries))];
    Ok(Observation::Present(Box::new(Present { seen, ..Present::default() })))
}

/// Every rule, with whether another deployment in the account relies on it: two of one host want the same.
fn entries(rules: &[Value], want: &CorsRule, names: &Names, marks: &Marks) -> Vec<Entry> {
    let rules: Vec<_> = rules.iter().map(listed).collect();
    let claimed = |entry: Entry| Entry { co_owned: marks.claim(names, &RULE, &entry.value), ..entry };
    cors::entries(&rules, &[], want).into_iter().map(claimed).collect()
}

fn too_many(names: &Names) -> Refusal {
    Refusal {
        reason: format!("storage account `{}` has {MOST_RULES} CORS rules already, and takes no more", names.account),
        hint: "remove one of those that are listed above, or let one of them cover the host's origin".to_owned(),
    }
}

/// Read, put ours in the place of `before`, write. Everything else goes back as it was read.
pub(crate) async fn write(writer: &Writer, names: &Names, before: &Value, value: &Value) -> Result<(), Error> {
    let (reader, id) = (writer.reader(), names.account_id());
    let (service, claimed) = futures::join!(reader.get_blob_service(&id), is_claimed(reader, names, before, value));
    let (service, claimed) = (service?, claimed?);
    let Some(service) = service else { return not_there(names, value) };
    let rules = rules(&service)?;
    // What serves another deployment too stays where it is; another one of ours goes beside it.
    let before = if claimed { &Value::Null } else { before };
    let after = merged(&rules, before, value);
    if rules == after {
        return Ok(());
    }
    writer.put_blob_service(&id, &properties(&service, after)).await
}

/// Whether the rule that is to go is another deployment's too, by now.
async fn is_claimed(reader: &Reader, names: &Names, before: &Value, value: &Value) -> Result<bool, Error> {
    if before.is_null() || before == value {
        return Ok(false);
    }
    Ok(Marks::read(reader, names).await?.claim(names, &RULE, before))
}

/// The rules with ours first, or taken out.
fn merged(rules: &[Value], before: &Value, value: &Value) -> Vec<Value> {
    let make = |value: &Value| Ok::<_, std::convert::Infallible>(rule_of(value));
    let Ok(merged) = cors::merge(rules, listed, &[], before, value, make);
    merged
}

/// The writable properties as they were read, with these rules: what is left out may be reset
/// <https://learn.microsoft.com/rest/api/storagerp/blob-services/set-service-properties#blobserviceproperties>.
fn properties(service: &Value, rules: Vec<Value>) -> Value {
    const READ_ONLY_OF_RESTORE: [&str; 2] = ["lastEnabledTime", "minRestoreTime"];
    let mut properties = service["properties"].as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(restore)) = properties.get_mut("restorePolicy") {
        READ_ONLY_OF_RESTORE.iter().for_each(|key| drop(restore.remove(*key)));
    }
    properties.insert("cors".to_owned(), Value::Object(Map::from_iter([("corsRules".to_owned(), Value::from(rules))])));
    Value::Object(properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::ledger::Record;

    use crate::marks::tests::claimed;
    use crate::provider::tests::names;

    fn rule(origin: &str) -> CorsRule {
        CorsRule {
            origins: vec![origin.to_owned()],
            methods: vec!["GET".to_owned()],
            headers: vec!["*".to_owned()],
            expose: vec!["*".to_owned()],
            max_age_s: 3000,
        }
    }

    #[test]
    fn rule_survives_the_spelling_of_the_service() {
        let wanted = rule("https://a.example");
        assert_eq!(listed(&rule_of(&wanted.to_value())).rule, wanted);
        let respelled = json!({
            "allowedOrigins": ["https://a.example"],
            "allowedMethods": ["GET", "GET"],
            "allowedHeaders": ["*"],
            "exposedHeaders": ["*"],
            "maxAgeInSeconds": 3000,
        });
        assert_eq!(listed(&respelled).rule, wanted);
    }

    #[test]
    fn rules_of_others_are_kept_to_the_bit() {
        let theirs = json!({"allowedOrigins": ["https://b.example"], "allowedMethods": ["PUT"], "allowedHeaders": [],
                            "exposedHeaders": [], "maxAgeInSeconds": 5, "theirs": 1});
        let (old, new) = (rule("https://a.example").to_value(), rule("https://c.example").to_value());
        let before = vec![rule_of(&old), theirs.clone()];
        assert_eq!(merged(&before, &old, &new), [rule_of(&new), theirs.clone()]);
        assert_eq!(merged(&before, &old, &Value::Null), before[1..]);
        assert_eq!(merged(&before, &Value::Null, &Value::Null), before);
        assert_eq!(merged(&before, &Value::Null, &new), [rule_of(&new), before[0].clone(), theirs]);
    }

    #[test]
    fn rule_that_is_there_is_not_added_twice() {
        let value = rule("https://a.example").to_value();
        let before = vec![rule_of(&value)];
        assert_eq!(merged(&before, &Value::Null, &value), before);
    }

    #[test]
    fn rule_that_another_deployment_has_on_record_is_known_as_such() {
        let (names, want) = (names(), rule("https://a.example"));
        let marks = claimed(&names, |mark| mark.outside.put(RULE.key, Record::written(&want.to_value())));
        let both = [rule_of(&want.to_value()), rule_of(&rule("https://b.example").to_value())];
        let owned: Vec<_> = entries(&both, &want, &names, &marks).into_iter().map(|entry| entry.co_owned).collect();
        assert_eq!(owned, [true, false]);
    }

    #[test]
    fn rules_are_read_from_their_document_and_no_other() {
        assert_eq!(rules(&json!({"properties": {}})).unwrap(), Vec::<Value>::new());
        assert_eq!(rules(&json!({"properties": {"cors": {"corsRules": [{}]}}})).unwrap().len(), 1);
        for broken in [json!({}), json!({"properties": []}), json!({"properties": {"cors": {"corsRules": "x"}}})] {
            rules(&broken).unwrap_err();
        }
    }

    #[test]
    fn other_properties_go_back_as_they_were_read() {
        let service = json!({"properties": {
            "cors": {"corsRules": []},
            "deleteRetentionPolicy": {"enabled": true, "days": 7},
            "isVersioningEnabled": true,
            "restorePolicy": {"enabled": true, "days": 6, "minRestoreTime": "2026-11-23T00:00:00Z"},
        }});
        assert_eq!(
            properties(&service, vec![json!({})]),
            json!({
                "cors": {"corsRules": [{}]},
                "deleteRetentionPolicy": {"enabled": true, "days": 7},
                "isVersioningEnabled": true,
                "restorePolicy": {"enabled": true, "days": 6},
            })
        );
    }
}
