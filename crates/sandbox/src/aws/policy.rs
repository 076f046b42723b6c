//! Policy documents: what is a valid one, and what it says about a call.
//!
//! Grammar <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>, evaluation
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>.

mod actions;
mod condition;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::error::Error;
use super::wildcard::matches;

/// A policy document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    #[serde(rename = "Version")]
    _version: Option<Version>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    #[serde(rename = "Statement")]
    statements: Statements,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Version {
    #[serde(rename = "2012-10-17")]
    Current,
    #[serde(rename = "2008-10-17")]
    Older,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Statements {
    One(Box<Statement>),
    Many(Vec<Statement>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Statement {
    sid: Option<String>,
    effect: Effect,
    principal: Option<Principals>,
    not_principal: Option<Principals>,
    action: Option<Texts>,
    not_action: Option<Texts>,
    resource: Option<Texts>,
    not_resource: Option<Texts>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Texts>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Principals {
    Everybody(Star),
    Some(BTreeMap<PrincipalKind, Texts>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Star {
    #[serde(rename = "*")]
    Star,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum PrincipalKind {
    #[serde(rename = "AWS")]
    Aws,
    Service,
    Federated,
    CanonicalUser,
}

/// A text or several; truth values and numbers are texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Texts(Vec<String>);

impl TryFrom<Value> for Texts {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let text = |value: Value| match value {
            Value::String(text) => Ok(text),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            _ => Err("a text or a list of texts is needed".to_owned()),
        };
        match value {
            Value::Array(values) => values.into_iter().map(text).collect::<Result<_, _>>().map(Self),
            value => text(value).map(|text| Self(vec![text])),
        }
    }
}

/// Where a policy is attached, which decides what it must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// To this bucket.
    Bucket(&'a str),
    /// To a queue.
    Queue,
    /// To a role.
    Role,
    /// As the trust policy of a role.
    Trust,
    /// To who calls, whose calls it decides.
    Identity,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Principal<'a> {
    /// An account's user.
    Account(&'a str),
    /// A user of an account who may do what a policy says.
    Identity(&'a str),
    /// A service of AWS.
    Service(&'a str),
    /// Nobody known.
    Anonymous,
}

/// A call to decide on.
#[derive(Clone, Debug)]
pub(super) struct Attempt<'a> {
    pub(super) principal: Principal<'a>,
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    /// Condition keys that have a value.
    pub(super) context: Vec<(&'a str, &'a str)>,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The service takes no such document.
    Malformed(String),
    /// The sandbox does not know what it would mean.
    Unserved(String),
}

impl Problem {
    /// As an answer; `code` is what the service says of a malformed document.
    pub(super) fn answer(self, code: &'static str) -> Error {
        match self {
            Self::Malformed(reason) => Error::new(400, code, reason),
            Self::Unserved(what) => Error::unserved(what),
        }
    }
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Self::Malformed(reason)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(reason) => formatter.write_str(reason),
            Self::Unserved(what) => write!(formatter, "the sandbox does not evaluate {what}"),
        }
    }
}

/// What a policy says about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    Deny,
    /// Nothing: the caller's own account decides.
    Silent,
}

impl Policy {
    /// Read a document that is to be attached somewhere.
    pub(super) fn parse(text: &str, kind: Kind<'_>) -> Result<Self, Problem> {
        if !text.starts_with('{') || serde_json::from_str::<Value>(text).is_err() {
            return Err("Policies must be valid JSON and the first byte must be '{'".to_owned().into());
        }
        let policy: Self = serde_json::from_str(text).map_err(|error| {
            let error = error.to_string();
            if error.contains("missing field `Statement`") {
                "Missing required field Statement".to_owned()
            } else {
                error
            }
        })?;
        policy.check(kind)?;
        Ok(policy)
    }

    /// Read a document that is attached: it was checked when it was written, and those whom it names may be gone since.
    pub(super) fn attached(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What it says about a call: a denial that applies wins.
    pub(super) fn decide(&self, attempt: &Attempt<'_>) -> Decision {
        let applying = self.statements().iter().filter(|statement| statement.applies(attempt));
        let effects: Vec<_> = applying.map(|statement| statement.effect).collect();
        match (effects.contains(&Effect::Deny), effects.contains(&Effect::Allow)) {
            (true, _) => Decision::Deny,
            (_, true) => Decision::Allow,
            _ => Decision::Silent,
        }
    }

    /// The condition keys that decide about a call, and that it has no value of.
    pub(super) fn missing_keys(&self, attempt: &Attempt<'_>) -> BTreeSet<&str> {
        let about = self.statements().iter().filter(|statement| statement.is_about(attempt));
        let keys = about.flat_map(|statement| statement.condition.values().flat_map(BTreeMap::keys));
        let given = |key: &str| attempt.context.iter().any(|(given, _)| given.eq_ignore_ascii_case(key));
        keys.map(String::as_str).filter(|key| !given(key)).collect()
    }

    /// Whether it lets anybody in
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>.
    pub(super) fn is_public(&self) -> bool {
        let public = |statement: &Statement| {
            let everybody =
                statement.not_principal.is_some() || statement.principal.as_ref().is_some_and(Principals::is_everybody);
            statement.effect == Effect::Allow && everybody && !condition::narrows(&statement.condition)
        };
        self.statements().iter().any(public)
    }

    /// How many statements it has.
    pub(super) fn count(&self) -> usize {
        self.statements().len()
    }

    fn statements(&self) -> &[Statement] {
        match &self.statements {
            Statements::One(statement) => std::slice::from_ref(statement),
            Statements::Many(statements) => statements,
        }
    }

    fn check(&self, kind: Kind<'_>) -> Result<(), Problem> {
        if self.statements().is_empty() {
            return Err("the policy has no statement".to_owned().into());
        }
        let mut sids: Vec<_> = self.statements().iter().filter_map(|statement| statement.sid.as_deref()).collect();
        sids.sort_unstable();
        if sids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("statement ids must be unique".to_owned().into());
        }
        self.statements().iter().try_for_each(|statement| statement.check(kind))
    }
}

impl Statement {
    fn applies(&self, attempt: &Attempt<'_>) -> bool {
        self.is_about(attempt) && condition::hold(&self.condition, &attempt.context)
    }

    /// Whether it applies as far as its conditions hold.
    fn is_about(&self, attempt: &Attempt<'_>) -> bool {
        let any = |texts: &Texts, text: &str, fold: bool| {
            let fits = |pattern: &String| match fold {
                true => matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase()),
                false => matches(pattern, text),
            };
            texts.0.iter().any(fits)
        };
        let named = |texts: &Option<Texts>, other: &Option<Texts>, text: &str, fold: bool| match (texts, other) {
            (Some(texts), _) => any(texts, text, fold),
            (None, Some(other)) => !any(other, text, fold),
            (None, None) => true,
        };
        let principal = match (&self.principal, &self.not_principal) {
            (Some(principals), _) => principals.have(attempt.principal),
            (None, Some(others)) => !others.have(attempt.principal),
            (None, None) => true,
        };
        principal
            && named(&self.action, &self.not_action, attempt.action, true)
            && named(&self.resource, &self.not_resource, attempt.resource, false)
    }

    fn check(&self, kind: Kind<'_>) -> Result<(), Problem> {
        let one_of = |first: bool, second: bool, name: &str| match (first, second) {
            (true, true) => Err(format!("a statement has {name} and Not{name}")),
            (false, false) => Err(format!("a statement is missing {name}")),
            _ => Ok(()),
        };
        one_of(self.action.is_some(), self.not_action.is_some(), "Action")?;
        match kind {
            Kind::Role | Kind::Identity if self.principal.is_some() || self.not_principal.is_some() => {
                return Err("a role's policy has no Principal".to_owned().into());
            }
            Kind::Role | Kind::Identity => one_of(self.resource.is_some(), self.not_resource.is_some(), "Resource")?,
            Kind::Trust | Kind::Queue => {
                one_of(self.principal.is_some(), self.not_principal.is_some(), "Principal")?;
            }
            Kind::Bucket(bucket) => {
                one_of(self.principal.is_some(), self.not_principal.is_some(), "Principal")?;
                one_of(self.resource.is_some(), self.not_resource.is_some(), "Resource")?;
                self.check_bucket(bucket)?;
            }
        }
        self.check_actions(kind)?;
        self.principal.iter().chain(&self.not_principal).try_for_each(Principals::check)?;
        if self.effect == Effect::Allow && self.not_principal.is_some() {
            return Err("Allow with NotPrincipal is not allowed.".to_owned().into());
        }
        condition::check(&self.condition, kind)
    }

    fn check_actions(&self, kind: Kind<'_>) -> Result<(), String> {
        let service = match kind {
            Kind::Bucket(_) => "s3",
            Kind::Queue => "sqs",
            Kind::Trust => "sts",
            Kind::Role | Kind::Identity => "",
        };
        let fits = |action: &String| match action.split_once(':') {
            Some((prefix, name)) => {
                let known = !matches!(kind, Kind::Bucket(_)) || actions::is_of_s3(name);
                (service.is_empty() || prefix.eq_ignore_ascii_case(service)) && !name.is_empty() && known
            }
            None => action == "*",
        };
        let mut actions = self.action.iter().chain(&self.not_action).flat_map(|texts| &texts.0);
        match actions.find(|action| !fits(action)) {
            Some(_) => Err("Policy has invalid action".to_owned()),
            None => Ok(()),
        }
    }

    /// A bucket's policy is about that bucket and its objects.
    fn check_bucket(&self, bucket: &str) -> Result<(), String> {
        let arn = format!("arn:aws:s3:::{bucket}");
        let fits = |resource: &String| {
            let within =
                resource.strip_prefix(&arn).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*']));
            within || resource == "*" || (resource.contains(['*', '?']) && matches(resource, &arn))
        };
        let mut resources = self.resource.iter().chain(&self.not_resource).flat_map(|texts| &texts.0);
        match resources.find(|resource| !fits(resource)) {
            Some(_) => Err("Policy has invalid resource".to_owned()),
            None => Ok(()),
        }
    }
}

impl Principals {
    fn is_everybody(&self) -> bool {
        match self {
            Self::Everybody(Star::Star) => true,
            Self::Some(kinds) => kinds.values().any(|texts| texts.0.iter().any(|text| text == "*")),
        }
    }

    /// `{"AWS": "*"}` is everybody, services among them
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>.
    fn have(&self, principal: Principal<'_>) -> bool {
        let Self::Some(kinds) = self else { return true };
        let texts = |kind: PrincipalKind| kinds.get(&kind).map(|texts| texts.0.as_slice()).unwrap_or_default();
        let named = match principal {
            Principal::Account(account) => texts(PrincipalKind::Aws).iter().any(|text| is_account(text, account)),
            Principal::Identity(account) => texts(PrincipalKind::Aws).contains(&identity_arn(account)),
            Principal::Service(service) => texts(PrincipalKind::Service).iter().any(|text| text == service),
            Principal::Anonymous => false,
        };
        named || texts(PrincipalKind::Aws).iter().any(|text| text == "*")
    }

    /// Patterns are not allowed here, nor the ids that stand for those who were deleted.
    fn check(&self) -> Result<(), String> {
        let Self::Some(kinds) = self else { return Ok(()) };
        let bad = |text: &&String| {
            text.is_empty() || (text.as_str() != "*" && text.contains(['*', '?'])) || is_unique_id(text)
        };
        match kinds.values().flat_map(|texts| &texts.0).find(bad) {
            Some(_) => Err("Invalid principal in policy".to_owned()),
            None if kinds.is_empty() => Err("Invalid principal in policy".to_owned()),
            None => Ok(()),
        }
    }
}

/// What is shown of a user or role that was deleted, and cannot be written
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>.
fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AROA") || text.starts_with("AIDA"))
        && text.len() > 16
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A bucket's policy as S3 keeps it: an account is named by its root
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-accounts>.
pub(super) fn with_roots(text: &str) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let statements = match &mut document["Statement"] {
        Value::Array(statements) => statements.iter_mut().collect(),
        statement => vec![statement],
    };
    let mut changed = false;
    for statement in statements {
        for name in ["Principal", "NotPrincipal"] {
            let Some(accounts) = statement.get_mut(name).and_then(|principal| principal.get_mut("AWS")) else {
                continue;
            };
            let texts = match accounts {
                Value::Array(texts) => texts.iter_mut().collect(),
                text => vec![text],
            };
            for text in texts {
                let account = text.as_str().filter(|text| text.len() == 12).map(root_arn);
                changed |= account.is_some();
                account.into_iter().for_each(|root| *text = Value::from(root));
            }
        }
    }
    if changed { document.to_string() } else { text.to_owned() }
}

/// An account is named by its id, by its root, or by the one user it has here.
fn is_account(text: &str, account: &str) -> bool {
    text == account || text == root_arn(account) || text == user_arn(account)
}

fn root_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// The user whom every key of an account is of.
pub(super) fn user_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/sandbox")
}

/// The user who may do what the attached policy says.
pub(super) fn identity_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:user/identity")
}

#[cfg(test)]
mod tests;
