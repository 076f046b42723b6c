//! The policy of a command, and whom it is attached to, as AWS and as Terraform take them.

use std::collections::{BTreeMap, BTreeSet};

use provision_core::mark::DEPLOYMENT_KEY;
use provision_core::permissions::{Document, Forge, Repository, Syntax, Task};
use provision_core::terraform::{hcl, hcl_list, hcl_name};
use serde_json::{Value, json};

use super::{On, needed};
use crate::config::Settings;
use crate::names::Names;

/// White space apart, a managed policy has at most so many characters
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const LIMIT: usize = 6144;

/// What stands where the account is not known: a policy takes it for any.
pub(crate) const ANY: &str = "*";

/// Rights on one thing.
struct Statement {
    sid: &'static str,
    actions: Vec<&'static str>,
    resources: Vec<String>,
    /// The tag that the thing has, and its values.
    tag: Option<(String, Vec<String>)>,
}

/// The policy of a command.
pub(crate) fn of_command(settings: &Settings, names: &Names, task: Task, syntax: Syntax) -> Document {
    let mut actions: BTreeMap<On, BTreeSet<&str>> = BTreeMap::new();
    for (on, action) in needed(settings, task) {
        actions.entry(on).or_default().insert(action);
    }
    let statements = actions.into_iter().filter_map(|(on, actions)| {
        let (sid, resources) = place(on, settings, names)?;
        let deployment = &settings.deployment;
        let marked = || std::iter::once(&deployment.name).chain(&deployment.was).cloned().collect();
        let tag = (on == On::MarkedQueues).then(|| (format!("aws:ResourceTag/{DEPLOYMENT_KEY}"), marked()));
        Some(Statement { sid, actions: actions.into_iter().collect(), resources, tag })
    });
    let statements: Vec<_> = statements.collect();
    let policy =
        json!({"Version": "2012-10-17", "Statement": statements.iter().map(Statement::json).collect::<Vec<_>>()});
    document(settings, names, task, syntax, &policy, || statements.iter().map(Statement::hcl).collect())
}

/// The policy of the server, whose statements are made elsewhere.
pub(crate) fn of_server(settings: &Settings, names: &Names, syntax: Syntax, policy: &Value) -> Document {
    let texts = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        value => value.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
    };
    let hcl = |statement: &Value| block("", &texts(&statement["Action"]), &texts(&statement["Resource"]), None);
    let statements = || policy["Statement"].as_array().into_iter().flatten().map(hcl).collect();
    document(settings, names, Task::Server, syntax, policy, statements)
}

/// The statements' name and resources; `None` where the plan file has nothing of the kind.
fn place(on: On, settings: &Settings, names: &Names) -> Option<(&'static str, Vec<String>)> {
    let bucket = names.bucket_arn();
    let queues = || names.queue.iter().chain(&names.run_queue).map(|queue| names.queue_arn(queue)).collect::<Vec<_>>();
    let (sid, resources) = match on {
        On::Everything => ("Everything", vec![ANY.to_owned()]),
        On::Bucket => ("Bucket", vec![bucket]),
        On::Objects => ("Objects", vec![format!("{bucket}/*")]),
        On::EventQueue => ("EventQueue", names.queue.iter().map(|queue| names.queue_arn(queue)).collect()),
        On::Queues => ("Queues", queues()),
        On::AnyQueue => ("AnyQueue", vec![names.queue_arn("*")]),
        On::MarkedQueues => ("MarkedQueues", vec![names.queue_arn("*")]),
        On::Role => ("Role", settings.aws.access.as_ref().map(|access| names.role_arns(&access.role))?),
    };
    (!resources.is_empty()).then_some((sid, resources))
}

impl Statement {
    fn json(&self) -> Value {
        let mut statement =
            json!({"Sid": self.sid, "Effect": "Allow", "Action": self.actions, "Resource": self.resources});
        if let Some((key, values)) = &self.tag {
            statement["Condition"] = json!({"StringEquals": {key: values}});
        }
        statement
    }

    fn hcl(&self) -> String {
        block(self.sid, &self.actions, &self.resources, self.tag.as_ref())
    }
}

/// A statement in Terraform's language.
fn block<T: AsRef<str>>(sid: &str, actions: &[T], resources: &[String], tag: Option<&(String, Vec<String>)>) -> String {
    let sid = if sid.is_empty() { String::new() } else { format!("    sid       = {}\n", hcl(sid)) };
    let condition = tag.map_or_else(String::new, |(key, values)| {
        format!(
            "\n    condition {{\n      test     = \"StringEquals\"\n      variable = {}\n      values   = {}\n    }}\n",
            hcl(key),
            hcl_list(values, 6)
        )
    });
    let (actions, resources) = (hcl_list(actions, 4), hcl_list(resources, 4));
    format!("  statement {{\n{sid}    actions   = {actions}\n    resources = {resources}\n{condition}  }}\n")
}

fn document(
    settings: &Settings,
    names: &Names,
    task: Task,
    syntax: Syntax,
    policy: &Value,
    statements: impl FnOnce() -> Vec<String>,
) -> Document {
    let name = format!("provision-{}-{}", settings.deployment.name, task.name());
    let letters = policy.to_string().chars().filter(|letter| !letter.is_whitespace()).count();
    let large = format!(
        "this policy has {letters} characters, and a managed one at most {LIMIT}: split it, or make it an inline policy \
         of a role, which has at most 10,240"
    );
    let notes: Vec<_> = unknown(names).into_iter().chain((letters > LIMIT).then_some(large)).collect();
    match syntax {
        Syntax::Native => {
            let command = format!("aws iam create-policy --policy-name {name} --policy-document file://FILE");
            Document { text: format!("{policy:#}\n"), commands: vec![command], notes }
        }
        Syntax::Terraform => {
            let id = hcl_name(&name);
            let policy = format!(
                "resource \"aws_iam_policy\" \"{id}\" {{\n  name   = {}\n  policy = data.aws_iam_policy_document.{id}.json\n}}\n",
                hcl(&name)
            );
            let data = statements().join("\n");
            let text = format!("data \"aws_iam_policy_document\" \"{id}\" {{\n{data}}}\n\n{policy}");
            Document { text, commands: Vec::new(), notes }
        }
    }
}

fn unknown(names: &Names) -> Option<String> {
    let account = "`account` under [aws] is not set: the ARNs have `*` in its place";
    let region = "no region is set: the ARNs have `*` in its place";
    match (names.account == ANY, names.region == ANY) {
        (true, true) => Some(format!("{account}, and so has the region")),
        (true, false) => Some(account.to_owned()),
        (false, true) => Some(region.to_owned()),
        (false, false) => None,
    }
}

/// The trust policy of a role that a repository's jobs may take
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html>).
pub(crate) fn of_repository(settings: &Settings, names: &Names, repository: &Repository, syntax: Syntax) -> Document {
    let issuer = repository.forge.issuer();
    let known = names.account != ANY;
    let account = if known { names.account.as_str() } else { "ACCOUNT" };
    let provider = format!("arn:{}:iam::{account}:oidc-provider/{issuer}", names.partition());
    let audience = match repository.forge {
        Forge::GitHub => "sts.amazonaws.com",
        Forge::GitLab => "https://gitlab.com",
    };
    let subject = format!("{}*", repository.subject());
    let (aud, sub) = (format!("{issuer}:aud"), format!("{issuer}:sub"));
    let mut notes = vec![format!(
        "the account needs the identity provider https://{issuer} once: `aws iam create-open-id-connect-provider --url \
         https://{issuer} --client-id-list {audience}`"
    )];
    notes.push(
        "it lets in every branch, tag and pull request of the repository: narrow `sub` for a role that writes"
            .to_owned(),
    );
    notes.extend(repository.numbers());
    if !known {
        notes.push("`account` under [aws] is not set: write its number in the place of ACCOUNT".to_owned());
    }
    let name = format!("provision-{}", settings.deployment.name);
    if syntax == Syntax::Terraform {
        let condition = |test: &str, variable: &str, value: &str| {
            format!(
                "    condition {{\n      test     = \"{test}\"\n      variable = {}\n      values   = [{}]\n    }}\n",
                hcl(variable),
                hcl(value)
            )
        };
        let (id, conditions) =
            (hcl_name(&name), [condition("StringEquals", &aud, audience), condition("StringLike", &sub, &subject)]);
        let principals = format!(
            "    principals {{\n      type        = \"Federated\"\n      identifiers = [{}]\n    }}\n",
            hcl(&provider)
        );
        let statement =
            format!("    actions = [\"sts:AssumeRoleWithWebIdentity\"]\n\n{principals}\n{}", conditions.join("\n"));
        let text = format!(
            "data \"aws_iam_policy_document\" \"{id}_trust\" {{\n  statement {{\n{statement}  }}\n}}\n\n\
             resource \"aws_iam_role\" \"{id}\" {{\n  name               = {}\n  assume_role_policy = \
             data.aws_iam_policy_document.{id}_trust.json\n}}\n",
            hcl(&name)
        );
        return Document { text, commands: Vec::new(), notes };
    }
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {aud: audience}, "StringLike": {sub: subject}},
    });
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    let command = format!("aws iam create-role --role-name {name} --assume-role-policy-document file://FILE");
    Document { text: format!("{policy:#}\n"), commands: vec![command], notes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::{names, settings};

    const PLAN: &str = "[aws]\nregion = \"eu-west-1\"\n[aws.bucket]\nname = \"acme\"\n[aws.run_queue]\nname = \"runs\"\n[aws.access]\nrole = \"node\"";

    fn policy_of(plan: &str, task: Task) -> Value {
        let settings = settings("", plan);
        serde_json::from_str(&of_command(&settings, &names(&settings), task, Syntax::Native).text).unwrap()
    }

    #[test]
    fn policy_names_the_plan_files_things_and_no_others() {
        let policy = policy_of(PLAN, Task::Apply);
        let of = |sid: &str| policy["Statement"].as_array().unwrap().iter().find(|statement| statement["Sid"] == sid);
        assert_eq!(of("Bucket").unwrap()["Resource"], json!(["arn:aws:s3:::acme"]));
        let queues = json!(["arn:aws:sqs:eu-west-1:1:acme-events", "arn:aws:sqs:eu-west-1:1:runs"]);
        assert_eq!(of("Queues").unwrap()["Resource"], queues);
        assert_eq!(of("Role").unwrap()["Resource"], json!(["arn:aws:iam::1:role/node", "arn:aws:iam::1:role/*/node"]));
        let condition = json!({"StringEquals": {"aws:ResourceTag/provision-deployment": ["wandb"]}});
        assert_eq!(of("MarkedQueues").unwrap()["Condition"], condition);
        assert!(of("Objects").is_none());
        let lean = policy_of("[aws.bucket]\nname = \"acme\"\n[aws.queue]\nenabled = false", Task::Apply);
        let sids: Vec<_> = lean["Statement"].as_array().unwrap().iter().map(|statement| &statement["Sid"]).collect();
        assert_eq!(sids, ["Everything", "Bucket", "AnyQueue", "MarkedQueues"]);
    }

    #[test]
    fn policies_fit_into_a_managed_one() {
        let settings = settings("was = \"old\"", &PLAN.replace("[aws.run", "adopt = true\n[aws.run"));
        for task in Task::COMMANDS {
            let document = of_command(&settings, &names(&settings), task, Syntax::Native);
            assert!(document.notes.is_empty(), "{:?}", document.notes);
        }
    }

    #[test]
    fn trust_names_one_repository_and_one_audience() {
        let settings = settings("", PLAN);
        let repository = "github:acme/infra".parse().unwrap();
        let trust = of_repository(&settings, &names(&settings), &repository, Syntax::Native);
        let trust: Value = serde_json::from_str(&trust.text).unwrap();
        let statement = &trust["Statement"][0];
        let issuer = "token.actions.githubusercontent.com";
        assert_eq!(statement["Principal"]["Federated"], format!("arn:aws:iam::1:oidc-provider/{issuer}"));
        assert_eq!(statement["Condition"]["StringLike"][format!("{issuer}:sub")], "repo:acme/infra:*");
        assert_eq!(statement["Condition"]["StringEquals"][format!("{issuer}:aud")], "sts.amazonaws.com");
    }
}
