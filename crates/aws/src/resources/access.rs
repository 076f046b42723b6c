//! `aws.access`: an inline policy on the role that the server runs as.

use provision_core::Error;
use provision_core::resource::{AtCreation, Facet, Observation, Present, Refusal, Seen, Shape, Want};
use serde_json::{Value, json};

use crate::client::{Reader, Writer};
use crate::config::{
    Encryption, Grant, SERVER_BUCKET_ACTIONS, SERVER_KEY_ACTIONS, SERVER_QUEUE_ACTIONS, SERVER_RUN_QUEUE_ACTIONS,
    Settings,
};
use crate::policy::{Document, document, normalize};
use crate::provider::Names;

static POLICY: Facet = Facet { name: "policy", key: 'a', shape: Shape::Whole, at_creation: AtCreation::Written };

/// What is wanted: role, policy name and statements, so that another role is another value.
pub(crate) fn want(settings: &Settings, names: &Names) -> Vec<Want> {
    let Some(role) = settings.role_name() else { return Vec::new() };
    let value = json!({"role": role, "name": names.ids[0], "statements": statements(settings, names)});
    vec![Want { facet: &POLICY, value, path: "aws.access".to_owned() }]
}

/// The policy of the server as a document, for those who attach it themselves.
pub(crate) fn server_policy(settings: &Settings, names: &Names) -> String {
    let text = document(&statements(settings, names));
    serde_json::from_str::<Value>(&text).map_or(text, |value| format!("{value:#}"))
}

fn statements(settings: &Settings, names: &Names) -> Value {
    let all = settings.aws.access.as_ref().is_some_and(|access| access.grant == Grant::All);
    let bucket = names.bucket_arn();
    let allow = |actions: &[&str], resources: &[String]| {
        normalize(&json!({"Effect": "Allow", "Action": actions, "Resource": resources}))
    };
    let objects = format!("{bucket}/*");
    let mut statements = vec![allow(if all { &["s3:*"] } else { &SERVER_BUCKET_ACTIONS }, &[bucket, objects])];
    if let Some(queue) = &names.queue {
        statements.push(allow(if all { &["sqs:*"] } else { &SERVER_QUEUE_ACTIONS }, &[names.queue_arn(queue)]));
    }
    if let Some(run_queue) = &settings.aws.run_queue {
        statements.push(allow(&SERVER_RUN_QUEUE_ACTIONS, &[names.queue_arn(&run_queue.name)]));
    }
    if let Some(Encryption::Key(key)) = &settings.aws.bucket.encryption {
        statements.push(allow(&SERVER_KEY_ACTIONS, std::slice::from_ref(&key.kms_key)));
    }
    statements.sort_by_key(Value::to_string);
    Value::Array(statements)
}

/// The policy under our name, or under the name that the deployment had before.
pub(crate) async fn observe(reader: &Reader, settings: &Settings, names: &Names) -> Result<Observation, Error> {
    let Some(role) = settings.role_name() else { return Ok(Observation::Absent) };
    if let Some(refusal) = foreign_role(settings, names) {
        let obstacles = vec![(POLICY.name, refusal)];
        let seen = vec![(POLICY.name, Seen::Value(Value::Null))];
        return Ok(Observation::Present(Box::new(Present { seen, obstacles, ..Present::default() })));
    }
    let mut present = Present::default();
    let reads = futures::future::join_all(names.ids.iter().map(|name| reader.get_role_policy(role, name))).await;
    let mut value = Value::Null;
    for (name, read) in names.ids.iter().zip(reads) {
        match read {
            Ok(text) if value.is_null() => value = seen(role, name, &text),
            // A rename that did not finish: the policy under the former name still has to go.
            Ok(_) => value["former"] = json!(name),
            Err(error) if error.code() == Some("NoSuchEntity") => {
                let role_is_missing = error.reason().is_some_and(|reason| !reason.contains("policy"));
                present.obstacles.extend(role_is_missing.then(|| (POLICY.name, no_role(role))));
            }
            Err(error) => {
                present.seen = vec![(POLICY.name, Seen::Unknown(error))];
                return Ok(Observation::Present(Box::new(present)));
            }
        }
    }
    present.seen = vec![(POLICY.name, Seen::Value(value))];
    Ok(Observation::Present(Box::new(present)))
}

/// About the role that the plan file named before. No mark holds its name, whose letters a tag of the narrowest grammar
/// does not take, and to look for the policy on every role of the account would be a listing of them all.
pub(crate) fn stays_behind(settings: &Settings, names: &Names) -> Option<String> {
    let (role, policy) = (settings.role_name()?, &names.ids[0]);
    Some(format!(
        "what was applied last for [aws.access] is not the policy of role `{role}`: if another role was named then, that \
         one keeps its inline policy; remove it with `aws iam delete-role-policy --role-name FORMER_ROLE --policy-name \
         {policy}`"
    ))
}

fn seen(role: &str, name: &str, text: &str) -> Value {
    let statements = Document::parse(text).map_or(Value::Null, |document| document.normalized());
    json!({"role": role, "name": name, "statements": statements})
}

fn foreign_role(settings: &Settings, names: &Names) -> Option<Refusal> {
    let role = &settings.aws.access.as_ref()?.role;
    let account = role.split(':').nth(4)?;
    (account != names.account).then(|| Refusal {
        reason: format!("role `{role}` is of account {account}, these credentials are of {}", names.account),
        hint: "name a role of this account, or leave [aws.access] out and attach the policy that apply prints"
            .to_owned(),
    })
}

fn no_role(role: &str) -> Refusal {
    Refusal {
        reason: format!("role `{role}` does not exist"),
        hint:
            "create the role that the server runs as, or leave [aws.access] out and attach the policy that apply prints"
                .to_owned(),
    }
}

/// Put the policy under our name and delete it under the former one; `null` deletes it.
pub(crate) async fn write(writer: &Writer, settings: &Settings, names: &Names, value: &Value) -> Result<(), Error> {
    let Some(role) = settings.role_name() else { return Ok(()) };
    let former = names.ids.iter().skip(usize::from(!value.is_null()));
    if !value.is_null() {
        writer.put_role_policy(role, &names.ids[0], &document(&value["statements"])).await?;
    }
    for name in former {
        writer.delete_role_policy(role, name).await?;
    }
    Ok(())
}
