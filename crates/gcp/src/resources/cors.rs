//! The CORS rule of the server's host, among the bucket's.

use provision_core::Error;
use provision_core::cors::{self, CorsRule, Listed};
use provision_core::facet::Entries;
use serde_json::Value;

use crate::client::storage::Cors;
use crate::config::Settings;
use crate::resources::typed;

/// Cloud Storage has one list for the headers that pages send and read, our `expose`
/// (<https://cloud.google.com/storage/docs/cross-origin#cors-components>).
pub(crate) fn rule(settings: &Settings) -> CorsRule {
    settings.gcp.bucket.cors.rule(&settings.deployment.host, "*")
}

/// The rule of a value.
pub(crate) fn rule_of(value: &Value) -> Result<Cors, Error> {
    let rule: CorsRule = typed(value)?;
    let CorsRule { origins: origin, methods: method, expose: response_header, max_age_s, .. } = rule;
    Ok(Cors { origin, method, response_header, max_age_seconds: Some(max_age_s), ..Cors::default() })
}

/// The rules that the bucket has.
pub(crate) fn entries(rules: &[Cors], settings: &Settings) -> Entries {
    let rules: Vec<_> = rules.iter().map(listed).collect();
    Entries { list: cors::entries(&rules, &[], &rule(settings)), limit: None }
}

/// A rule has no id here.
fn listed(found: &Cors) -> Listed {
    let rule = CorsRule {
        origins: found.origin.clone(),
        methods: found.method.clone(),
        headers: vec!["*".to_owned()],
        expose: found.response_header.clone(),
        max_age_s: found.max_age_seconds.unwrap_or_default(),
    };
    Listed { rule: rule.normal(), id: None }
}

/// The rules with ours set, or taken out: first, and others' as they were.
pub(crate) fn merged(rules: &[Cors], before: &Value, value: &Value) -> Result<Vec<Cors>, Error> {
    cors::merge(rules, listed, &[], before, value, rule_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::settings;

    #[test]
    fn ours_goes_first_and_others_survive_to_the_bit() {
        let desired = rule(&settings()).to_value();
        let other =
            serde_json::json!({"origin": ["https://other.example"], "method": ["PUT", "GET", "GET"], "newer": 1});
        let other: Cors = serde_json::from_value(other).unwrap();
        let merged = |rules: &[Cors], before: &Value, value: &Value| super::merged(rules, before, value).unwrap();
        let with = merged(std::slice::from_ref(&other), &Value::Null, &desired);
        assert_eq!(with, [rule_of(&desired).unwrap(), other.clone()]);
        assert_eq!(merged(&with, &desired, &desired), with);
        assert_eq!(merged(&with, &desired, &Value::Null), [other]);
    }
}
