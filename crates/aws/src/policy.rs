//! Policy documents: one statement of ours among those of others, found by its whole `Sid`.
//!
//! Services respell documents (a scalar for a list of one, another order, an account id for its root ARN), so statements
//! are compared in a normal form.

use provision_core::Error;
use provision_core::facet::{Entries, Entry, EntryId};
use provision_core::refusal::Refusal;
use serde_json::{Map, Value, json};

use crate::error;

/// The version of a document of our own: without it SQS takes the document for the older language
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>).
pub(crate) const VERSION: &str = "2012-10-17";

/// How large a service lets a document be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    /// The length of its text.
    pub(crate) bytes: usize,
    /// Statements, where they are counted.
    pub(crate) statements: Option<usize>,
}

/// A policy document, statements as they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document {
    statements: Vec<Value>,
    rest: Map<String, Value>,
    /// Whether it was there.
    was_read: bool,
}

impl Document {
    /// The document that a call answered with; one that is not there has no statements.
    pub(crate) fn read(text: Option<&str>, operation: &'static str, tried: &str) -> Result<Self, Error> {
        let Some(text) = text else { return Ok(Self::default()) };
        Self::parse(text).ok_or_else(|| error::unreadable(operation, tried))
    }

    /// Read a document; `None` if it is not JSON of a policy's form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Ok(Value::Object(mut rest)) = serde_json::from_str(text) else { return None };
        let statements = match rest.remove("Statement") {
            Some(Value::Array(statements)) => statements,
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return None,
        };
        Some(Self { statements, rest, was_read: true })
    }

    /// Our statement in normal form with its `Sid`, which a renamed deployment changes; `null` if there is none.
    pub(crate) fn ours(&self, sids: &[String]) -> Value {
        let ours = self.statements.iter().find(|statement| is_ours(statement, sids));
        ours.map_or(Value::Null, |statement| with_sid(statement, statement["Sid"].as_str().unwrap_or_default()))
    }

    /// Our statement as the core judges it, against the `desired` one; those of others are told apart from it. Where they
    /// leave it no room, one that stands for them says so.
    pub(crate) fn entries(&self, sids: &[String], desired: &Value, quota: Quota, holder: &str) -> Entries {
        let ours = Some(self.ours(sids)).filter(Value::is_object);
        let ours = ours.map(|ours| Entry { id: EntryId::Ours, ..Entry::new(ours, String::new()) });
        let others = || Entry::new(Value::Array(self.statements.clone()), String::new());
        let full = self.too_large(sids, desired, quota, holder);
        let full = full.map(|refusal| Entry { id: EntryId::Others, conflict: Some(refusal), ..others() });
        Entries { list: ours.into_iter().chain(full).collect(), limit: None }
    }

    fn too_large(&self, sids: &[String], desired: &Value, quota: Quota, holder: &str) -> Option<Refusal> {
        let merged = self.with_ours(sids, desired).filter(|_| desired.is_object())?;
        let (bytes, statements) = (merged.to_text().len(), merged.statements.len());
        let reason = match quota.statements.filter(|most| statements > *most) {
            Some(most) => {
                format!("with ours the policy of {holder} would have {statements} statements, and may have {most}")
            }
            None if bytes > quota.bytes => {
                format!("with ours the policy of {holder} would have {bytes} bytes, and may have {}", quota.bytes)
            }
            None => return None,
        };
        Some(Refusal { reason, hint: "remove statements that nobody needs, or make one of several".to_owned() })
    }

    /// Why S3 takes this policy no more, whatever is changed in it: a statement of others names somebody who was deleted, or lets
    /// everybody in, where ours is written beside a block of all public access.
    pub(crate) fn refused(&self, sids: &[String], holder: &str) -> Option<Refusal> {
        let public = self.others_where(sids, is_public).next().map(|statement| Refusal {
            reason: format!("statement {} of the policy of {holder} lets everybody in", describe(statement)),
            hint: "all public access is to be blocked, and S3 then takes no policy with such a statement: narrow or remove it, \
                   or leave `private` out"
                .to_owned(),
        });
        self.dead(sids, holder).or(public)
    }

    /// Why the service takes this policy no more: a statement of others names somebody who was deleted.
    pub(crate) fn dead(&self, sids: &[String], holder: &str) -> Option<Refusal> {
        self.others_where(sids, |statement| dead_principal(statement).is_some()).next().map(|statement| Refusal {
            reason: format!(
                "statement {} of the policy of {holder} names {}, a user or role that was deleted",
                describe(statement),
                dead_principal(statement).unwrap_or_default()
            ),
            hint: "AWS takes no policy with such a statement: remove or correct it first".to_owned(),
        })
    }

    /// Statements of others that let everybody in: what each is, what everybody may do by it, and its `Sid`.
    pub(crate) fn open_to_all(&self, sids: &[String]) -> Vec<(String, String, Option<&str>)> {
        let actions = |statement: &Value| {
            let listed = |key: &str| {
                let normal = normalize(statement);
                let names = normal[key].as_array().into_iter().flatten().filter_map(Value::as_str);
                names.map(str::to_owned).collect::<Vec<_>>().join(", ")
            };
            let all_but = || format!("everything but {}", listed("NotAction"));
            if statement["NotAction"].is_null() { listed("Action") } else { all_but() }
        };
        let open = self.others_where(sids, is_open);
        open.map(|statement| (describe(statement), actions(statement), statement["Sid"].as_str())).collect()
    }

    pub(crate) fn others_where(&self, sids: &[String], is: impl Fn(&Value) -> bool) -> impl Iterator<Item = &Value> {
        self.statements.iter().filter(move |statement| !is_ours(statement, sids) && is(statement))
    }

    /// Every statement in normal form, in a fixed order.
    pub(crate) fn normalized(&self) -> Value {
        let mut statements: Vec<_> = self.statements.iter().map(normalize).collect();
        statements.sort_by_key(Value::to_string);
        Value::Array(statements)
    }

    /// What the statements of others are, for people.
    pub(crate) fn others(&self, sids: &[String]) -> Vec<String> {
        let others = self.statements.iter().filter(|statement| !is_ours(statement, sids));
        let text = |statement: &Value| match dead_principal(statement) {
            Some(id) => format!("statement {}, which names {id}, who was deleted", describe(statement)),
            None => format!("statement {}", describe(statement)),
        };
        others.map(text).collect()
    }

    /// The same document with our statement set, or taken out if it is `null`; others' as they were. `None` if that is
    /// what it has already.
    pub(crate) fn with_ours(&self, sids: &[String], statement: &Value) -> Option<Self> {
        let (ours, others): (Vec<_>, Vec<_>) =
            self.statements.iter().cloned().partition(|statement| is_ours(statement, sids));
        let desired: Vec<Value> = Some(statement.clone()).filter(Value::is_object).into_iter().collect();
        let same = ours.len() == desired.len() && self.ours(sids) == *statement;
        (!same).then(|| Self { statements: [others, desired].concat(), ..self.clone() })
    }

    /// The same document without those of ours that name somebody who was deleted.
    pub(crate) fn without_dead(&self, sids: &[String]) -> Self {
        let stays = |statement: &&Value| !is_ours(statement, sids) || dead_principal(statement).is_none();
        Self { statements: self.statements.iter().filter(stays).cloned().collect(), ..self.clone() }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The text to send. A document of others keeps the version that it has, or has not: in an older one `${...}` is plain text.
    pub(crate) fn to_text(&self) -> String {
        let mut document = self.rest.clone();
        if !self.was_read {
            document.insert("Version".to_owned(), Value::from(VERSION));
        }
        document.insert("Statement".to_owned(), Value::Array(self.statements.clone()));
        Value::Object(document).to_string()
    }
}

/// A statement in normal form under this `Sid`.
pub(crate) fn with_sid(statement: &Value, sid: &str) -> Value {
    let mut normal = normalize(statement);
    normal["Sid"] = Value::from(sid);
    normal
}

/// A document of these statements alone.
pub(crate) fn document(statements: &Value) -> String {
    json!({ "Version": VERSION, "Statement": statements }).to_string()
}

fn is_ours(statement: &Value, sids: &[String]) -> bool {
    statement["Sid"].as_str().is_some_and(|sid| sids.iter().any(|ours| ours == sid))
}

/// The id of a user or role that was deleted, which stands where the ARN was
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
fn dead_principal(statement: &Value) -> Option<String> {
    let is_id = |text: &&str| {
        ["AROA", "AIDA"].iter().any(|prefix| text.starts_with(prefix))
            && text.len() > 16
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let named = [&statement["Principal"]["AWS"], &statement["NotPrincipal"]["AWS"]].map(list);
    let mut texts = named.iter().flat_map(|list| list.as_array().into_iter().flatten()).filter_map(Value::as_str);
    texts.find(is_id).map(str::to_owned)
}

/// Keys of conditions that keep the others out, and leave a policy private
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>).
const NARROWING: [&str; 12] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:userid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "s3:dataaccesspointarn",
];

/// Whether a statement lets everybody in, as far as that is plain: a condition that may narrow it is believed to, unless it says
/// who is *not* meant, or names everything.
fn is_public(statement: &Value) -> bool {
    let everything = |values: &Value| list(values).as_array().is_some_and(|values| values.contains(&json!("*")));
    is_for_all(statement, |operator, values| !operator.contains("Not") && !everything(values))
}

/// The same, and where a condition holds too if nobody says who it is, or names whatever there is: what is warned about.
fn is_open(statement: &Value) -> bool {
    is_for_all(statement, |operator, values| {
        let loose = operator.contains("Not") || operator.ends_with("IfExists") || operator.starts_with("ForAllValues:");
        let everything = list(values).as_array().into_iter().flatten().filter_map(Value::as_str).any(is_everything);
        !loose && operator != "Null" && !everything
    })
}

/// Whether everybody is allowed something, but for conditions of these keys whose operator and values narrow it.
fn is_for_all(statement: &Value, narrow: impl Fn(&str, &Value) -> bool) -> bool {
    let normal = normalize(statement);
    let is_key = |key: &String| NARROWING.contains(&key.to_ascii_lowercase().as_str());
    let narrows = |(operator, keys): (&String, &Value)| {
        keys.as_object().into_iter().flatten().any(|(key, values)| is_key(key) && narrow(operator, values))
    };
    let listed = normal["Principal"]["AWS"].as_array().is_some_and(|listed| listed.contains(&json!("*")));
    let everybody = normal["Principal"] == "*" || listed;
    let mut conditions = normal["Condition"].as_object().into_iter().flatten();
    normal["Effect"] == "Allow" && everybody && !conditions.any(narrows)
}

/// Whether a value is whatever there is: `*`, `arn:aws:*`, `arn:aws:iam::*:*`, `0.0.0.0/0`.
fn is_everything(value: &str) -> bool {
    let any = |text: &str| text.bytes().all(|byte| byte == b'*');
    let arn = value
        .strip_prefix("arn:")
        .is_some_and(|rest| rest.split(':').skip(1).all(|part| any(part) || matches!(part, "iam" | "sts")));
    any(value) || arn || value.ends_with("/0")
}

pub(crate) fn describe(statement: &Value) -> String {
    statement["Sid"].as_str().map_or_else(|| normalize(statement).to_string(), |sid| format!("`{sid}`"))
}

/// The normal form of a statement: lists sorted, scalars as lists, `{"AWS": "*"}` as `*`, no `Sid`.
pub(crate) fn normalize(statement: &Value) -> Value {
    let Value::Object(members) = statement else { return statement.clone() };
    let mut normal = Map::new();
    for (key, member) in members.iter().filter(|(key, _)| *key != "Sid") {
        let member = match key.as_str() {
            "Action" | "NotAction" | "Resource" | "NotResource" => list(member),
            "Principal" | "NotPrincipal" => principal(member),
            "Condition" => condition(member),
            _ => member.clone(),
        };
        normal.insert(key.clone(), member);
    }
    Value::Object(normal)
}

fn list(value: &Value) -> Value {
    let mut items = match value {
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    };
    items.sort_by_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

/// `"Principal": "*"` and `{"AWS": "*"}` are the same, and so are an account's id and its root
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
fn principal(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    if members.len() == 1 && members.get("AWS").is_some_and(|aws| list(aws) == json!(["*"])) {
        return Value::from("*");
    }
    Value::Object(members.iter().map(|(key, member)| (key.clone(), roots(&list(member)))).collect())
}

fn roots(accounts: &Value) -> Value {
    let root = |account: &Value| match account.as_str() {
        Some(id) if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            Value::from(format!("arn:aws:iam::{id}:root"))
        }
        _ => account.clone(),
    };
    Value::Array(accounts.as_array().into_iter().flatten().map(root).collect())
}

/// Operators and keys as they are, values as lists of text.
fn condition(value: &Value) -> Value {
    let text = |item: &Value| item.as_str().map_or_else(|| Value::from(item.to_string()), Value::from);
    let texts = |values: &Value| Value::Array(list(values).as_array().into_iter().flatten().map(text).collect());
    let keys = |keys: &Value| match keys {
        Value::Object(keys) => Value::Object(keys.iter().map(|(key, values)| (key.clone(), texts(values))).collect()),
        other => other.clone(),
    };
    match value {
        Value::Object(operators) => {
            Value::Object(operators.iter().map(|(operator, of)| (operator.clone(), keys(of))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sids() -> Vec<String> {
        vec!["Ours".to_owned()]
    }

    #[test]
    fn normalize_takes_respellings_for_the_same() {
        let left = json!({"Sid": "a", "Effect": "Deny", "Principal": {"AWS": ["*"]}, "Action": "s3:*",
            "Resource": ["b", "a"], "Condition": {"Bool": {"aws:SecureTransport": false}}});
        let right = json!({"Effect": "Deny", "Principal": "*", "Action": ["s3:*"],
            "Resource": ["a", "b"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}});
        assert_eq!(normalize(&left), normalize(&right));
        assert_eq!(normalize(&normalize(&left)), normalize(&left));
    }

    #[test]
    fn document_keeps_others_to_the_bit() {
        let text = r#"{"Version":"2008-10-17","Id":"x","Statement":[{"Sid":"Theirs","Effect":"Allow","Action":"sqs:*"},{"Sid":"Ours","Effect":"Deny"}]}"#;
        let document = Document::parse(text).unwrap();
        assert_eq!(document.others(&sids()), ["statement `Theirs`"]);
        let without = document.with_ours(&sids(), &Value::Null).unwrap().to_text();
        let value: Value = serde_json::from_str(&without).unwrap();
        assert_eq!(value["Statement"], json!([{"Sid":"Theirs","Effect":"Allow","Action":"sqs:*"}]));
        assert_eq!((&value["Version"], &value["Id"]), (&json!("2008-10-17"), &json!("x")));
    }

    #[test]
    fn document_of_others_gets_no_version() {
        let document = Document::parse(r#"{"Statement":{"Sid":"Theirs","Resource":"${aws:username}"}}"#).unwrap();
        let merged = document.with_ours(&sids(), &json!({"Effect": "Deny"})).unwrap().to_text();
        assert!(!merged.contains("Version"), "{merged}");
        let own = Document::default().with_ours(&sids(), &json!({"Effect": "Deny"})).unwrap().to_text();
        assert!(own.contains(VERSION), "{own}");
    }

    #[test]
    fn statements_of_others_may_leave_ours_no_room() {
        let text =
            |count: usize| json!({"Version": VERSION, "Statement": vec![json!({"Sid": "Theirs"}); count]}).to_string();
        let ours = json!({"Sid": "Ours", "Effect": "Deny"});
        let has_room = |text: &str, desired: &Value, bytes: usize| {
            let quota = Quota { bytes, statements: Some(3) };
            let entries = Document::parse(text).unwrap().entries(&sids(), desired, quota, "queue `q`");
            entries.list.iter().all(|entry| entry.conflict.is_none())
        };
        assert!(has_room(&text(2), &ours, 1000) && !has_room(&text(3), &ours, 1000));
        assert!(!has_room(&text(2), &ours, text(2).len() + 10));
        // What only goes, or stays as it is, needs none.
        assert!(has_room(&text(4), &Value::Null, 10));
        let with_ours = Document::parse(&text(4)).unwrap().with_ours(&sids(), &ours).unwrap().to_text();
        assert!(has_room(&with_ours, &with_sid(&ours, "Ours"), 10));
    }

    #[test]
    fn document_that_has_ours_already_is_not_changed() {
        let ours = with_sid(&json!({"Effect": "Deny", "Action": "s3:*"}), "Ours");
        let document = Document::default().with_ours(&sids(), &ours).unwrap();
        assert_eq!(document.with_ours(&sids(), &ours), None);
        assert!(document.with_ours(&sids(), &Value::Null).unwrap().is_empty());
        assert_eq!(Document::default().with_ours(&sids(), &Value::Null), None);
    }

    #[test]
    fn what_is_no_policy_is_an_error_and_not_an_empty_one() {
        let read = |text: Option<&str>| Document::read(text, "s3:GetBucketPolicy", "read the policy");
        assert!(read(None).unwrap().is_empty());
        for text in ["", "<html></html>", "{}", "[]", "null", "{\"Statement\": 1}"] {
            assert!(read(Some(text)).unwrap_err().to_string().contains("the answer cannot be read"), "{text}");
        }
    }

    #[test]
    fn statement_that_the_service_takes_no_more_is_named() {
        let refused = |statement: Value| {
            let document = json!({"Statement": [statement, {"Sid": "Ours", "Effect": "Allow", "Principal": "*"}]});
            Document::parse(&document.to_string()).unwrap().refused(&sids(), "bucket `b`").map(|refusal| refusal.reason)
        };
        let allow = |principal: Value, condition: Value| json!({"Sid": "Theirs", "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Condition": condition});
        let dead = refused(allow(json!({"AWS": ["arn:aws:iam::1:root", "AROAEXAMPLEEXAMPLEEX"]}), json!({}))).unwrap();
        assert!(dead.contains("`Theirs`") && dead.contains("AROAEXAMPLEEXAMPLEEX"), "{dead}");
        assert!(refused(allow(json!({"AWS": "*"}), json!({}))).unwrap().contains("lets everybody in"));
        assert!(refused(allow(json!("*"), json!({"Bool": {"aws:SecureTransport": "true"}}))).is_some());
        assert!(refused(allow(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))).is_none());
        assert!(refused(allow(json!({"AWS": "arn:aws:iam::1:role/AROA"}), json!({}))).is_none());
        assert!(refused(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*"})).is_none());
    }

    #[test]
    fn ours_is_matched_whole() {
        let document = Document::parse(r#"{"Statement":{"Sid":"OursAndMore","Effect":"Allow"}}"#).unwrap();
        assert!(document.ours(&sids()).is_null());
    }
}
