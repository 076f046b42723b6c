//! `azure.cors`: our rule among those of the account's Blob service, one document for everybody in the account.

use provision_core::Error;
use provision_core::mark::{Mark, Recorded};
use provision_core::resource::{AtCreation, Facet, Kept, Observation, Present, Refusal, Seen, Shape, Want};
use serde_json::{Map, Value, json};

use crate::client::{Read as _, Reader, Writer};
use crate::config::Settings;
use crate::provider::{Names, identity_of, metadata, tags};
use crate::resources::account::missing;
use crate::resources::container;

static RULE: Facet = Facet { name: "rule", key: 'c', shape: Shape::Whole, at_creation: AtCreation::Written };

/// "Up to five CORS rules can be specified per storage service"
/// (<https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services#usage-notes>).
const MOST_RULES: usize = 5;

/// What is wanted.
pub(crate) fn want(settings: &Settings) -> Vec<Want> {
    vec![Want { facet: &RULE, value: wanted(settings), path: "azure.cors".to_owned() }]
}

fn wanted(settings: &Settings) -> Value {
    let cors = &settings.azure.cors;
    let list = |given: &Option<Vec<String>>, default: &[&str]| {
        given.clone().unwrap_or_else(|| default.iter().map(|item| (*item).to_owned()).collect())
    };
    rule_value(
        list(&cors.origins, &[&settings.deployment.host]),
        list(&cors.methods, &["GET", "HEAD", "PUT"]),
        vec!["*".to_owned()],
        list(&cors.expose, &["*"]),
        i64::from(cors.max_age_s.unwrap_or(3000)),
    )
}

/// A rule in normal form: the order within its lists means nothing.
fn rule_value(
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    expose: Vec<String>,
    max_age_s: i64,
) -> Value {
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list.dedup();
        list
    };
    json!({
        "origins": sorted(origins),
        "methods": sorted(methods),
        "headers": sorted(headers),
        "expose": sorted(expose),
        "max_age_s": max_age_s,
    })
}

/// A rule of the service in normal form.
fn seen_rule(rule: &Value) -> Value {
    let list = |key: &str| {
        let items = rule[key].as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let max_age_s = rule["maxAgeInSeconds"].as_i64().unwrap_or_default();
    rule_value(
        list("allowedOrigins"),
        list("allowedMethods"),
        list("allowedHeaders"),
        list("exposedHeaders"),
        max_age_s,
    )
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

fn rules(service: &Value) -> Vec<Value> {
    service.pointer("/properties/cors/corsRules").and_then(Value::as_array).cloned().unwrap_or_default()
}

pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let id = names.account_id();
    let (service, mark) = futures::join!(reader.get_blob_service(&id), carrier_mark(reader, names));
    let Some(service) = service? else {
        return if names.shared { Err(missing(names)) } else { Ok(Observation::Absent) };
    };
    let (rules, mark, want) = (rules(&service), mark?, wanted(settings));
    let ours = find_rule(&rules, mark.as_ref(), &want);
    let shared =
        names.shared && ours.is_some() && !wrote(mark.as_ref()) && written_by_another(reader, names, &want).await?;
    let others: Vec<_> = rules.iter().enumerate().filter(|(place, _)| Some(*place) != ours).collect();
    let full = || (others.len() >= MOST_RULES).then(|| too_many(names));
    let obstacle = || same_origins(&rules, &want).map(|place| taken(names, &rules[place])).or_else(full);
    let obstacle = if ours.is_none() { obstacle() } else { None };
    let kept = others.iter().map(|(_, rule)| Kept { facet: RULE.name.to_owned(), entry: describe(rule) });
    Ok(Observation::Present(Box::new(Present {
        mark: None,
        seen: vec![(RULE.name, Seen::Value(ours.map_or(Value::Null, |place| seen_rule(&rules[place]))))],
        nameless: vec![RULE.name],
        shared: shared.then_some(RULE.name).into_iter().collect(),
        kept: kept.collect(),
        obstacles: obstacle.map(|refusal| (RULE.name, refusal)).into_iter().collect(),
    })))
}

/// The mark that has our rule on record: the account's, on a shared account the container's.
async fn carrier_mark(reader: &Reader, names: &Names) -> Result<Option<Mark>, Error> {
    if names.shared {
        return container::mark(reader, names).await;
    }
    let id = names.account_id();
    let mark = reader.get_account(&id).await?.and_then(|found| Mark::from_tags(&tags(&found)));
    Ok(mark.filter(|mark| names.deployments.contains(&mark.deployment) && mark.is_for(&identity_of(&id))))
}

/// Our rule: the one that we have on record as written, else the very one that is wanted, else by its set of origins. Rules
/// have no id, so without a mark only one that is as wanted stands for ours.
fn find_rule(rules: &[Value], mark: Option<&Mark>, want: &Value) -> Option<usize> {
    let written = |rule: &Value| wrote(mark) && mark.is_some_and(|mark| mark.recorded(RULE.key).is(&seen_rule(rule)));
    let as_wanted = |rule: &Value| seen_rule(rule) == *want;
    let found = rules.iter().position(written).or_else(|| rules.iter().position(as_wanted));
    found.or_else(|| mark.and_then(|_| same_origins(rules, want)))
}

fn wrote(mark: Option<&Mark>) -> bool {
    mark.is_some_and(|mark| mark.wrote(RULE.key))
}

/// Whether another deployment made the rule; any other was there before us.
async fn written_by_another(reader: &Reader, names: &Names, want: &Value) -> Result<bool, Error> {
    let wrote = |other: &Mark| other.wrote(RULE.key) && other.recorded(RULE.key).is(want);
    Ok(marks_of_others(reader, names).await?.iter().any(wrote))
}

/// The marks of other deployments in this account.
pub(crate) async fn marks_of_others(reader: &Reader, names: &Names) -> Result<Vec<Mark>, Error> {
    let containers = reader.list_containers(&names.account_id()).await?.unwrap_or_default();
    let marked = containers.iter().filter_map(|found| Some((found, Mark::from_tags(&metadata(found))?)));
    let id = |found: &Value| identity_of(&names.container_id(found["name"].as_str().unwrap_or_default()));
    let others =
        marked.filter(|(found, mark)| !names.deployments.contains(&mark.deployment) && mark.is_for(&id(found)));
    Ok(others.map(|(_, mark)| mark).collect())
}

fn same_origins(rules: &[Value], want: &Value) -> Option<usize> {
    rules.iter().position(|rule| seen_rule(rule)["origins"] == want["origins"])
}

fn describe(rule: &Value) -> String {
    let rule = seen_rule(rule);
    let list = |key: &str| {
        let items = rule[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        items.collect::<Vec<_>>().join(", ")
    };
    format!("CORS rule for {}: {}", list("origins"), list("methods"))
}

/// Rules are read in their order, and the first that fits a request's origin and method answers it
/// (<https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services#understanding-cors-rule-evaluation-logic>).
fn taken(names: &Names, rule: &Value) -> Refusal {
    Refusal {
        reason: format!(
            "storage account `{}` has another {} already: rules are read in their order, and ours would come second",
            names.account,
            describe(rule)
        ),
        hint: "remove that rule, or make [azure.cors] ask for the same".to_owned(),
    }
}

fn too_many(names: &Names) -> Refusal {
    Refusal {
        reason: format!("storage account `{}` has {MOST_RULES} CORS rules already, and takes no more", names.account),
        hint: "remove one of those that are listed above, or let one of them cover the host's origin".to_owned(),
    }
}

/// Read, set or take out our rule, write. Everything else goes back as it was read. `fresh` says that this run made what
/// carries the mark, which then has no rule on record.
pub(crate) async fn write(
    writer: &Writer,
    settings: &Settings,
    names: &Names,
    value: &Value,
    fresh: bool,
) -> Result<(), Error> {
    let (reader, id) = (writer.reader(), names.account_id());
    let mark = async { if fresh { Ok(None) } else { carrier_mark(reader, names).await } };
    let others = async { if fresh { Ok(Vec::new()) } else { marks_of_others(reader, names).await } };
    let (service, mark, others) = futures::join!(reader.get_blob_service(&id), mark, others);
    let (Some(service), mark, others) = (service?, mark?, others?) else { return Ok(()) };
    if value.is_null() && is_claimed(&others, &wanted(settings), mark.as_ref()) {
        return Ok(());
    }
    let before = rules(&service);
    // A rule that serves another deployment too stays, and ours of another host goes beside it; beside one of the same host
    // it would never be read.
    let moved = !value.is_null() && same_origins(&before, value).is_none();
    let mark = mark.filter(|mark| !moved || !others.iter().any(|other| has_the_same(other, mark)));
    let after = merged(&before, mark.as_ref(), &wanted(settings), value);
    if before == after {
        return Ok(());
    }
    writer.put_blob_service(&id, &properties(&service, after)).await
}

/// The rules with ours set to `value`, or taken out.
fn merged(rules: &[Value], mark: Option<&Mark>, want: &Value, value: &Value) -> Vec<Value> {
    let mut rules = rules.to_vec();
    match (find_rule(&rules, mark, want), value.is_null()) {
        (Some(place), true) if wrote(mark) => drop(rules.remove(place)),
        (Some(_), true) => {}
        (Some(place), false) if seen_rule(&rules[place]) == *value => {}
        (Some(place), false) => rules[place] = rule_of(value),
        (None, true) => {}
        (None, false) => rules.push(rule_of(value)),
    }
    rules
}

/// Two deployments of one host on one account want the same rule: it stays as long as another one has it on record.
fn is_claimed(others: &[Mark], want: &Value, mark: Option<&Mark>) -> bool {
    others.iter().any(|other| other.recorded(RULE.key).is(want) || mark.is_some_and(|mark| has_the_same(other, mark)))
}

fn has_the_same(other: &Mark, mark: &Mark) -> bool {
    let recorded = other.recorded(RULE.key);
    matches!(recorded, Recorded::Digest(_)) && mark.recorded(RULE.key) == recorded
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
    use provision_core::digest;
    use provision_core::mark::{Origin, Spec};

    fn rule(origin: &str) -> Value {
        rule_value(vec![origin.to_owned()], vec!["GET".to_owned()], vec!["*".to_owned()], vec!["*".to_owned()], 3000)
    }

    fn recorded(value: &Value) -> Mark {
        let spec = Spec::Written([(RULE.key, digest::of_value(value))].into());
        Mark { spec, ..Mark::unfinished("wandb-prod", Origin::Created, "x") }
    }

    #[test]
    fn rule_survives_the_spelling_of_the_service() {
        let value = rule("https://a.example");
        assert_eq!(seen_rule(&rule_of(&value)), value);
        let respelled = json!({
            "allowedOrigins": ["https://a.example"],
            "allowedMethods": ["GET", "GET"],
            "allowedHeaders": ["*"],
            "exposedHeaders": ["*"],
            "maxAgeInSeconds": 3000,
        });
        assert_eq!(seen_rule(&respelled), value);
    }

    #[test]
    fn rules_of_others_are_kept_to_the_bit() {
        let theirs = json!({"allowedOrigins": ["https://b.example"], "allowedMethods": ["PUT"], "allowedHeaders": [],
                            "exposedHeaders": [], "maxAgeInSeconds": 5, "theirs": 1});
        let (old, new) = (rule("https://a.example"), rule("https://c.example"));
        let before = vec![rule_of(&old), theirs.clone()];
        let mark = recorded(&old);
        assert_eq!(merged(&before, Some(&mark), &new, &new), [rule_of(&new), theirs.clone()]);
        assert_eq!(merged(&before, Some(&mark), &new, &Value::Null), before[1..]);
        assert_eq!(merged(&before, None, &new, &Value::Null), before);
        assert_eq!(merged(&before, None, &new, &new), [before[0].clone(), theirs, rule_of(&new)]);
    }

    #[test]
    fn rule_that_is_there_is_not_added_twice() {
        let value = rule("https://a.example");
        let before = vec![rule_of(&value)];
        assert_eq!(merged(&before, None, &value, &value), before);
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
