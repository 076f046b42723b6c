//! `azure.cors`: our rule among those of the account's Blob service, one document for everybody in the account.

use provision_core::Error;
use provision_core::context::OperationContext;
use provision_core::cors::{self, CorsRule, Listed};
use provision_core::facet::{Desired, Entries, Entry, Words};
use provision_core::refusal::Refusal;
use provision_core::resource::{MarkHolder, Observation, OnRecord, Present, Resource};
use serde_json::{Value, json};

use crate::blockers::missing;
use crate::client::models::{self, BlobService, CorsRules};
use crate::client::{Reader, Writer};
use crate::config::{LARGEST_RULES, Settings};
use crate::marks::{Looking, Marks};
use crate::names::{Names, Part};
use crate::resources::blob_service::{Edit, Edits};
use crate::resources::shared_account::FoundAccount;
use crate::resources::{ACCOUNT_LANE, Facets, Write, typed};

provision_core::facets! {
    /// Rules have no id: whose one is stands in the marks alone.
    pub(crate) enum CorsFacet {
        Rule = ("rule", 'c', Whole, Anonymous, OwnCall),
    }
}

/// "Up to five CORS rules can be specified per storage service"
/// (<https://learn.microsoft.com/rest/api/storageservices/cross-origin-resource-sharing--cors--support-for-the-azure-storage-services#usage-notes>).
const MOST_RULES: usize = 5;

/// The rule, an entry of the account; on a shared one the container carries the mark for it.
pub(crate) fn resource(names: &Names) -> Resource {
    let mark_holder = if names.account_is_shared { Part::Container } else { Part::Account };
    Resource {
        mark_holder: MarkHolder::On(mark_holder.address()),
        on_record: OnRecord::EveryMark,
        deleted_with_holder: !names.account_is_shared,
        needs: vec![mark_holder.address()],
        lane: Some(ACCOUNT_LANE),
        ..Part::Cors.resource(&names.account, CorsFacet::ALL)
    }
}

/// The desired facets.
pub(crate) fn desired(settings: &Settings) -> Vec<Desired> {
    CorsFacet::all_desired(|facet| match facet {
        CorsFacet::Rule => {
            let decided_elsewhere = settings.azure.cors.decided_elsewhere();
            Some(facet.desired(desired_rule(settings), "azure.cors").with_field_at(decided_elsewhere))
        }
    })
}

/// A facet in words.
pub(crate) fn in_words(settings: &Settings, facet: CorsFacet, value: &Value) -> Option<Words> {
    match facet {
        CorsFacet::Rule => settings.azure.cors.in_words(value),
    }
}

/// The rule that the plan file asks for.
pub(crate) fn desired_rule(settings: &Settings) -> CorsRule {
    settings.azure.cors.rule(&settings.deployment.host, "*")
}

pub(crate) async fn observe(
    reader: &Reader,
    settings: &Settings,
    names: &Names,
    looking: &Looking,
    service: impl Future<Output = Result<Option<BlobService>, Error>>,
    account: &FoundAccount,
) -> Result<Observation, Error> {
    let (service, marks) = futures::join!(service, looking.marks(reader, names));
    let Some(service) = service? else {
        return if names.account_is_shared { Err(missing(names)) } else { Ok(Observation::Absent) };
    };
    account.look_at_blobs(&service);
    let (desired, marks) = (desired_rule(settings), marks?);
    let observed = CorsFacet::all_observed(|facet| match facet {
        CorsFacet::Rule => {
            let list = entries(service.rules(), &desired, names, &marks);
            facet.entries(Ok(Entries { list, limit: Some(limit(service.rules(), &desired, names)) }))
        }
    });
    Ok(Observation::Present(Box::new(Present { observed, ..Present::default() })))
}

/// Every rule, with whether another deployment in the account relies on it: two of one host want the same.
fn entries(rules: &[models::CorsRule], desired: &CorsRule, names: &Names, marks: &Marks) -> Vec<Entry> {
    let rules: Vec<_> = rules.iter().map(listed).collect();
    let claimed = |entry: Entry| Entry { co_owned: marks.claim(names, CorsFacet::Rule.spec(), &entry.value), ..entry };
    cors::entries(&rules, &[], desired).into_iter().map(claimed).collect()
}

/// How many rules there may be (<https://learn.microsoft.com/cli/azure/storage/cors> has the commands), and why no more: those that are there, where ours would make them too large.
fn limit(rules: &[models::CorsRule], desired: &CorsRule, names: &Names) -> (usize, Refusal) {
    let there: usize = rules.iter().map(|rule| size(&listed(rule).rule)).sum();
    let account = &names.account;
    let listed: Vec<_> = rules.iter().map(|rule| listed(rule).rule.describe()).collect();
    let refusal = |what: String| Refusal {
        reason: format!("storage account `{account}` has {what} already, and takes no more: {}", listed.join("; ")),
        hint: format!(
            "remove one that nobody needs (`az storage cors list --services b --account-name {account}` shows them; `az storage \
             cors clear --services b --account-name {account}` removes all of them, and `az storage cors add` writes those that \
             stay), or let one of them cover the host's origin"
        ),
    };
    if rules.len() < MOST_RULES && there + size(desired) > LARGEST_RULES {
        return (rules.len(), refusal(format!("CORS rules of {there} characters (of {LARGEST_RULES})")));
    }
    (MOST_RULES, refusal(format!("{MOST_RULES} CORS rules")))
}

/// What counts of a rule.
fn size(rule: &CorsRule) -> usize {
    [&rule.origins, &rule.methods, &rule.headers, &rule.expose].into_iter().flatten().map(String::len).sum()
}

/// Read, put ours in the place of `before`, write. Everything else goes back as it was read.
pub(crate) async fn write(
    writer: &Writer,
    names: &Names,
    edits: &Edits,
    write: &Write<'_>,
    context: &OperationContext<'_>,
) -> Result<(), Error> {
    let (CorsFacet::Rule, Write { before, value, .. }) = (CorsFacet::of(write.facet)?, *write);
    if before.is_null() || before == value {
        return edits.write(writer, names, value, edit(before, value), context).await;
    }
    // Whether the rule that is to go is another deployment's too, by now, is looked at in this turn.
    let _lane = context.acquire_lane().await;
    let (reader, id) = (writer.reader(), names.account_id());
    let (service, marks) = futures::join!(reader.get_blob_service(&id), Marks::read(reader, names));
    let claimed = marks?.claim(names, CorsFacet::Rule.spec(), before);
    // What serves another deployment too stays where it is; another one of ours goes beside it.
    let before = if claimed { &Value::Null } else { before };
    let number = edits.add(edit(before, value));
    edits.send(writer, names, value, number, service).await
}

/// Ours in the place of `before`, as a change of the document.
fn edit(before: &Value, value: &Value) -> Edit {
    let (before, value) = (before.clone(), value.clone());
    Box::new(move |service| {
        let after = merged(service.rules(), &before, &value)?;
        if service.rules() != after {
            service.properties.cors = Some(CorsRules { cors_rules: Some(after) });
        }
        Ok(())
    })
}

/// The rules with ours first, or taken out.
fn merged(rules: &[models::CorsRule], before: &Value, value: &Value) -> Result<Vec<models::CorsRule>, Error> {
    cors::merge(rules, listed, &[], before, value, rule_of)
}

/// A rule of the service in normal form.
fn listed(rule: &models::CorsRule) -> Listed {
    let rule = CorsRule {
        origins: rule.texts("allowedOrigins"),
        methods: rule.texts("allowedMethods"),
        headers: rule.texts("allowedHeaders"),
        expose: rule.texts("exposedHeaders"),
        max_age_s: rule.max_age_s(),
    };
    Listed { rule: rule.normal(), id: None }
}

/// A rule as the service takes it.
fn rule_of(value: &Value) -> Result<models::CorsRule, Error> {
    let rule: CorsRule = typed(value)?;
    let members = [
        ("allowedOrigins", json!(rule.origins)),
        ("allowedMethods", json!(rule.methods)),
        ("allowedHeaders", json!(rule.headers)),
        ("exposedHeaders", json!(rule.expose)),
        ("maxAgeInSeconds", json!(rule.max_age_s)),
    ];
    Ok(models::CorsRule(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::ledger::Record;

    use crate::marks::tests::claimed;
    use crate::names::tests::names;

    fn rule(origin: &str) -> CorsRule {
        CorsRule {
            origins: vec![origin.to_owned()],
            methods: vec!["GET".to_owned()],
            headers: vec!["*".to_owned()],
            expose: vec!["*".to_owned()],
            max_age_s: 3000,
        }
    }

    fn made(value: &Value) -> models::CorsRule {
        rule_of(value).unwrap()
    }

    #[test]
    fn rule_survives_the_spelling_of_the_service() {
        let desired_rule = rule("https://a.example");
        assert_eq!(listed(&made(&desired_rule.to_value())).rule, desired_rule);
        let respelled = json!({
            "allowedOrigins": ["https://a.example"],
            "allowedMethods": ["GET", "GET"],
            "allowedHeaders": ["*"],
            "exposedHeaders": ["*"],
            "maxAgeInSeconds": 3000,
        });
        assert_eq!(listed(&serde_json::from_value(respelled).unwrap()).rule, desired_rule);
    }

    #[test]
    fn rules_of_others_are_kept_to_the_bit() {
        let written = json!({"allowedOrigins": ["https://b.example"], "allowedMethods": ["PUT"], "allowedHeaders": [],
                             "exposedHeaders": null, "maxAgeInSeconds": 5, "theirs": 1});
        let theirs: models::CorsRule = serde_json::from_value(written.clone()).unwrap();
        let bare = json!({"allowedOrigins": ["*"]});
        assert_eq!(json!(theirs), written);
        assert_eq!(json!(serde_json::from_value::<models::CorsRule>(bare.clone()).unwrap()), bare);
        let (old, new) = (rule("https://a.example").to_value(), rule("https://c.example").to_value());
        let before = vec![made(&old), theirs.clone()];
        let merged = |before_ours, value| merged(&before, before_ours, value).unwrap();
        assert_eq!(merged(&old, &new), [made(&new), theirs.clone()]);
        assert_eq!(merged(&old, &Value::Null), before[1..]);
        assert_eq!(merged(&Value::Null, &Value::Null), before);
        assert_eq!(merged(&Value::Null, &new), [made(&new), before[0].clone(), theirs]);
    }

    #[test]
    fn rule_that_is_there_is_not_added_twice() {
        let value = rule("https://a.example").to_value();
        let before = vec![made(&value)];
        assert_eq!(merged(&before, &Value::Null, &value).unwrap(), before);
    }

    #[test]
    fn rule_that_another_deployment_has_on_record_is_known_as_such() {
        let (names, desired) = (names(), rule("https://a.example"));
        let marks =
            claimed(&names, |mark| mark.outside.put(CorsFacet::Rule.spec().key, Record::written(&desired.to_value())));
        let both = [made(&desired.to_value()), made(&rule("https://b.example").to_value())];
        let owned: Vec<_> = entries(&both, &desired, &names, &marks).into_iter().map(|entry| entry.co_owned).collect();
        assert_eq!(owned, [true, false]);
    }

    #[test]
    fn rules_have_a_number_and_a_size() {
        let (names, desired) = (names(), rule("https://a.example"));
        let large = made(&rule(&format!("https://{}.example", "a".repeat(1_000))).to_value());
        let (small, limit) =
            (made(&rule("https://b.example").to_value()), |rules: &[_]| limit(rules, &desired, &names));
        assert_eq!(limit(std::slice::from_ref(&small)).0, 5);
        let (most, refusal) = limit(&[large.clone(), large]);
        assert!(most == 2 && refusal.reason.contains("of 2048"), "{}", refusal.reason);
        assert!(limit(&vec![small; 5]).1.reason.contains("5 CORS rules"));
    }

    #[test]
    fn rules_are_read_from_their_document_and_no_other() {
        let rules = |document: Value| serde_json::from_value::<BlobService>(document).map(|found| found.rules().len());
        assert_eq!(rules(json!({"properties": {}})).unwrap(), 0);
        assert_eq!(rules(json!({"properties": {"cors": null}})).unwrap(), 0);
        assert_eq!(rules(json!({"properties": {"cors": {"corsRules": null}}})).unwrap(), 0);
        for broken in [json!({}), json!({"properties": []}), json!({"properties": {"cors": {"corsRules": "x"}}})] {
            rules(broken).unwrap_err();
        }
    }

    #[test]
    fn change_leaves_the_other_properties_as_they_were_read() {
        let service = json!({"properties": {"cors": {"corsRules": []}, "isVersioningEnabled": true}});
        let mut service: BlobService = serde_json::from_value(service).unwrap();
        let ours = rule("https://a.example").to_value();
        let change = |service: &mut BlobService, before: &Value, value: &Value| {
            edit(before, value)(service).unwrap();
            json!(service)
        };
        let expected = json!({"properties": {"cors": {"corsRules": [made(&ours)]}, "isVersioningEnabled": true}});
        assert_eq!(change(&mut service, &Value::Null, &ours), expected);
        assert_eq!(change(&mut service, &ours, &ours), expected);
        assert_eq!(change(&mut service, &ours, &Value::Null)["properties"]["cors"], json!({"corsRules": []}));
    }
}
