//! Statements of others that deny something: what, on what, and to whom.

use std::iter::once;

use serde_json::{Map, Value};

use crate::names::Names;
use crate::policy::{Document, describe, normalize};

/// Whom a statement is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom {
    /// The server.
    Server,
    /// S3, which sends events.
    S3,
    /// Everybody in the account.
    Account,
}

impl Document {
    /// Statements of others that deny one of these actions to all, or to whom it concerns, under no condition: on this resource, or
    /// where it is none on whatever they name.
    pub(crate) fn denying(&self, names: &Names, whom: Whom, actions: &[&str], on: Option<&str>) -> Vec<String> {
        let denies = |statement: &Value| {
            let normal = normalize(statement);
            let plain = normal["Condition"].as_object().is_none_or(Map::is_empty);
            plain && denies(&normal, actions, on) && concerns(&normal, names, whom)
        };
        self.others_where(&names.sids, denies).map(|statement| format!("statement {}", describe(statement))).collect()
    }

    /// Statements of others that may deny S3 to send: to all but some, or under a condition that is not known to leave out events of
    /// the bucket.
    pub(crate) fn may_deny_events(&self, names: &Names, actions: &[&str]) -> Vec<String> {
        let may = |statement: &Value| {
            let normal = normalize(statement);
            let spared = texts(&normal["NotPrincipal"]["Service"]).any(is_s3);
            let all_but = normal["NotPrincipal"].is_object() && !spared;
            let whom = all_but || concerns(&normal, names, Whom::S3);
            whom && denies(&normal, actions, None) && !leaves_out(&normal, names)
        };
        self.others_where(&names.sids, may).map(|statement| format!("statement {}", describe(statement))).collect()
    }

    /// Statements of others that may deny one of these actions to whoever is refused it, over TLS.
    pub(crate) fn may_deny(&self, names: &Names, actions: &[&str]) -> Vec<String> {
        let may = |statement: &Value| {
            let normal = normalize(statement);
            denies(&normal, actions, None) && !conditions(&normal).any(is_without_tls)
        };
        self.others_where(&names.sids, may).map(|statement| format!("statement {}", describe(statement))).collect()
    }
}

/// Whether a statement in normal form denies one of these actions there. One that we give by a pattern is looked at by its name.
fn denies(normal: &Value, actions: &[&str], on: Option<&str>) -> bool {
    normal["Effect"] == "Deny"
        && on.is_none_or(|on| is_named(normal, "Resource", on))
        && actions.iter().any(|action| is_named(normal, "Action", action.trim_end_matches('*')))
}

/// Whether an element names something, or its opposite does not
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html>).
fn is_named(normal: &Value, element: &str, what: &str) -> bool {
    let covered = |element: &str| texts(&normal[element]).any(|pattern| covers(pattern, what));
    let opposite = format!("Not{element}");
    if normal[opposite.as_str()].is_null() { covered(element) } else { !covered(&opposite) }
}

/// Whether a statement in normal form is for all, or for whom it concerns. Who else a `NotPrincipal` leaves out is not known, but for
/// the server (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>).
fn concerns(normal: &Value, names: &Names, whom: Whom) -> bool {
    let (principal, but) = (&normal["Principal"], &normal["NotPrincipal"]);
    let listed = || texts(&principal["AWS"]);
    let spared: Vec<_> = texts(&but["AWS"]).collect();
    let own = match whom {
        Whom::Server => {
            listed().any(|principal| names.is_server(principal)) || (but.is_object() && names.is_none_of(&spared))
        }
        Whom::S3 => texts(&principal["Service"]).any(is_s3),
        Whom::Account => listed().any(|principal| names.is_own_account(principal)),
    };
    *principal == "*" || own || listed().any(|principal| principal == "*")
}

fn is_s3(service: &str) -> bool {
    service == "s3.amazonaws.com"
}

/// One key of a condition: its operator, the key in lower case, and its values.
type Condition<'a> = (&'a str, String, Vec<&'a str>);

fn conditions(normal: &Value) -> impl Iterator<Item = Condition<'_>> {
    let operators = normal["Condition"].as_object().into_iter().flatten();
    operators.flat_map(|(operator, keys)| {
        let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
        let keys = keys.as_object().into_iter().flatten();
        keys.map(move |(key, values)| (operator, key.to_ascii_lowercase(), texts(values).collect()))
    })
}

/// Whether a condition is for calls without TLS alone: S3 sends over it, and so do we.
fn is_without_tls((operator, key, values): Condition<'_>) -> bool {
    operator == "Bool" && key == "aws:securetransport" && values == ["false"]
}

/// Whether a condition leaves out events of the bucket: S3 sends them over TLS, as a service, and names the bucket and its account
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html>).
fn leaves_out(normal: &Value, names: &Names) -> bool {
    let bucket = names.bucket_arn();
    let names_it = |values: &[&str], own: &str| values.iter().any(|value| covers(value, own));
    conditions(normal).any(|(operator, key, values)| match (operator, key.as_str()) {
        ("Bool", "aws:principalisawsservice") => values == ["false"],
        ("ArnNotLike" | "ArnNotEquals" | "StringNotLike" | "StringNotEquals", "aws:sourcearn") => {
            names_it(&values, &bucket)
        }
        ("StringNotLike" | "StringNotEquals", "aws:sourceaccount") => names_it(&values, &names.account),
        _ => is_without_tls((operator, key, values)),
    })
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Whether an action, or a resource, is meant by its name or a pattern: `*` is any text, `?` one character. Actions have no case
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).
pub(crate) fn covers(pattern: &str, action: &str) -> bool {
    let text: Vec<char> = action.to_ascii_lowercase().chars().collect();
    let begun: Vec<bool> = once(true).chain(text.iter().map(|_| false)).collect();
    // Up to where the pattern so far may reach.
    let reached = pattern.to_ascii_lowercase().chars().fold(begun, |reached, wanted| {
        if wanted == '*' {
            let first = reached.iter().position(|here| *here).unwrap_or(reached.len());
            return (0..reached.len()).map(|at| at >= first).collect();
        }
        let step = reached.iter().zip(&text).map(|(here, one)| *here && (wanted == '?' || wanted == *one));
        once(false).chain(step).collect()
    });
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::{names, settings};
    use serde_json::json;

    const PLAN: &str = "[aws.bucket]\nname = \"acme\"\n[aws.access]\nrole = \"node\"";

    fn read(statement: &Value) -> Document {
        Document::parse(&json!({ "Statement": [statement] }).to_string()).unwrap()
    }

    #[test]
    fn actions_are_covered_by_patterns() {
        for pattern in ["*", "sqs:*", "SQS:sendmessage", "sqs:Send*", "s*:*Mess*", "*Message", "sqs:?endMessage", "?*e"]
        {
            assert!(covers(pattern, "sqs:SendMessage"), "{pattern}");
        }
        for pattern in ["sqs:Send", "sqs:*Batch", "s3:*", "sqs:SendMessage*x", "sqs:*x*", "sqs:SendMessage?", ""] {
            assert!(!covers(pattern, "sqs:SendMessage"), "{pattern}");
        }
        assert!(!covers(&"*s".repeat(5000), "sqs:SendMessage") && covers(&"*".repeat(5000), "x"));
    }

    #[test]
    fn what_is_left_out_of_a_statement_is_not_denied_and_all_else_is() {
        let plan = names(&settings("", PLAN));
        let (role, objects) = (json!({"AWS": "arn:aws:iam::1:role/node"}), "arn:aws:s3:::acme/*");
        let denied = |element: &str, action: Value, place: &str, resource: Value| {
            let mut statement = json!({"Sid": "Closed", "Effect": "Deny", "Principal": role});
            (statement[element], statement[place]) = (action, resource);
            !read(&statement).denying(&plan, Whom::Server, &["s3:GetObject*"], Some(objects)).is_empty()
        };
        assert!(denied("NotAction", json!("s3:List*"), "Resource", json!("*")));
        assert!(denied("Action", json!("s3:?etObject"), "Resource", json!(["arn:aws:s3:::acm?/*"])));
        assert!(!denied("NotAction", json!(["s3:List*", "s3:Get*"]), "Resource", json!("*")));
        assert!(denied("Action", json!("s3:*"), "NotResource", json!("arn:aws:s3:::acme/logs/*")));
        assert!(!denied("Action", json!("s3:*"), "NotResource", json!("arn:aws:s3:::acme/*")));
    }

    #[test]
    fn whoever_is_not_left_out_is_denied() {
        let role = names(&settings("", PLAN));
        let nobody = names(&settings("", "[aws.bucket]\nname = \"acme\""));
        let access = "[aws.access]\nprincipals = [\"111122223333\"]";
        let others = names(&settings("", &format!("[aws.bucket]\nname = \"acme\"\n{access}")));
        let denied = |names: &Names, spared: Value| {
            let statement = json!({"Sid": "o", "Effect": "Deny", "NotPrincipal": {"AWS": spared}, "Action": "s3:*"});
            !read(&statement).denying(names, Whom::Server, &["s3:PutObject"], None).is_empty()
        };
        let root = "arn:aws:iam::1:root";
        assert!(denied(&role, json!(["arn:aws:iam::1:user/me", root])) && denied(&role, json!(root)));
        for spared in
            ["arn:aws:iam::1:role/node", "arn:aws:iam::1:role/team/node", "arn:aws:sts::1:assumed-role/node/i-1"]
        {
            assert!(!denied(&role, json!([spared, root])), "{spared}");
        }
        assert!(!denied(&nobody, json!(root)));
        assert!(denied(&others, json!(root)) && !denied(&others, json!("arn:aws:iam::111122223333:role/them")));
    }

    #[test]
    fn statements_that_may_keep_events_out_are_told_from_those_that_do_not() {
        let names = names(&settings("", PLAN));
        let may = |element: &str, principal: Value, condition: Value| {
            let mut statement =
                json!({"Sid": "o", "Effect": "Deny", "Action": "sqs:SendMessage", "Condition": condition});
            statement[element] = principal;
            !read(&statement).may_deny_events(&names, &["sqs:SendMessage"]).is_empty()
        };
        for (operator, key, value, is) in [
            ("StringNotEquals", "aws:PrincipalAccount", "1", true),
            ("StringNotEquals", "aws:SourceVpce", "vpce-1", true),
            ("ArnNotLike", "aws:SourceArn", "arn:aws:s3:::other", true),
            ("ArnNotLike", "aws:SourceArn", "arn:aws:s3:*:*:acme", false),
            ("StringNotEqualsIfExists", "AWS:SourceAccount", "1", false),
            ("StringNotEquals", "aws:SourceAccount", "2", true),
            ("Bool", "aws:SecureTransport", "false", false),
            ("BoolIfExists", "aws:PrincipalIsAWSService", "false", false),
        ] {
            assert_eq!(may("Principal", json!("*"), json!({operator: {key: value}})), is, "{operator} {key} {value}");
        }
        assert!(may("NotPrincipal", json!({"AWS": "arn:aws:iam::1:root"}), json!({})));
        assert!(!may("NotPrincipal", json!({"Service": "s3.amazonaws.com"}), json!({})));
        assert!(!may("Principal", json!({"AWS": "arn:aws:iam::1:role/x"}), json!({})));
    }
}
