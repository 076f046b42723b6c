//! CORS rules: one rule of ours among those of others, on every cloud.
//!
//! All three services answer with the first rule that fits origin and method, so that ours goes first: it names only this
//! server's origins and changes nothing for anybody else. Rules of others are kept to the bit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::compare::same;
use crate::deployment;
use crate::facet::{Entry, EntryId, Words, duration_in_words};
use crate::plan_file::Problems;
use crate::refusal::Refusal;

/// The CORS keys of a plan file, the same for every cloud.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CorsSection {
    /// Where the pages come from that may use the files. Default: the deployment's host.
    pub origins: Option<Vec<String>>,
    /// What they may do. Default: GET, HEAD, PUT.
    pub methods: Option<Vec<String>>,
    /// Headers of answers that they may read. Default: `ETag`, on Google and Azure `*`.
    pub expose: Option<Vec<String>>,
    /// How long a browser keeps the answer, in seconds. Default: 3000.
    pub max_age_s: Option<u32>,
}

/// A rule in normal form: its lists are sorted and without doubles, since their order means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsRule {
    /// Origins, `*` for all.
    pub origins: Vec<String>,
    /// Methods.
    pub methods: Vec<String>,
    /// Headers of requests.
    pub headers: Vec<String>,
    /// Headers of answers.
    pub expose: Vec<String>,
    /// Seconds.
    pub max_age_s: i64,
}

impl CorsSection {
    /// Check what the schema cannot say; `path` is the section's.
    pub fn validate(&self, path: &str, methods: &[&str], problems: &mut Problems) {
        for method in self.methods.iter().flatten().filter(|method| !methods.contains(&method.as_str())) {
            let upper = method.to_ascii_uppercase();
            let help = methods.contains(&upper.as_str()).then(|| format!("write `{upper}`"));
            problems.report(
                &format!("{path}.methods"),
                "unknown method",
                &format!("`{method}` is not a CORS method"),
                help,
            );
        }
        for (key, list) in [("origins", &self.origins), ("methods", &self.methods)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                problems.report(&format!("{path}.{key}"), "empty list", "at least one is needed", None);
            }
        }
        for origin in self.origins.iter().flatten() {
            if let Some((label, help)) = deployment::origin_problem(origin) {
                problems.report(&format!("{path}.origins"), "invalid origin", &format!("`{origin}`: {label}"), help);
            }
        }
    }

    /// The rule that the section asks for; what it leaves out is for pages of `host`.
    #[must_use]
    pub fn rule(&self, host: &str, expose: &str) -> CorsRule {
        let list = |given: &Option<Vec<String>>, default: &[&str]| {
            given.clone().unwrap_or_else(|| default.iter().map(|item| (*item).to_owned()).collect())
        };
        CorsRule {
            origins: list(&self.origins, &[host]),
            methods: list(&self.methods, &["GET", "HEAD", "PUT"]),
            headers: vec!["*".to_owned()],
            expose: list(&self.expose, &[expose]),
            max_age_s: i64::from(self.max_age_s.unwrap_or(3000)),
        }
        .normal()
    }

    /// A rule in words: who may do what, and of the rest what the section sets.
    #[must_use]
    pub fn in_words(&self, rule: &Value) -> Option<Words> {
        let rule = CorsRule::deserialize(rule).ok()?;
        let expose = self.expose.is_some().then(|| format!("exposes {}", rule.expose.join(", ")));
        let kept = self.max_age_s.and(u64::try_from(rule.max_age_s).ok());
        let kept = kept.map(|seconds| format!("kept for {}", duration_in_words(seconds)));
        let allowed = format!("{} from {}", rule.methods.join(", "), rule.origins.join(", "));
        let parts: Vec<_> = [Some(allowed), expose, kept].into_iter().flatten().collect();
        Some(("CORS", parts.join("; ")))
    }

    /// Where the section names no origins, the plan file's key that decides them.
    #[must_use]
    pub fn decided_elsewhere(&self) -> Option<(&'static str, &'static str)> {
        self.origins.is_none().then_some(("origins", "deployment.host"))
    }
}

impl CorsRule {
    /// The same with sorted lists.
    #[must_use]
    pub fn normal(mut self) -> Self {
        for list in [&mut self.origins, &mut self.methods, &mut self.headers, &mut self.expose] {
            list.sort();
            list.dedup();
        }
        self
    }

    /// As change sets and marks have it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!(self)
    }

    /// For people.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("CORS rule for {}: {}", self.origins.join(", "), self.methods.join(", "))
    }

    /// Whether a request of an origin and a method that the other one names may be answered by this one.
    fn answers_for(&self, other: &Self) -> bool {
        let origin = self.origins.iter().any(|own| other.origins.iter().any(|theirs| covers(own, theirs)));
        origin && self.methods.iter().any(|method| other.methods.contains(method))
    }
}

/// Whether an origin's pattern fits another origin: `*` stands for any text.
pub(crate) fn covers(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == origin,
        Some((begin, end)) => {
            origin.len() >= begin.len() + end.len() && origin.starts_with(begin) && origin.ends_with(end)
        }
    }
}

/// A rule of the document, with whose its id says that it is.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The rule.
    pub rule: CorsRule,
    /// Its id, where the service has any.
    pub id: Option<String>,
}

/// The rules as the core judges them. `ids` are ours, `desired` is what the plan file asks for; `limit` is how many the service
/// takes.
#[must_use]
pub fn entries(rules: &[Listed], ids: &[String], desired: &CorsRule) -> Vec<Entry> {
    let is_ours = |listed: &Listed| listed.id.as_ref().is_some_and(|id| ids.contains(id));
    let entry = |(index, listed): (usize, &Listed)| {
        let before = rules[..index].iter().filter(|other| !is_ours(other));
        let behind = before.filter(|other| other.rule.answers_for(&listed.rule)).map(|other| other.describe()).next();
        let id = match &listed.id {
            None => EntryId::Nobodys,
            Some(id) if ids.contains(id) => EntryId::Ours,
            Some(_) => EntryId::Others,
        };
        let mut value = listed.rule.to_value();
        // A rule under the deployment's former name is written again under the present one.
        if let (EntryId::Ours, Some(id)) = (id, listed.id.as_ref().filter(|id| Some(*id) != ids.first())) {
            value["id"] = json!(id);
        }
        let (conflict, alert) = (hidden(desired, listed), let_in(desired, listed));
        Entry { id, conflict, behind, alert, ..Entry::new(value, listed.describe()) }
    };
    rules.iter().enumerate().map(entry).collect()
}

/// Whose pages it lets write, beside those that the plan file names.
fn let_in(desired: &CorsRule, other: &Listed) -> Option<String> {
    let writes = other.rule.methods.iter().any(|method| ["PUT", "*"].contains(&method.as_str()));
    let is_named = |origin: &String| desired.origins.iter().any(|own| covers(own, origin));
    let origins: Vec<_> = other.rule.origins.iter().filter(|origin| !is_named(origin)).map(String::as_str).collect();
    let pages = format!("pages of {} may PUT too, by {}", origins.join(", "), other.describe());
    (writes && !origins.is_empty())
        .then(|| format!("{pages}: it is somebody else's and stays, take it out if nobody needs it"))
}

/// Ours goes first. Where its origins are a wildcard, it would answer for pages that others' rules are about.
fn hidden(desired: &CorsRule, other: &Listed) -> Option<Refusal> {
    let wildcard = desired.origins.iter().filter(|origin| origin.contains('*'));
    let hides = wildcard.flat_map(|own| other.rule.origins.iter().map(move |theirs| (own, theirs)));
    let (own, theirs) = hides.into_iter().find(|(own, theirs)| own != theirs && covers(own, theirs))?;
    Some(Refusal {
        reason: format!(
            "the origin `{own}` would answer for `{theirs}` too, which is the business of {}",
            other.describe()
        ),
        hint: "the first rule that fits answers: name the origins of this server one by one, or remove that rule"
            .to_owned(),
    })
}

impl Listed {
    fn describe(&self) -> String {
        match &self.id {
            Some(id) => self.rule.describe().replacen("CORS rule", &format!("CORS rule `{id}`"), 1),
            None => self.rule.describe(),
        }
    }
}

/// The document with ours changed from `before` to `value`: ours first, everything else as it was. `listed` reads a rule of
/// the service's, `make` makes one.
pub fn merge<R: Clone, E>(
    rules: &[R],
    listed: impl Fn(&R) -> Listed,
    ids: &[String],
    before: &Value,
    value: &Value,
    make: impl FnOnce(&Value) -> Result<R, E>,
) -> Result<Vec<R>, E> {
    let all: Vec<_> = rules.iter().map(&listed).collect();
    let named = |rule: &Listed| rule.id.as_ref().is_some_and(|id| ids.contains(id));
    let alike = |rule: &Listed| rule.id.is_none() && !before.is_null() && same(&rule.rule.to_value(), before);
    let has_named = all.iter().any(named);
    let mut taken = false;
    let mut takes = |rule: &Listed| match has_named {
        true => named(rule),
        // Of several that are alike the first is ours.
        false => alike(rule) && !std::mem::replace(&mut taken, true),
    };
    let mut rest: Vec<R> =
        rules.iter().zip(&all).filter(|(_, rule)| !takes(rule)).map(|(rule, _)| rule.clone()).collect();
    if value.is_null() {
        return Ok(rest);
    }
    // What others made as desired, and nothing hides, is used.
    let first = rest.iter().map(&listed).find(|other| same_rule(value).is_some_and(|own| other.rule.answers_for(&own)));
    if first.is_some_and(|first| same(&first.rule.to_value(), value)) {
        return Ok(rest);
    }
    rest.insert(0, make(value)?);
    Ok(rest)
}

fn same_rule(value: &Value) -> Option<CorsRule> {
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origin: &str, methods: &[&str]) -> CorsRule {
        CorsRule {
            origins: vec![origin.to_owned()],
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
            headers: vec!["*".to_owned()],
            expose: vec!["ETag".to_owned()],
            max_age_s: 3000,
        }
    }

    fn listed(id: Option<&str>, origin: &str) -> Listed {
        Listed { rule: rule(origin, &["GET"]), id: id.map(str::to_owned) }
    }

    fn merged(rules: &[Listed], before: &Value, value: &Value) -> Vec<String> {
        let make = |value: &Value| same_rule(value).map(|rule| Listed { rule, id: Some("ours".to_owned()) }).ok_or(());
        let rules = merge(rules, Listed::clone, &["ours".to_owned()], before, value, make).unwrap();
        rules.iter().map(|rule| format!("{}{}", rule.id.as_deref().unwrap_or("-"), rule.rule.origins[0])).collect()
    }

    #[test]
    fn ours_goes_first_and_others_keep_their_order() {
        let desired = rule("w", &["GET"]).to_value();
        let old = rule("o", &["GET"]).to_value();
        let rules = [listed(None, "*"), listed(Some("theirs"), "b")];
        assert_eq!(merged(&rules, &Value::Null, &desired), ["oursw", "-*", "theirsb"]);
        let rules = [listed(None, "*"), listed(Some("ours"), "o"), listed(None, "o")];
        assert_eq!(merged(&rules, &old, &desired), ["oursw", "-*", "-o"]);
        assert_eq!(merged(&rules, &old, &Value::Null), ["-*", "-o"]);
    }

    #[test]
    fn without_ids_ours_is_the_first_that_is_alike() {
        let desired = rule("w", &["GET"]).to_value();
        let old = rule("o", &["GET"]).to_value();
        let rules = [listed(None, "o"), listed(None, "a"), listed(None, "o")];
        assert_eq!(merged(&rules, &old, &desired), ["oursw", "-a", "-o"]);
        assert_eq!(merged(&rules, &old, &Value::Null), ["-a", "-o"]);
    }

    #[test]
    fn what_others_made_as_wanted_is_used() {
        let desired = rule("w", &["GET"]).to_value();
        assert_eq!(merged(&[listed(None, "a"), listed(None, "w")], &Value::Null, &desired), ["-a", "-w"]);
        assert_eq!(merged(&[listed(None, "*"), listed(None, "w")], &Value::Null, &desired), ["oursw", "-*", "-w"]);
        // Ours of another origin goes, theirs as desired is used from then on.
        let old = rule("o", &["GET"]).to_value();
        assert_eq!(merged(&[listed(None, "o"), listed(None, "w")], &old, &desired), ["-w"]);
    }

    #[test]
    fn rule_behind_a_wildcard_is_told() {
        let desired = rule("https://w.example", &["GET"]);
        let rules = [listed(None, "*"), listed(Some("ours"), "https://w.example")];
        let found = entries(&rules, &["ours".to_owned()], &desired);
        assert_eq!(found[1].behind.as_deref(), Some("CORS rule for *: GET"));
        assert!(found[0].behind.is_none() && found[0].conflict.is_none());
    }

    #[test]
    fn pages_of_others_that_may_write_are_told() {
        let desired = rule("https://w.example", &["GET", "PUT"]);
        let told = |origin: &str, methods: &[&str]| {
            let other = Listed { rule: rule(origin, methods), id: None };
            entries(&[other], &[], &desired)[0].alert.clone()
        };
        assert!(told("https://x.example", &["PUT"]).unwrap().contains("pages of https://x.example may PUT"));
        assert!(told("*", &["*"]).unwrap().contains("pages of * may PUT"));
        assert_eq!((told("https://x.example", &["GET"]), told("https://w.example", &["PUT"])), (None, None));
    }

    #[test]
    fn wildcard_of_ours_that_covers_anothers_origin_is_refused() {
        let desired = rule("https://*.example", &["GET"]);
        let conflict = |origin: &str| entries(&[listed(None, origin)], &[], &desired)[0].conflict.is_some();
        assert!(conflict("https://a.example") && !conflict("https://a.other") && !conflict("https://*.example"));
    }

    #[test]
    fn rule_of_the_former_name_is_another_value() {
        let desired = rule("w", &["GET"]);
        let found = entries(&[listed(Some("old"), "w")], &["new".to_owned(), "old".to_owned()], &desired);
        assert_eq!((found[0].id, &found[0].value["id"]), (EntryId::Ours, &json!("old")));
    }
}
