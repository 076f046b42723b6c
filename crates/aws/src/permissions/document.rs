//! The policy of a command, and whom it is attached to, as AWS and as Terraform take them.

use std::collections::{BTreeMap, BTreeSet};

use provision_core::hcl::{self, Body};
use provision_core::mark::DEPLOYMENT_KEY;
use provision_core::permissions::{Document, Forge, Repository, Syntax, Task, taken_out};
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
    let hcl = |statement: &Value| terms("", &texts(&statement["Action"]), &texts(&statement["Resource"]), None);
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
        On::Role => ("Role", settings.aws.access.as_ref()?.role.as_ref().map(|role| names.role_arns(role))?),
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

    fn hcl(&self) -> Body {
        terms(self.sid, &self.actions, &self.resources, self.tag.as_ref())
    }
}

/// A statement in Terraform's language.
fn terms<T: AsRef<str>>(sid: &str, actions: &[T], resources: &[String], tag: Option<&(String, Vec<String>)>) -> Body {
    let body = if sid.is_empty() { Body::default() } else { Body::default().text("sid", sid) };
    let body = body.list("actions", actions).list("resources", resources);
    match tag {
        Some((key, values)) => body.block("condition", condition("StringEquals", key).list("values", values)),
        None => body,
    }
}

fn condition(test: &str, variable: &str) -> Body {
    Body::default().text("test", test).text("variable", variable)
}

fn document(
    settings: &Settings,
    names: &Names,
    task: Task,
    syntax: Syntax,
    policy: &Value,
    statements: impl FnOnce() -> Vec<Body>,
) -> Document {
    let name = format!("provision-{}-{}", settings.deployment.name, task.name());
    let letters = policy.to_string().chars().filter(|letter| !letter.is_whitespace()).count();
    let large = format!(
        "this policy has {letters} characters, and a managed one at most {LIMIT}: split it, or make it an inline policy \
         of a role, which has at most 10,240"
    );
    let looks_at_access = ![Task::Server, Task::Verify].contains(&task) && settings.aws.access.is_none();
    let taken_out = looks_at_access.then(|| taken_out("[aws.access]"));
    let notes = unknown(names).into_iter().chain((letters > LIMIT).then_some(large)).chain(taken_out).collect();
    match syntax {
        Syntax::Native => {
            let command = format!("aws iam create-policy --policy-name {name} --policy-document file://FILE");
            Document { text: format!("{policy:#}\n"), commands: vec![command], notes }
        }
        Syntax::Terraform => {
            let id = hcl::name(&name);
            let data = statements().into_iter().fold(Body::default(), |data, body| data.block("statement", body));
            let data = data.named(&format!("data \"aws_iam_policy_document\" \"{id}\""));
            let policy = Body::default().text("name", &name);
            let policy = policy.expression("policy", format!("data.aws_iam_policy_document.{id}.json"));
            let policy = policy.named(&format!("resource \"aws_iam_policy\" \"{id}\""));
            Document { text: format!("{data}\n{policy}"), commands: Vec::new(), notes }
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

/// Whom a role trusts.
struct Trust {
    name: String,
    provider: String,
    issuer: &'static str,
    audience: &'static str,
    /// How the subject is compared, and with what.
    subject: (&'static str, String),
}

/// The trust policy of a role that a repository's jobs may take
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html>).
pub(crate) fn of_repository(settings: &Settings, names: &Names, repository: &Repository, syntax: Syntax) -> Document {
    let issuer = repository.forge.issuer();
    let known = names.account != ANY;
    let account = if known { names.account.as_str() } else { "ACCOUNT" };
    let whole = || ("StringLike", format!("{}*", repository.subject()));
    let trust = Trust {
        name: format!("provision-{}", settings.deployment.name),
        provider: format!("arn:{}:iam::{account}:oidc-provider/{issuer}", names.partition()),
        issuer,
        audience: match repository.forge {
            Forge::GitHub => "sts.amazonaws.com",
            Forge::GitLab => "https://gitlab.com",
        },
        subject: repository.narrowed().map_or_else(whole, |subject| ("StringEquals", subject)),
    };
    let once = format!(
        "the account needs the identity provider https://{issuer} once: `aws iam create-open-id-connect-provider --url \
         https://{issuer} --client-id-list {}`",
        trust.audience
    );
    let asked = repository.asks_for(trust.audience);
    let unknown =
        (!known).then(|| "`account` under [aws] is not set: write its number in the place of ACCOUNT".to_owned());
    let notes =
        [Some(once), repository.narrower(), repository.numbers(), asked, unknown].into_iter().flatten().collect();
    match syntax {
        Syntax::Native => trust.native(notes),
        Syntax::Terraform => Document { text: trust.terraform(), commands: Vec::new(), notes },
    }
}

impl Trust {
    /// The claims of a token, each with how it is compared and with what.
    fn claims(&self) -> [(&'static str, String, &str); 2] {
        let of = |claim: &str| format!("{}:{claim}", self.issuer);
        [("StringEquals", of("aud"), self.audience), (self.subject.0, of("sub"), &self.subject.1)]
    }

    fn native(&self, notes: Vec<String>) -> Document {
        let mut condition = json!({});
        for (test, variable, value) in self.claims() {
            condition[test][variable] = json!(value);
        }
        let statement = json!({
            "Effect": "Allow",
            "Principal": {"Federated": self.provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let command =
            format!("aws iam create-role --role-name {} --assume-role-policy-document file://FILE", self.name);
        Document { text: format!("{policy:#}\n"), commands: vec![command], notes }
    }

    fn terraform(&self) -> String {
        let id = hcl::name(&self.name);
        let principals = Body::default().text("type", "Federated").texts("identifiers", &[&self.provider]);
        let statement =
            Body::default().texts("actions", &["sts:AssumeRoleWithWebIdentity"]).block("principals", principals);
        let statement = self.claims().into_iter().fold(statement, |statement, (test, variable, value)| {
            statement.block("condition", condition(test, &variable).texts("values", &[value]))
        });
        let data = Body::default().block("statement", statement);
        let data = data.named(&format!("data \"aws_iam_policy_document\" \"{id}_trust\""));
        let role = Body::default().text("name", &self.name);
        let role = role.expression("assume_role_policy", format!("data.aws_iam_policy_document.{id}_trust.json"));
        format!("{data}\n{}", role.named(&format!("resource \"aws_iam_role\" \"{id}\"")))
    }
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

    #[test]
    fn trust_of_some_jobs_is_in_their_whole_subject() {
        let settings = settings("", PLAN);
        let repository = "github:acme/infra:environment:prod".parse().unwrap();
        let trust = of_repository(&settings, &names(&settings), &repository, Syntax::Native);
        let issuer = "token.actions.githubusercontent.com";
        let condition = json!({"StringEquals": {
            format!("{issuer}:aud"): "sts.amazonaws.com",
            format!("{issuer}:sub"): "repo:acme/infra:environment:prod",
        }});
        assert_eq!(serde_json::from_str::<Value>(&trust.text).unwrap()["Statement"][0]["Condition"], condition);
        assert!(!trust.notes.iter().any(|note| note.contains("every branch")), "{:?}", trust.notes);
    }
}
