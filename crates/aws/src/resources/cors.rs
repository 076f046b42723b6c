//! The CORS rule of the server's host, among the bucket's.

use aws_sdk_s3::types::CorsRule;
use provision_core::Error;
use provision_core::cors::{self, Listed};
use provision_core::facet::Entries;
use provision_core::refusal::Refusal;
use serde_json::Value;

use crate::client::Writer;
use crate::config::Settings;
use crate::names::Names;
use crate::resources::{Write, typed};

/// Rules of a document <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>.
const MOST_CORS_RULES: usize = 100;

/// The rule that is desired.
pub(crate) fn rule(settings: &Settings) -> cors::CorsRule {
    settings.aws.bucket.cors.rule(&settings.deployment.host, "ETag")
}

/// The rules that the bucket has.
pub(crate) fn entries(rules: &[CorsRule], settings: &Settings, names: &Names) -> Entries {
    let rules: Vec<_> = rules.iter().map(listed).collect();
    let full = Refusal {
        reason: format!(
            "bucket `{}` has {MOST_CORS_RULES} CORS rules already, which is all that S3 takes",
            names.bucket
        ),
        hint: "remove one that nobody needs".to_owned(),
    };
    Entries { list: cors::entries(&rules, &names.ids, &rule(settings)), limit: Some((MOST_CORS_RULES, full)) }
}

fn listed(rule: &CorsRule) -> Listed {
    let normal = cors::CorsRule {
        origins: rule.allowed_origins().to_vec(),
        methods: rule.allowed_methods().to_vec(),
        headers: rule.allowed_headers().to_vec(),
        expose: rule.expose_headers().to_vec(),
        max_age_s: i64::from(rule.max_age_seconds.unwrap_or_default()),
    };
    Listed { rule: normal.normal(), id: rule.id.clone() }
}

/// Set our rule, or take it out: first, and others' as they were.
pub(crate) async fn write(writer: &Writer, names: &Names, write: &Write<'_>) -> Result<(), Error> {
    let (bucket, owner) = (names.bucket.as_str(), names.account.as_str());
    let rules = if write.just_created { Vec::new() } else { writer.reader().get_bucket_cors(bucket, owner).await? };
    let merged = merged_cors(&rules, &names.ids, write.before, write.value)?;
    match merged.is_empty() {
        _ if merged == rules => Ok(()),
        true => writer.delete_bucket_cors(bucket, owner).await,
        false => writer.put_bucket_cors(bucket, owner, merged).await,
    }
}

fn merged_cors(rules: &[CorsRule], ids: &[String], before: &Value, value: &Value) -> Result<Vec<CorsRule>, Error> {
    cors::merge(rules, listed, ids, before, value, |value| rule_of(value, &ids[0]))
}

fn rule_of(value: &Value, id: &str) -> Result<CorsRule, Error> {
    let rule: cors::CorsRule = typed(value)?;
    let rule = CorsRule::builder()
        .id(id)
        .set_allowed_origins(Some(rule.origins))
        .set_allowed_methods(Some(rule.methods))
        .set_allowed_headers(Some(rule.headers))
        .set_expose_headers(Some(rule.expose))
        .set_max_age_seconds(i32::try_from(rule.max_age_s).ok())
        .build();
    rule.map_err(|error| Error::bug(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use provision_core::facet::EntryId;

    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"";

    fn cors_rule(id: Option<&str>, origin: &str, methods: &[&str]) -> CorsRule {
        let rule = CorsRule::builder().set_id(id.map(str::to_owned)).allowed_origins(origin);
        let methods = methods.iter().map(|method| (*method).to_owned()).collect();
        rule.set_allowed_methods(Some(methods)).expose_headers("ETag").max_age_seconds(3000).build().unwrap()
    }

    /// A rule as the plan file wants it, in the service's order and not in ours.
    fn as_wanted(id: Option<&str>) -> CorsRule {
        let mut rule = cors_rule(id, "https://w.example", &["PUT", "HEAD", "GET"]);
        rule.allowed_headers = Some(vec!["*".to_owned()]);
        rule
    }

    #[test]
    fn cors_rule_survives_the_services_spelling() {
        let settings = settings("", PLAN);
        let names = names(&settings);
        let found = entries(&[as_wanted(Some(&names.ids[0])), as_wanted(None)], &settings, &names);
        let desired = rule(&settings).to_value();
        assert_eq!((&found.list[0].value, found.list[0].id), (&desired, EntryId::Ours));
        assert_eq!((&found.list[1].value, found.list[1].id), (&desired, EntryId::Nobodys));
        assert_eq!(listed(&rule_of(&desired, "x").unwrap()).rule.to_value(), desired);
    }

    #[test]
    fn cors_of_others_are_kept_to_the_bit_and_ours_goes_first() {
        let settings = settings("", PLAN);
        let (names, desired) = (names(&settings), rule(&settings).to_value());
        let others = [cors_rule(Some("b"), "https://b.example", &["GET", "PUT"]), cors_rule(None, "*", &["GET"])];
        let merged = merged_cors(&others, &names.ids, &Value::Null, &desired).unwrap();
        assert_eq!(merged[0].id.as_ref(), Some(&names.ids[0]));
        assert_eq!(merged[1..], others);
        assert_eq!(merged_cors(&merged, &names.ids, &desired, &desired).unwrap(), merged);
        assert_eq!(merged_cors(&merged, &names.ids, &desired, &Value::Null).unwrap(), others);
    }
}
